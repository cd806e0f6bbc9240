"""What a reader of a data set gives to `prepare`: recordings that load themselves, one at a time, in any process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class PrepareError(Exception):
    """A recording cannot be used; becomes one row of `failures.csv` and never stops the others.

    Args:
        step: The stage of the preparation that failed: `read`, `sound`, `face`, `landmarks`, `length`, `size`, ...
        reason: One line that a user can act on.
    """

    def __init__(self, step: str, reason: str):
        super().__init__(step, reason)
        self.step = step
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.step}: {self.reason}"


@dataclass(frozen=True)
class LoadedClip:
    """A clip in memory at 25 frames a second and 16 kHz, before the crop."""

    frames: np.ndarray
    """(T, H, W, 3) uint8 RGB at 25 fps."""
    waveform: np.ndarray | None
    """(S,) float32 mono in [-1, 1] at 16 kHz, starting with the first frame; None: a data set of pictures alone."""
    landmarks: np.ndarray | None = None
    """(T, 68, 2) float32, iBUG order, (x, y) in pixels of `frames`; None: to be detected."""
    truth: dict[str, Any] = field(default_factory=dict)
    """What is known about the clip, as JSON values; stored as a member of its own."""
    point: tuple[float, float] | None = None
    """(x, y) in pixels of the first frame, where the data set says the speaker is; None: the largest face."""
    notes: tuple[str, ...] = ()
    """What was done to it beyond the ordinary, for the summary."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One clip of a data set, not yet read. Picklable: it is sent to worker processes, and loads there.

    Subclasses implement `load`.
    """

    key: str
    """Unique within the data set; letters, digits, `_` and `-` (it names the members of the tar)."""
    dataset: str
    identity: str
    """The speaker's name: splits never share one."""
    split: str = "train"
    """`train`, `val` or `test`, the same for all of an identity's recordings."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """Of the person, where known: `gender` (`female` or `male`), `age` in years."""
    max_seconds: float | None = None
    """Read no more than this from the start of the clip; set by `prepare`."""

    def load(self) -> LoadedClip:
        """Read the clip.

        Raises:
            PrepareError: It cannot be used; says at which step and why.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement load()")


class Reader:
    """What reads a data set's tables and folders: a sequence of recordings; subclasses fill `recordings`."""

    recordings: Sequence[Recording]

    def __len__(self) -> int:
        return len(self.recordings)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.recordings)


@dataclass(frozen=True, kw_only=True)
class UnusableRecording(Recording):
    """A clip of the data set that its reader could not make a recording of: it only says why."""

    step: str
    reason: str

    def load(self) -> LoadedClip:
        """Fail."""
        raise PrepareError(self.step, self.reason)
