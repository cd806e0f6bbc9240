"""Lip sync of generated videos: LSE-D, LSE-C and the offset of the face that is visible longest."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.videos.measure import (
    GENERATED,
    REFERENCE,
    SOURCE_COPY,
    MeasureError,
    MetricMeasure,
    State,
    number,
    protocol_of,
)
from s2tf.evaluation.videos.pairs import ClipPair, FrameRun
from s2tf.faces.backends import open_detector
from s2tf.faces.track_settings import TrackSettings
from s2tf.faces.tracks import FaceTracker, TrackCrops, whole_frames
from s2tf.media.audio import SAMPLES_PER_FRAME
from s2tf.metrics.lip_sync import LEAST_FRAMES, LipSync, LipSyncReader, LipSyncScore
from s2tf.models.syncnet import FRAMES, SyncNet
from s2tf.nn.published_weights import RANDOM_WEIGHTS

TITLES: Mapping[str, bool] = {"LSE-D": False, "LSE-C": True}
"""Measurements of SyncNet; true where higher is better."""
OFFSET = "AV offset"
BORROWED = "heard with the true sound"
"""Entry of a clip's state: 1 if the generated video has no sound of its own."""


class SyncMeasure(MetricMeasure):
    """LSE-D, LSE-C and the size of the offset.

    The generated video is measured with its own sound, or with the reference's sound if it has none.

    Args:
        network: SyncNet.
        settings: Settings for tracking and cropping faces, or None if SyncNet sees the whole frames.
    """

    name = "sync"

    def __init__(self, network: SyncNet, settings: TrackSettings | None) -> None:
        self.network, self.settings = network, settings
        crop = {"crop": "whole frame"} if settings is None else settings.to_json()
        super().__init__(dict.fromkeys((GENERATED, REFERENCE, SOURCE_COPY), partial(LipSync, network, crop)))
        self.videos: dict[str, FaceScores] = {}
        self.borrowed = False
        self.heard_with_reference = 0

    @property
    def packages(self) -> Iterable[str]:
        """See `VideoMeasure.packages`."""
        return () if self.settings is None else (self.settings.detector,)

    @property
    def protocol(self) -> Mapping[str, Any]:
        """See `VideoMeasure.protocol`."""
        found = protocol_of(self.metrics[GENERATED])
        if self.network.is_random:
            found["network"] = RANDOM_WEIGHTS
        return {**found, "of several faces": "the one seen longest, of equals the surest"}

    def begin(self, pair: ClipPair) -> None:
        """See `VideoMeasure.begin`; silence is refused, since SyncNet would give it a distance like any other sound."""
        super().begin(pair)
        reference = pair.reference.waveform()
        generated = pair.generated.waveform()
        self.borrowed = generated is None
        heard = reference if generated is None else generated
        if heard is None:
            raise MeasureError("no sound in either video")
        if not heard.any():
            whose = "reference" if self.borrowed else "generated video"
            raise MeasureError(f"silent: the sound of the {whose} is zeros from the first sample to the last")
        self.videos = {
            row: FaceScores(self.network, self.settings, sound, still=row == REFERENCE)
            for row, sound in ((GENERATED, heard), (REFERENCE, reference))
            if sound is not None and sound.any()
        }

    def update(self, run: FrameRun) -> None:
        """See `VideoMeasure.update`; SyncNet sees the frames at their own size, the source among them."""
        for row, frames in ((GENERATED, run.generated_frames), (REFERENCE, run.reference_frames)):
            if row in self.videos:
                self.videos[row].add(frames)

    def end(self) -> State:
        """See `VideoMeasure.end`."""
        generated, _ = self.videos[GENERATED].finish()
        about = {OFFSET: torch.tensor(generated.offset), BORROWED: torch.tensor(int(self.borrowed))}
        self.rows[GENERATED].update(generated)
        reference = copied = None
        if REFERENCE in self.videos:
            # The generated video counts even so; the counts show that the row of the reference has fewer clips.
            with suppress(MeasureError):
                reference, copied = self.videos[REFERENCE].finish()
        self.rows[REFERENCE].update(reference)
        self.rows[SOURCE_COPY].update(copied)
        return {**super().end(), **about}

    def add(self, state: State) -> None:
        """See `VideoMeasure.add`."""
        super().add(state)
        self.heard_with_reference += int(state[BORROWED])

    def values(self, state: State) -> dict[str, float]:
        """See `VideoMeasure.values`."""
        found = self.of_clip(state)
        # The offset of a clip keeps its sign; the mean over clips is the mean of absolute values.
        return {name: float(found[name]) for name in TITLES} | {OFFSET: float(state[OFFSET])}

    def counts(self, failed: int) -> dict[str, int]:
        """Count the clips."""
        unseen = number(self.totals[REFERENCE], "failed")
        return {
            "clips": self.clips,
            "failed": failed,
            "true videos failed": unseen,
            BORROWED: self.heard_with_reference,
        }

    def measurements(self, failed: int) -> list[Measurement]:
        """See `VideoMeasure.measurements`."""
        if not self.clips:
            return []
        generated, reference, copied = (self.total(row) for row in (GENERATED, REFERENCE, SOURCE_COPY))
        rows = [(name, name, higher) for name, higher in TITLES.items()] + [(OFFSET, "offset", False)]
        return [
            self.measured(title, generated[name], copied[name], reference[name], self.counts(failed), higher)
            for title, name, higher in rows
        ]


