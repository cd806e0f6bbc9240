"""Reads shards clip by clip: from local files only the requested bytes at any position, all others as a stream.

A broken clip is returned as an error value, not raised: the caller decides if it ends the training.
"""

import itertools
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import BinaryIO

from datamodules.shards.codecs import Bytes
from datamodules.shards.errors import ShardError
from datamodules.shards.samples import JSON, KEY, Sample
from datamodules.shards.sources import open_url

Slot = tuple[int, int]
"""Offset and size of a member in its tar file."""


class ShardFile:
    """An open file that closes with the last sample that reads from it."""

    def __init__(self, path: str):
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY)

    def read(self, start: int, size: int) -> bytes:
        """`size` bytes from `start` on."""
        return os.pread(self._descriptor, size, start)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


class FileMember:
    """A member of a local shard: sliced like bytes, and read only then."""

    def __init__(self, file: ShardFile, offset: int, size: int):
        self.file = file
        self.offset = offset
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self.size)
        try:
            data = self.file.read(self.offset + start, stop - start)
        except OSError as error:
            raise ShardError(f"{self.file.path}: cannot be read: {error.strerror or error}") from error
        if len(data) != stop - start:
            raise ShardError(f"{self.file.path}: the file ends within a member: truncated")
        return data


def read_clips(
    url: str, local: bool, count: int, start: int = 0, stop: int | None = None
) -> Iterator[Sample | ShardError]:
    """Clips `start` to `stop` - 1 of a shard, in order, with an error in place of each that cannot be read.

    Args:
        url: File, URL or pipe.
        local: True for a file.
        count: Clips that the manifest names; a missing one is an error.
        start: Number of the first clip.
        stop: Number after the last clip, or None for the end of the shard.
    """
    stop = count if stop is None else stop
    clips = _local(url, start) if local else stream_clips(url, start)
    given = start
    for clip in itertools.islice(clips, stop - start):
        given += 1
        yield clip
    for _ in range(given, stop):
        yield ShardError(f"{url}: holds {given} of the {count} clips that its manifest names")
    if given == stop == count and next(clips, None) is not None:
        raise ShardError(
            f"{url}: holds more clips than the {count} that its manifest names: they belong to different preparations"
        )


def _local(path: str, start: int) -> Iterator[Sample | ShardError]:
    try:
        entries, broken = _index(path, *_identity(path))
        file = ShardFile(path)
    except OSError as error:
        yield ShardError(f"{path}: {error.strerror or error}")
        return
    for key, slots in entries[start:]:
        members: dict[str, Bytes] = {name: FileMember(file, *slot) for name, slot in slots.items()}
        yield _sample(path, key, members)
    if broken is not None:
        yield broken


def _identity(path: str) -> tuple[int, int]:
    """Values that change when a file is replaced."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=64)
def _index(path: str, size: int, _: int) -> tuple[list[tuple[str, dict[str, Slot]]], ShardError | None]:
    """The places of every clip's members, from the tar headers alone, and any error that stopped the reading."""
    entries: list[tuple[str, dict[str, Slot]]] = []
    try:
        with tarfile.open(path, mode="r:") as tar:
            for info in tar:
                key, member = _names(info)
                if info.offset_data + info.size > size:
                    raise ShardError(f"truncated in member {info.name!r}")
                if not entries or entries[-1][0] != key:
                    entries.append((key, {}))
                if member in entries[-1][1]:
                    raise ShardError(f"member {info.name!r} appears twice")
                entries[-1][1][member] = (info.offset_data, info.size)
    except (tarfile.TarError, ShardError, EOFError) as error:
        # The last clip may lack members that would have followed.
        return entries[:-1], ShardError(f"{path}: {error}")
    return entries, None


def stream_clips(url: str, start: int = 0) -> Iterator[Sample | ShardError]:
    """Clip `start` of a shard and all after it, with all their bytes; a shard that breaks off ends with an error."""
    problem, closing = None, False
    try:
        with open_url(url) as stream:
            try:
                yield from _stream_clips(url, stream, start)
            except GeneratorExit:
                closing = True
                raise
            finally:
                # Read to the end: a pipe that is closed early reports a failure although there was none.
                while stream.read(1 << 20):
                    pass
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        problem = ShardError(f"{url}: {one_line(error)}")
    if problem is not None and not closing:
        yield problem


def _stream_clips(url: str, stream: BinaryIO, start: int) -> Iterator[Sample | ShardError]:
    key, members, number = "", dict[str, Bytes](), 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for info in tar:
                name, member = _names(info)
                if name != key and members:
                    if number >= start:
                        yield _sample(url, key, members)
                    members, number = {}, number + 1
                if member in members:
                    raise ShardError(f"member {info.name!r} appears twice")
                file = tar.extractfile(info) if number >= start else None
                key, members[member] = name, file.read() if file is not None else b""
                if file is not None and len(members[member]) != info.size:
                    raise ShardError(f"truncated in member {info.name!r}")
    except (tarfile.TarError, ShardError, EOFError) as error:
        yield ShardError(f"{url}: {error}")
        return
    if members and number >= start:
        yield _sample(url, key, members)


def _names(info: tarfile.TarInfo) -> tuple[str, str]:
    """A member's key and kind.

    Raises:
        ShardError: The member is not a plain file, or its name leads out of the folder.
    """
    key, _, member = info.name.partition(".")
    if not info.isreg() or not KEY.fullmatch(key):
        raise ShardError(f"member {info.name!r} is not a sample's file")
    return key, member


def _sample(url: str, key: str, members: Mapping[str, Bytes]) -> Sample | ShardError:
    try:
        return Sample.from_members(key, {**members, JSON: members[JSON][:]} if JSON in members else members)
    except (ShardError, OSError) as error:
        return ShardError(f"{url}: {error}")


def one_line(error: BaseException) -> str:
    """An error's text without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
