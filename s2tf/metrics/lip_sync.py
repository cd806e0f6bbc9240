"""Lip sync by SyncNet: distance of lips and speech (LSE-D), its confidence (LSE-C), and the offset between both.

The protocol is that of `syncnet_python` without its re-encoding of the crops as XVID and JPEG.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from s2tf.media.audio import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME
from s2tf.media.mfcc import COEFFICIENTS, COLUMN_SAMPLES, WINDOW_SAMPLES, mfcc
from s2tf.models.syncnet import FRAMES, MFCC_COLUMNS, SyncNet

SHIFT = 15
"""Largest number of frames by which the speech is moved to either side."""
COLUMNS_A_FRAME = SAMPLES_PER_FRAME // COLUMN_SAMPLES
LEAST_FRAMES = FRAMES + 1
"""Fewest frames of a clip: as in the original, the last window of a clip does not count."""


@dataclass(frozen=True)
class LipSyncScore:
    """The scores of one face in one clip."""

    lse_d: float
    """Mean distance of lips and speech at the best offset; lower is better."""
    lse_c: float
    """Median of the distances at all offsets minus the smallest one; higher is better."""
    offset: int
    """Best offset in frames, with the sign of the original: positive where the speech comes before its lips, negative
    where it comes after them. Speech that is delayed by k frames has offset -k."""
    windows: int
    """Number of lip windows."""
    distances: tuple[float, ...]
    """Mean distance of the lips to the speech 15 frames earlier, ..., 15 frames later."""

    @classmethod
    def of_distances(cls, distances: Tensor, windows: int) -> "LipSyncScore":
        """The score of mean distances (2 * shift + 1,), one for each shift.

        Raises:
            ValueError: A distance is not finite.

        Example:
            >>> LipSyncScore.of_distances(torch.tensor([7.0, 2.0, 6.0]), windows=9)
            LipSyncScore(lse_d=2.0, lse_c=4.0, offset=0, windows=9, distances=(7.0, 2.0, 6.0))
        """
        if not bool(distances.isfinite().all()):
            raise ValueError(f"lip sync: distances {distances.tolist()}, expected finite numbers")
        least, place = distances.min(dim=0)
        median = distances.median()
        offset = len(distances) // 2 - int(place)
        return cls(float(least), float(median - least), offset, windows, tuple(distances.tolist()))


def distance_sums(lips: Tensor, audio: Tensor, shift: int) -> Tensor:
    """Sums of the distances of lip windows to speech windows, for every shift.

    As in the original, every difference is moved by 1e-6.

    Args:
        lips: Embeddings (N, D) of lip windows.
        audio: Embeddings (>= N + 2 * shift, D) of speech windows, which begin `shift` windows before the lips.
        shift: Largest shift in frames.

    Returns:
        (2 * shift + 1,) float64.

    Example:
        >>> distance_sums(torch.zeros(2, 3), torch.ones(4, 3), shift=1).round(decimals=3).tolist()
        [3.464, 3.464, 3.464]
    """
    sums = [
        F.pairwise_distance(lips, audio[begin : begin + len(lips)]).sum(dtype=torch.float64)
        for begin in range(2 * shift + 1)
    ]
    return torch.stack(sums)


class LipSyncReader:
    """Reads the crops of one face piece by piece and scores them against the speech.

    Each window is embedded once, on the network's device. Memory holds the speech, the crops of one batch and the
    embeddings that later windows are compared with; apart from the speech it does not grow with the clip.

    Args:
        network: SyncNet; it is put into evaluation mode.
        waveform: (S,) at 16 kHz in [-1, 1], from the time of the first crop on.
        batch: Windows that are embedded at once.

    Raises:
        ValueError: The speech is shorter than six frames.
    """

    def __init__(self, network: SyncNet, waveform: np.ndarray, batch: int = 20) -> None:
        self.network, self.batch = network.eval(), batch
        self.frames = 0
        self._heard = len(waveform) // SAMPLES_PER_FRAME
        if self._heard < LEAST_FRAMES:
            raise ValueError(
                f"lip sync: {len(waveform)} samples of speech, expected at least {LEAST_FRAMES * SAMPLES_PER_FRAME} "
                f"({LEAST_FRAMES} frames)"
            )
        self._columns = torch.from_numpy(mfcc(waveform[: self._heard * SAMPLES_PER_FRAME]))
        self._crops = np.zeros((0, network.size, network.size, 3), np.uint8)
        self._device = next(network.parameters()).device
        self._distances = _RunningDistances(torch.zeros(0, network.embedding, device=self._device), SHIFT)

    def update(self, crops: np.ndarray) -> None:
        """Adds the next crops (n, size, size, 3) uint8 RGB, in the network's size.

        Crops after the end of the speech are only counted.

        Raises:
            ValueError: The crops have another type or size.
        """
        size = self.network.size
        if crops.dtype != np.uint8 or crops.shape[1:] != (size, size, 3):
            raise ValueError(f"lip sync: crops are {crops.dtype} {crops.shape}, expected uint8 (n, {size}, {size}, 3)")
        heard = crops[: max(0, self._heard - self.frames)]
        self.frames += len(crops)
        # The newest crop gets a window once a next crop shows that it is not the last.
        ready = len(self._crops) + len(heard) - FRAMES
        self._crops = np.concatenate([self._crops, heard])
        for _ in range(ready // self.batch):
            self._read(self.batch)

    def score(self) -> LipSyncScore:
        """The score of all crops; the reader takes no more after it.

        Raises:
            ValueError: There are fewer than six crops.
        """
        rest = len(self._crops) - FRAMES
        if rest > 0:
            self._read(rest)
        if not self._distances.windows:
            raise ValueError(f"lip sync: {self.frames} frames of a face, expected at least {LEAST_FRAMES}")
        return LipSyncScore.of_distances(self._distances.finish(), self._distances.windows)

    @torch.inference_mode()
    def _read(self, windows: int) -> None:
        """Embeds the next windows and their speech."""
        rgb = torch.from_numpy(self._crops[: windows + FRAMES - 1]).to(self._device)
        self._crops = self._crops[windows:]
        lips = self.network.consecutive_lips(rgb.permute(0, 3, 1, 2).flip(1).float())
        begin = self._distances.windows * COLUMNS_A_FRAME
        columns = self._columns[begin : begin + (windows - 1) * COLUMNS_A_FRAME + MFCC_COLUMNS]
        speech = columns.unfold(0, MFCC_COLUMNS, COLUMNS_A_FRAME)[:, None]
        self._distances.add(lips, self.network.audio(speech.to(self._device)))


class _RunningDistances:
    """Mean distances at every shift, of embeddings that come in pieces, with equal numbers of lips and audio."""

    def __init__(self, lips: Tensor, shift: int) -> None:
        """Starts without lips: a tensor (0, D) on the device of the windows that follow."""
        self.shift, self.windows = shift, 0
        self._sums = torch.zeros(2 * shift + 1, dtype=torch.float64)
        self._lips, self._audio = lips, lips.new_zeros(shift, lips.shape[1])

    def add(self, lips: Tensor, audio: Tensor) -> None:
        """Takes the next windows (n, D), and compares the lips whose later audio is complete."""
        self.windows += len(lips)
        self._lips, self._audio = torch.cat([self._lips, lips]), torch.cat([self._audio, audio])
        self._compare(len(self._lips) - self.shift)

    def finish(self) -> Tensor:
        """The means (2 * shift + 1,) float64 over all windows, of which there must be at least one."""
        self._audio = F.pad(self._audio, (0, 0, 0, self.shift))
        self._compare(len(self._lips))
        return self._sums / self.windows

    def _compare(self, count: int) -> None:
        if count > 0:
            self._sums += distance_sums(self._lips[:count], self._audio, self.shift).cpu()
            self._lips, self._audio = self._lips[count:], self._audio[count:]


class LipSync(Metric):
    """The means of `LipSyncScore` over clips, and the number of clips that could not be measured.

    A clip that could not be measured enters no mean: the means are not meaningful where `failed` is large.

    Args:
        network: The SyncNet of the scores; only its fingerprint is kept.
        crop: Settings of the crops: `TrackSettings.to_json()`, or the size of `whole_frames`.

    Example:
        >>> metric = LipSync(SyncNet(size=72, width=0.05, embedding=16), {"whole frame": 72})
        >>> metric.update(LipSyncScore(lse_d=8.0, lse_c=5.0, offset=-2, windows=50, distances=()))
        >>> {name: float(value) for name, value in metric.compute().items()}
        {'LSE-D': 8.0, 'LSE-C': 5.0, 'offset': 2.0, 'failed': 0.0}
    """

    full_state_update = False
    lse_d_sum: Tensor
    lse_c_sum: Tensor
    offset_sum: Tensor
    clips: Tensor
    failed: Tensor

    def __init__(self, network: SyncNet, crop: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fingerprint, self.crop = network.fingerprint(), dict(crop)
        for name in ("lse_d_sum", "lse_c_sum", "offset_sum"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("clips", "failed"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, score: LipSyncScore | None) -> None:
        """Adds the score of a clip; None for a clip that could not be measured."""
        if score is None:
            self.failed += 1
            return
        self.lse_d_sum += score.lse_d
        self.lse_c_sum += score.lse_c
        self.offset_sum += abs(score.offset)
        self.clips += 1

    def compute(self) -> dict[str, Tensor]:
        """LSE-D, LSE-C, the mean absolute offset in frames, and the number of clips that failed.

        The means are over the clips that were measured; NaN where there is none.
        """
        return {
            "LSE-D": self.lse_d_sum / self.clips,
            "LSE-C": self.lse_c_sum / self.clips,
            "offset": self.offset_sum / self.clips,
            "failed": self.failed,
        }

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the numbers."""
        return {
            "lip sync": "SyncNet as in syncnet_python; LSE-D and LSE-C at each clip's best offset, mean over clips",
            "AV offset": "mean over clips of the size (absolute value) of each clip's best offset, in frames",
            "crop": self.crop,
            "network": self.fingerprint,
            "speech": f"{COEFFICIENTS} MFCC of python_speech_features' defaults at {SAMPLE_RATE} Hz, "
            f"{WINDOW_SAMPLES} samples every {COLUMN_SAMPLES}",
            "windows": f"{FRAMES} frames at {FPS} a second, one a frame",
            "shift": SHIFT,
            "beyond the speech": "zeros",
            "clips": int(self.clips),
            "failed": int(self.failed),
        }