class FaceScores:
    """Lip sync of each tracked face of one video, and optionally of each face's first crop repeated."""

    def __init__(self, network: SyncNet, settings: TrackSettings | None, waveform: np.ndarray, still: bool) -> None:
        self.network, self.waveform, self.still = network, waveform, still
        self.tracker = None if settings is None else FaceTracker(settings)
        self.detector = None if settings is None else open_detector(settings.detector)
        self.waiting: np.ndarray | None = None
        """The newest frame, kept until it is known whether it is the last."""
        self.frames = 0
        self.readers: dict[int, tuple[LipSyncReader, LipSyncReader | None]] = {}
        self.first: dict[int, np.ndarray] = {}
        self.problems: dict[int, str] = {}
        """Track -> the reason why its face has no score."""

    def add(self, frames: Iterable[np.ndarray]) -> None:
        """Process the next frames."""
        if self.tracker is None:
            self._read(whole_frames(frames, self.network.size))
            return
        for frame in frames:
            if self.waiting is not None:
                self._look(self.waiting, last=False)
            self.waiting = frame

    def finish(self) -> tuple[LipSyncScore, LipSyncScore | None]:
        """Score the face that is visible longest, and its first crop repeated.

        Raises:
            MeasureError: No face is visible long enough.
        """
        if self.tracker is not None:
            if self.waiting is not None:
                self._look(self.waiting, last=True)
            self._read(self.tracker.finish())
        scored = []
        for track, (reader, copied) in self.readers.items():
            try:
                scored.append((reader.score(), None if copied is None else copied.score()))
            except ValueError as error:
                self.problems[track] = str(error)
        if not scored:
            refused = [] if self.tracker is None else [one.reason for one in self.tracker.refused]
            raise MeasureError("; ".join([*refused, *self.problems.values()]) or "no face found")
        return max(scored, key=lambda scores: (scores[0].windows, scores[0].lse_c))

    def _look(self, frame: np.ndarray, last: bool) -> None:
        assert self.tracker is not None
        assert self.detector is not None
        looked = last or self.frames % self.tracker.settings.every == 0
        self.frames += 1
        self._read(self.tracker.add(frame, self.detector.detect(frame) if looked else ()))

    def _read(self, pieces: Iterable[TrackCrops]) -> None:
        for piece in pieces:
            if piece.track in self.problems:
                continue
            if piece.track not in self.readers:
                heard = self.waveform[piece.start * SAMPLES_PER_FRAME :]
                if len(heard) < LEAST_FRAMES * SAMPLES_PER_FRAME:
                    self.problems[piece.track] = f"{len(heard) // SAMPLES_PER_FRAME} frames of sound beside a face"
                    continue
                copied = LipSyncReader(cast(Any, _StillLips(self.network)), heard) if self.still else None
                self.readers[piece.track] = LipSyncReader(self.network, heard), copied
                self.first[piece.track] = piece.crops[:1]
            reader, copied = self.readers[piece.track]
            reader.update(piece.crops)
            if copied is not None:
                copied.update(self.first[piece.track].repeat(len(piece.crops), axis=0))


class _StillLips:
    """SyncNet for a face that does not move: its only window is embedded once."""

    def __init__(self, network: SyncNet) -> None:
        self.network = network
        self.window: Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def eval(self) -> "_StillLips":
        """Switch to evaluation mode."""
        self.network.eval()
        return self

    def consecutive_lips(self, frames: Tensor) -> Tensor:
        """See SyncNet; all frames are equal."""
        if self.window is None:
            self.window = self.network.consecutive_lips(frames[:FRAMES])
        return self.window.expand(len(frames) - FRAMES + 1, -1)
