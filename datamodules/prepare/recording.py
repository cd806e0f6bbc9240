"""Recordings: the items that a data set's reader gives to `prepare`; each can be loaded alone, in any process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from s2tf.media.notes import Note

ABSENT = "absent"
"""The step of a recording that is not there, such as a video that YouTube has deleted: counted, but no failure."""


class PrepareError(Exception):
    """Error for a recording that cannot be used; it becomes a row of `failures.csv` and does not stop the others.

    Args:
        step: The step of the preparation that failed: `read`, `sound`, `face`, `landmarks`, `length`, `size`, ...
        reason: One line that helps the user to correct the problem.
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
    """(S,) float32 mono in [-1, 1] at 16 kHz, starting with the first frame; None: the data set has no sound."""
    landmarks: np.ndarray | None = None
    """(T, 68, 2) float32, iBUG order, (x, y) in pixels of `frames`; None: they must be detected."""
    truth: dict[str, Any] = field(default_factory=dict)
    """Known facts about the clip, as JSON values; stored as a member of their own."""
    point: tuple[float, float] | None = None
    """The speaker's place, (x, y) in pixels of the first frame, by the data set; None: the largest face speaks."""
    notes: tuple[Note, ...] = ()
    """Findings made while the clip was read: the summary counts kinds, the sample's record holds kinds and texts."""
    depth: np.ndarray | None = None
    """(T, 68) depth of `landmarks`, away from the viewer, in pixels of `frames`; None: unknown."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One clip of a data set, not yet read; picklable, since worker processes load it.

    Subclasses implement `load`.
    """

    key: str
    """Unique within the data set; letters, digits, `_` and `-`, since it names the members of the tar file."""
    dataset: str
    identity: str
    """The speaker's name; no two splits share one."""
    split: str = "train"
    """`train`, `val` or `test`, the same for all of an identity's recordings."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """Known facts about the person: `gender` (`female` or `male`), `age` in years."""
    max_seconds: float | None = None
    """Longest part read, from the start of the clip; set by `prepare`."""

    def load(self) -> LoadedClip:
        """Read the clip.

        Raises:
            PrepareError: The clip cannot be used; names the step and the reason.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement load()")


class Reader:
    """A data set's recordings, read from its tables and folders; subclasses fill `recordings`."""

    recordings: Sequence[Recording]
    split_rule: str = ""
    """The rule that divides people, as protocols name it; empty for the data set's own and for random shares."""

    def __len__(self) -> int:
        return len(self.recordings)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.recordings)


@dataclass(frozen=True, kw_only=True)
class UnusableRecording(Recording):
    """A clip that its reader cannot open; loading it fails with the reason."""

    step: str
    reason: str

    def load(self) -> LoadedClip:
        """Fail with the reason."""
        raise PrepareError(self.step, self.reason)
