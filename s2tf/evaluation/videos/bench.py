"""Speed of an evaluation of videos, beside the speed of its networks and detectors alone."""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from datamodules.bench.measure import Entry
from datamodules.prepare.synthetic.reader import SyntheticReader
from s2tf.errors import UserError
from s2tf.evaluation.sources import VideoFile
from s2tf.evaluation.videos.measure import GENERATED, VideoMeasure
from s2tf.evaluation.videos.measure_clip import measure_clip
from s2tf.evaluation.videos.open_measures import ALL, MeasureChoices, open_measures
from s2tf.evaluation.videos.pairs import ClipPair
from s2tf.faces.backends import open_detector, open_landmarks
from s2tf.faces.tracking import FaceSettings
from s2tf.media.audio import FPS
from s2tf.media.video_writer import VideoWriter

SECONDS_A_MINUTE = 60
DIFFERENT = 8
"""Greatest number of different clips; more clips are the same files again, so that the measurement starts soon."""


@dataclass(frozen=True)
class EvaluationBench:
    """Evaluation whose speed is measured.

    Args:
        metrics: Names of metrics, see `MeasureChoices`; absent networks get random weights, which take the same time.
        clips: Number of video pairs, of which up to eight differ.
        frames: Frames of each video.
        size: Side of the videos and of the comparison, pixels.
        device: Device of the networks.
        weights: Folder of the public files.
    """

    metrics: str = ALL
    clips: int = 2
    frames: int = 50
    size: int = 256
    device: str = "cpu"
    weights: Path | None = None


def measure_evaluation(bench: EvaluationBench, console: Console, report: Callable[[str], None]) -> Entry:
    """Measure the clips per minute, beside the number that would be reached if only networks and detectors took time.

    Args:
        bench: Evaluation to measure.
        console: Console that shows the training of judges, if there are none yet.
        report: Function that is called with a line about the progress.

    Raises:
        UserError: None of the metrics has a network or a detector.
    """
    measures = _open(bench, console)
    if not any(True for measure in measures for _ in _calls(measure)):
        raise UserError(
            f"metrics {bench.metrics}: expected a metric with a network or a detector, whose time the evaluation is "
            f"metrics {bench.metrics}: expected a metric with a network or a detector, since the evaluation is "
            "compared with the time of these"
        )
    with tempfile.TemporaryDirectory() as folder:
        report("rendering the clips")
        pairs = _pairs(Path(folder), bench)
        # A first run without timing, since loading and allocation happen once, not for each clip.
        measure_clip(pairs[0], measures, bench.size)
        with _clock(measures, bench.device) as spent:
            begun = time.perf_counter()
            for number in range(bench.clips):
                report(f"clip {number + 1} of {bench.clips}")
                measure_clip(pairs[number % len(pairs)], measures, bench.size)
            whole = time.perf_counter() - begun
    measured, floor = (SECONDS_A_MINUTE * bench.clips / seconds for seconds in (whole, sum(spent)))
    name = f"evaluate: {', '.join(one.name for one in measures)}; {bench.frames} frames of {bench.size} px"
    return Entry(name, measured, floor, measured / floor, f"clips a minute ({bench.device})")


def _open(bench: EvaluationBench, console: Console) -> list[VideoMeasure]:
    choices = MeasureChoices(bench.metrics, bench.weights, allow_random=True, device=bench.device)
    opened = open_measures(choices, console)
    if not opened.measures:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in opened.not_computed.items())
        raise UserError(f"metrics {bench.metrics}: nothing can be measured: {reasons}")
    return list(opened.measures)


def _pairs(folder: Path, bench: EvaluationBench) -> list[ClipPair]:
    """Write videos of synthetic speakers, in which detectors find faces; the generated ones are noisy references."""
    rng = np.random.default_rng(0)
    pairs = []
    recordings = SyntheticReader(min(bench.clips, DIFFERENT), 1, bench.frames / FPS, bench.size, 0)
    for number, recording in enumerate(recordings):
        clip = recording.load()
        assert clip.waveform is not None
        # Frame by frame, since the noise of a whole clip would take eight times the clip's memory.
        generated = ((frame + rng.normal(0, 8, frame.shape)).clip(0, 255).astype(np.uint8) for frame in clip.frames)
        paths = [folder / f"{name}{number}.mp4" for name in ("generated", "reference")]
        _write(paths[0], generated, bench.size, clip.waveform)
        _write(paths[1], clip.frames, bench.size, clip.waveform)
        pairs.append(ClipPair(str(number), *(VideoFile(path) for path in paths)))
    return pairs


def _write(path: Path, frames: Iterable[np.ndarray], size: int, waveform: np.ndarray) -> None:
    with VideoWriter(path, (size, size), waveform=waveform) as video:
        for frame in frames:
            video.write(frame)


@contextmanager
def _clock(measures: list[VideoMeasure], device: str) -> Iterator[list[float]]:
    """Collect the seconds that networks and detectors take, by replacing their methods with timed ones."""
    spent: list[float] = []
    replaced = [(owner, name) for measure in measures for owner, name in _calls(measure)]
    # One owner may belong to several measures.
    unique = {(id(owner), name): (owner, name) for owner, name in replaced}
    for owner, name in unique.values():
        setattr(owner, name, _timed(getattr(owner, name), spent, device))
    try:
        yield spent
    finally:
        for owner, name in unique.values():
            delattr(owner, name)


def _calls(measure: Any) -> Iterator[tuple[Any, str]]:
    """List the methods that run a measure's networks and detectors, each with its owner."""
    if measure.name == "sync":
        yield measure.network, "consecutive_lips"
        yield measure.network, "audio"
        if measure.settings is not None:
            yield open_detector(measure.settings.detector), "detect"
    if measure.name == "fid":
        yield measure.reader, "read"
    if measure.name == "landmarks":
        yield open_landmarks(measure.finder.name), "landmarks"
        yield open_detector(FaceSettings().detector), "detect"
    for attribute, name in (("distance", "compare"), ("features", "embed"), ("reader", "flow")):
        owner = getattr(measure.rows.get(GENERATED), attribute, None) if hasattr(measure, "rows") else None
        if owner is not None and hasattr(owner, name):
            yield owner, name


def _timed(call: Any, spent: list[float], device: str) -> Any:
    def timed(*arguments: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        result = call(*arguments, **named)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - begun)
        return result

    return timed
