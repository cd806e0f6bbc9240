"""Answers of the video measures to known distortions of synthetic speakers: docs/results/distortions.md.

Such as: python tests/support/distorted_videos.py --syncnet RUN/networks/syncnet --landmarks mediapipe

The true video, distorted, stands in a generated one's place; sizes and strengths are those that the docs give.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from textures import blurred, jpeg, noisy

from datamodules.prepare.synthetic.clip import render_clip
from datamodules.prepare.synthetic.drawing import render
from datamodules.prepare.synthetic.face import proportions
from datamodules.prepare.synthetic.layers import make_scene
from datamodules.prepare.synthetic.motion import sample_motion
from datamodules.prepare.synthetic.speaker import make_speaker
from datamodules.prepare.synthetic.speech import sample_timeline
from s2tf.evaluation.videos.measure import VideoMeasure
from s2tf.evaluation.videos.measure_clip import measure_clip
from s2tf.evaluation.videos.pairs import ClipPair
from s2tf.faces.crop import CropRule, crop, square_box
from s2tf.media.audio import FPS, SAMPLES_PER_FRAME

POPULATION = 77
"""Of the speakers; judges and networks have been trained on others."""
DRAWN = 1.5
"""Times the crop's side."""


@dataclass(frozen=True)
class Video:
    """A video in memory, see `s2tf.evaluation.sources.VideoSource`."""

    name: str
    pictures: np.ndarray
    """(T, S, S, 3) uint8."""
    sound: np.ndarray
    version = "drawn"

    def digest(self) -> str:
        return self.name

    def frames(self) -> Iterator[np.ndarray]:
        yield from self.pictures

    def waveform(self) -> np.ndarray:
        return self.sound


@dataclass(frozen=True)
class Speaker:
    """The true video, and what a distortion may put in its place."""

    true: Video
    frozen_mouth: np.ndarray
    """The same frames, but for the mouth, which stays as it is in the first: head and eyes move."""
    anothers_sound: np.ndarray


def draw_speakers(count: int, seconds: float, size: int) -> list[Speaker]:
    """Face crops of `size` pixels of so many people."""
    clips = []
    for index in range(count + 1):
        speaker = make_speaker(POPULATION, index)
        side, frames = int(DRAWN * size), round(seconds * FPS)
        clip = render_clip(speaker, seconds, side, 0)
        # The motion that `render_clip` has drawn, whose mouth is then held.
        rngs = [np.random.default_rng([POPULATION, index, 0, stream]) for stream in (1, 2)]
        motion = sample_motion(sample_timeline(seconds, speaker.voice.rate, rngs[0]), frames, rngs[1])
        held = replace(motion, viseme=np.broadcast_to(motion.viseme[:1], motion.viseme.shape))
        frozen = render(speaker, make_scene(proportions(speaker), held), side)
        box = square_box(clip.landmarks, CropRule(size=size))
        clips.append((*(crop(each, box, size) for each in (clip.frames, frozen)), clip.waveform))
    return [
        Speaker(Video(str(index), true, sound), frozen, clips[index + 1][2])
        for index, (true, frozen, sound) in enumerate(clips[:-1])
    ]


def _pictures(distort: Callable, strength: float, speaker: Speaker) -> Video:
    pictures = torch.from_numpy(speaker.true.pictures).permute(0, 3, 1, 2)
    return replace(speaker.true, pictures=distort(pictures, strength).permute(0, 2, 3, 1).contiguous().numpy())


def blur(speaker: Speaker, deviation: float) -> Video:
    """`deviation` is in pixels of 256."""
    return _pictures(blurred, deviation * speaker.true.pictures.shape[1] / 256, speaker)


def noise(speaker: Speaker, deviation: float) -> Video:
    """Of 256 levels."""
    return _pictures(noisy, deviation, speaker)


def compression(speaker: Speaker, quality: int) -> Video:
    """JPEG."""
    return _pictures(jpeg, 100 - quality, speaker)


def later(speaker: Speaker, frames: int) -> Video:
    """The sound is late."""
    sound = speaker.true.sound
    return replace(speaker.true, sound=np.pad(sound, (frames * SAMPLES_PER_FRAME, 0))[: len(sound)])


def jitter(speaker: Speaker, reach: int) -> Video:
    """Each frame is taken from up to `reach` before or behind."""
    count = len(speaker.true.pictures)
    moved = np.arange(count) + np.random.default_rng(0).integers(-reach, reach + 1, count)
    return replace(speaker.true, pictures=speaker.true.pictures[moved.clip(0, count - 1)])


def frozen(speaker: Speaker, _: float = 0) -> Video:
    """The source, copied."""
    true = speaker.true
    return replace(true, pictures=np.broadcast_to(true.pictures[:1], true.pictures.shape))


def frozen_mouth(speaker: Speaker, _: float = 0) -> Video:
    """See `Speaker.frozen_mouth`."""
    return replace(speaker.true, pictures=speaker.frozen_mouth)


def anothers_sound(speaker: Speaker, _: float = 0) -> Video:
    """See `Speaker.anothers_sound`."""
    return replace(speaker.true, sound=speaker.anothers_sound)


