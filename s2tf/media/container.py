"""Sound and video files: opening them, their tracks, and the errors that name them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import av
from av.container import InputContainer
from av.stream import Disposition

from s2tf.nn.file_kinds import RIFF, odd_kind, plain_text

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)
"""Suffixes of files that count as videos, in lower case."""
STATED = frozenset({"mov", "mp4", "matroska", "webm", "avi", "flv", "wav", "w64", "aiff", "caf", "asf", "mxf"})
"""FFmpeg's names of formats that store their length; for others FFmpeg guesses it, from the bit rate for instance."""
Kind = Literal["video", "audio"]

# Covers of songs, and the small pictures that a player shows over its time bar.
PREVIEWS = Disposition.attached_pic | Disposition.timed_thumbnails


def open_media(path: str | Path) -> InputContainer:
    """Open a file of sound or pictures; close the result.

    Raises:
        FileNotFoundError: The file does not exist.
        av.FFmpegError: The file is none that FFmpeg reads; see `naming`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist, expected a file of sound or video")
    # With the protocol in front, a colon in the name is part of the name. Tags may be in any encoding.
    return av.open(f"file:{path}", metadata_errors="replace")


@contextmanager
def naming(path: str | Path, what: Literal["video", "sound"]) -> Iterator[None]:
    """Turn FFmpeg's errors into a ValueError that names the file."""
    try:
        yield
    except (av.FFmpegError, EOFError) as error:
        kind = odd_kind(Path(path), usual=(RIFF,)) or plain_text(Path(path))
        reason = explain(error) if kind is None else f"it is {kind}"
        raise ValueError(f"cannot read the {what} of {path}: {reason}") from error


def explain(error: BaseException) -> str:
    """The cause that an error of FFmpeg states, without number and function."""
    text = str(getattr(error, "strerror", None) or error or type(error).__name__)
    return "data that its decoder does not know" if text.startswith("Error number") else text


def video_track(container: InputContainer) -> av.VideoStream | None:
    """The video track that a player shows; see `choose_track`."""
    track = choose_track(container, "video")
    assert track is None or isinstance(track, av.VideoStream)
    return track


def sound_track(container: InputContainer) -> av.AudioStream | None:
    """The sound track that a player plays with its video; see `choose_track`."""
    track = choose_track(container, "audio", related=video_track(container))
    assert track is None or isinstance(track, av.AudioStream)
    return track


def choose_track(
    container: InputContainer, kind: Kind, related: av.VideoStream | None = None
) -> av.VideoStream | av.AudioStream | None:
    """The only track marked as default; with none or several, the best by FFmpeg's rule, among these if there are any.

    Covers, previews, and tracks that FFmpeg cannot decode do not count.

    Args:
        container: An open file.
        kind: `video` or `audio`.
        related: The track whose program (of a broadcast) the best track belongs to.

    Returns:
        The track, or None if there is none.
    """
    tracks = [
        track
        for track in (container.streams.video if kind == "video" else container.streams.audio)
        if track.codec_context is not None and not track.disposition & PREVIEWS
    ]
    marked = [track for track in tracks if track.disposition & Disposition.default] or tracks
    if len(marked) < 2:
        return marked[0] if marked else None
    best = container.streams.best(kind, related)
    return next((track for track in marked if track is best or track.index == getattr(best, "index", None)), marked[0])


def states_length(container: InputContainer) -> bool:
    """True if the file's format stores its length."""
    return not STATED.isdisjoint(container.format.name.split(","))


def has_sound(path: str | Path) -> bool:
    """True if the file has a sound track.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file cannot be read; the message names it.
    """
    with naming(path, "sound"), open_media(path) as container:
        return sound_track(container) is not None
