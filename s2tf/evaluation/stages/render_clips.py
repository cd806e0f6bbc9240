"""Motion codes of test clips, and frames that a motion autoencoder renders from a source and codes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datamodules.shards.samples import Sample
from s2tf.evaluation.stages.lip_refiner import RefinerChange, refiner_change
from s2tf.faces.crop import resize
from s2tf.faces.motion import FaceMotion
from s2tf.media.pictures import to_tensor, to_uint8
from s2tf.models.motion_autoencoder import MotionAutoencoder, SourceFeatures


@dataclass(frozen=True)
class EncodedClip:
    """A test clip with the motion codes of some of its frames."""

    sample: Sample
    chosen: np.ndarray
    """(T,) indices of the frames."""
    codes: Tensor
    """(T, m) codes of the chosen frames."""

    @property
    def landmarks(self) -> FaceMotion:
        """Read the motion of the chosen frames from their landmarks."""
        return FaceMotion.of_landmarks(self.sample.landmarks()[self.chosen], self.sample.record.size)

    def frames(self, size: int) -> np.ndarray:
        """Decode the chosen frames (T, size, size, 3) uint8."""
        return np.stack([resize(frame, size) for frame in self.sample.frames()[self.chosen]])

    def source(self, size: int) -> np.ndarray:
        """Decode frame 0, (1, size, size, 3) uint8."""
        return resize(self.sample.frames(0, 1)[0], size)[None]


@dataclass(frozen=True)
class ClipRenderer:
    """A motion autoencoder that processes clips, `batch` frames at a time."""

    autoencoder: MotionAutoencoder
    size: int
    """Side of the rendered pictures in pixels."""
    batch: int
    device: str

    @torch.no_grad()
    def encode(self, sample: Sample, chosen: np.ndarray) -> EncodedClip:
        """Encode the chosen frames of a clip, at least one."""
        parts = in_batches(sample.frames()[chosen], self.batch)
        codes = torch.cat([self.autoencoder.encode_motion(self._inputs(part)) for part in parts])
        return EncodedClip(sample, chosen, codes)

    @torch.no_grad()
    def encode_source(self, clip: EncodedClip) -> SourceFeatures:
        """Compute the features of the clip's frame 0; call this only when they are needed, since they are large."""
        return self.autoencoder.encode_source(self._inputs(clip.sample.frames(0, 1)))

    @torch.no_grad()
    def render(self, source: SourceFeatures, codes: Tensor) -> np.ndarray:
        """Render frames (T, size, size, 3) uint8; the lips and their place are read from the codes."""
        frames = [to_uint8(self.autoencoder.decode(source, part).image) for part in codes.split(self.batch)]
        return np.stack([resize(frame, self.size) for part in frames for frame in part])

    @torch.no_grad()
    def render_and_compare(self, source: SourceFeatures, codes: Tensor) -> tuple[np.ndarray, RefinerChange | None]:
        """Render frames like `render`, and measure their change by the lip refiner; None without a refiner."""
        if self.autoencoder.lip_refiner is None:
            return self.render(source, codes), None
        frames, changes = [], []
        for part in codes.split(self.batch):
            decoded = self.autoencoder.decode(source, part, compare_unrefined=len(part))
            assert decoded.unrefined is not None
            assert decoded.mouth is not None
            frames += [resize(frame, self.size) for frame in to_uint8(decoded.image)]
            changes.append(refiner_change(decoded.image.cpu(), decoded.unrefined.cpu(), decoded.mouth.cpu()))
        names = ("inside", "outside")
        change = RefinerChange(*(torch.cat([getattr(one, name) for one in changes]) for name in names))
        return np.stack(frames), change

    def _inputs(self, frames: np.ndarray) -> Tensor:
        return to_tensor(np.stack([resize(frame, self.autoencoder.input_size) for frame in frames]), self.device)


def in_batches(frames: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    """Yield the frames, `batch` at a time."""
    for start in range(0, len(frames), batch):
        yield frames[start : start + batch]