DISTORTIONS: dict[str, tuple[Callable[..., Video], Sequence[float]]] = {
    "the true video": (lambda speaker, _: speaker.true, (0,)),
    "blur 1, 2, 4": (blur, (1, 2, 4)),
    "noise 5, 15, 40": (noise, (5, 15, 40)),
    "JPEG 60, 20, 5": (compression, (60, 20, 5)),
    "later 2, 5, 8": (later, (2, 5, 8)),
    "jitter 1, 3, 6": (jitter, (1, 3, 6)),
    "frozen mouth": (frozen_mouth, (0,)),
    "frozen (the source)": (frozen, (0,)),
    "another's sound": (anothers_sound, (0,)),
}
"""By the row of the table: what is done, and how strongly, from weak to strong."""

COLUMNS = {
    "LSE-D": ("LSE-D", 2),
    "LSE-C": ("LSE-C", 2),
    "AV offset": ("AV offset", 1),
    "PSNR": ("PSNR", 1),
    "SSIM": ("SSIM", 3),
    "feature distance": ("feature distance (face judge)", 2),
    "face": ("landmark distance", 1),
    "lips": ("lip landmark distance", 1),
    "lip shape": ("lip shape distance", 1),
    "mouth": ("mouth correlation", 2),
    "eyes": ("eyes correlation", 2),
    "pose": ("pose correlation", 2),
    "identity": ("identity", 2),
    "CPBD": ("CPBD", 3),
    "gradient energy (‰)": ("gradient energy", 2),
}
"""By heading: the measurement and its digits."""


def measured(
    speakers: Sequence[Speaker], distort: Callable[..., Video], strength: float, measures: Sequence[VideoMeasure]
) -> dict[str, float]:
    """What new `measures` say of the distorted videos, by measurement.

    Raises:
        ValueError: One of them cannot be measured.
    """
    size = speakers[0].true.pictures.shape[1]
    for speaker in speakers:
        pair = ClipPair(speaker.true.name, distort(speaker, strength), speaker.true)
        record = measure_clip(pair, measures, size)
        if record.failures:
            raise ValueError(f"clip {record.key}: {record.failures}")
        for measure in measures:
            measure.add(record.states[measure.name])
    return {one.name: one.value for measure in measures for one in measure.measurements(0)}


def _opener(syncnet: Path | None, landmarks: str) -> Callable[[], list[VideoMeasure]]:
    """Makes the measures anew, on the same networks."""
    from rich.console import Console

    from s2tf.evaluation.judge_training import JudgeData, load_judges
    from s2tf.evaluation.videos.motion_measures import FaceMeasure
    from s2tf.evaluation.videos.pixel_measures import IdentityMeasure, PerceptualMeasure, PixelMeasure, SharpnessMeasure
    from s2tf.evaluation.videos.sync_measure import SyncMeasure
    from s2tf.faces.judges import JudgeReader
    from s2tf.faces.motion import DetectedMotion, JudgedMotion
    from s2tf.metrics.perceptual_distance import JudgeDistance
    from s2tf.models.syncnet import SyncNet

    network = None if syncnet is None else SyncNet.from_pretrained(syncnet)

    def of_all() -> list[VideoMeasure]:
        return [*([] if network is None else [SyncMeasure(network, None)]), PixelMeasure(), SharpnessMeasure()]

    if landmarks != "judges":
        finder = DetectedMotion(landmarks)
        return lambda: [*of_all(), FaceMeasure(finder)]
    judges = load_judges(JudgeData(), Console())
    return lambda: [
        *of_all(),
        PerceptualMeasure(JudgeDistance(judges.networks["face"])),
        FaceMeasure(JudgedMotion(judges)),
        IdentityMeasure(JudgeReader(judges)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=6, help="speakers (%(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each (%(default)s)")
    parser.add_argument("--size", type=int, default=128, help="pixels (%(default)s)")
    parser.add_argument("--syncnet", type=Path, metavar="FOLDER", help="for the columns of lip sync")
    parser.add_argument("--landmarks", default="judges", help="judges or mediapipe (%(default)s)")
    args = parser.parse_args()
    speakers = draw_speakers(args.clips, args.seconds, args.size)
    measures = _opener(args.syncnet, args.landmarks)
    columns: dict[str, tuple[str, int]] = {}
    for name, (distort, strengths) in DISTORTIONS.items():
        found = [_tried(speakers, distort, strength, measures()) for strength in strengths]
        if not columns:
            columns = {head: one for head, one in COLUMNS.items() if one[0] in found[0]}
            print(f"| | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}", flush=True)
        cells = [", ".join(_text(one.get(what), digits) for one in found) for what, digits in columns.values()]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _tried(
    speakers: Sequence[Speaker], distort: Callable[..., Video], strength: float, measures: Sequence[VideoMeasure]
) -> dict[str, float]:
    """As `measured`; nothing where a clip cannot be measured, which is said."""
    try:
        values = measured(speakers, distort, strength, measures)
    except ValueError as error:
        print(error, file=sys.stderr)
        return {}
    return values | {"gradient energy": 1000 * values["gradient energy"]}


def _text(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
