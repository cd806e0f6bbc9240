"""Motion codes of test clips, and frames that a motion autoencoder renders from a source and codes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datamodules.shards.face import face_of
from datamodules.shards.samples import Sample
from s2tf.evaluation.stages.lip_landmarks import LipNetwork
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
    lips: Tensor | None = None
    """(T, 20, D) lips of the chosen frames from the clip's speech, or None to read them from the codes."""

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
    lips: LipNetwork | None = None
    """audio2lmk, whose lips the refiner gets; None: those that are read from the codes."""

    @torch.no_grad()
    def encode(self, sample: Sample, chosen: np.ndarray) -> EncodedClip:
        """Encode the chosen frames of a clip, at least one."""
        parts = in_batches(sample.frames()[chosen], self.batch)
        codes = torch.cat([self.autoencoder.encode_motion(self._inputs(part)) for part in parts])
        return EncodedClip(sample, chosen, codes, self._spoken_lips(sample, chosen))

    def _spoken_lips(self, sample: Sample, chosen: np.ndarray) -> Tensor | None:
        """Lips of the chosen frames by audio2lmk, as in a pipeline: moving from the lips that are read from frame 0."""
        if self.lips is None:
            return None
        source = self.autoencoder.encode_source(self._inputs(sample.frames(0, 1)))
        first = self.autoencoder.read_face(source).lips[0].cpu().numpy()
        lips = self.lips.lips(sample.waveform(), sample.record.frames, first)
        return torch.tensor(lips[chosen], dtype=torch.float32, device=self.device)

    @torch.no_grad()
    def encode_source(self, clip: EncodedClip) -> SourceFeatures:
        """Compute the features of the clip's frame 0; call this only when they are needed, since they are large."""
        return self.autoencoder.encode_source(self._inputs(clip.sample.frames(0, 1)))

    @torch.no_grad()
    def render(self, source: SourceFeatures, codes: Tensor, lips: Tensor | None = None) -> np.ndarray:
        """Render frames (T, size, size, 3) uint8; the place of the lips, and lips of None, are read from the codes."""
        parts = self._parts(codes, lips)
        frames = [to_uint8(self.autoencoder.decode(source, part, mouth).image) for part, mouth in parts]
        return np.stack([resize(frame, self.size) for part in frames for frame in part])

    @torch.no_grad()
    def render_and_compare(
        self, source: SourceFeatures, codes: Tensor, lips: Tensor | None = None
    ) -> tuple[np.ndarray, RefinerChange | None]:
        """Render frames like `render`, and measure their change by the lip refiner; None without a refiner."""
        if self.autoencoder.lip_refiner is None:
            return self.render(source, codes, lips), None
        frames, changes = [], []
        for part, mouth in self._parts(codes, lips):
            decoded = self.autoencoder.decode(source, part, mouth, compare_unrefined=len(part))
            assert decoded.unrefined is not None
            assert decoded.mouth is not None
            frames += [resize(frame, self.size) for frame in to_uint8(decoded.image)]
            changes.append(refiner_change(decoded.image.cpu(), decoded.unrefined.cpu(), decoded.mouth.cpu()))
        names = ("inside", "outside")
        change = RefinerChange(*(torch.cat([getattr(one, name) for one in changes]) for name in names))
        return np.stack(frames), change

    @torch.no_grad()
    def read_error(self, source: SourceFeatures, clip: EncodedClip) -> tuple[np.ndarray, np.ndarray]:
        """Errors of placement (T, P) and lips (T, 20 D) that the refiner gets, against the clip's landmarks."""
        truth = face_of(clip.sample, self.autoencoder.motion_reader.space)
        faces = [self.autoencoder.read_face(source, part) for part in clip.codes.split(self.batch)]
        placement = torch.cat([face.placement for face in faces])
        lips = torch.cat([face.lips for face in faces]) if clip.lips is None else clip.lips
        return (
            placement.cpu().numpy() - truth.placement[clip.chosen],
            (lips.cpu().numpy() - truth.lips[clip.chosen]).reshape(len(lips), -1),
        )

    def _parts(self, codes: Tensor, lips: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield codes with their lips, `batch` frames at a time."""
        for start in range(0, len(codes), self.batch):
            part = slice(start, start + self.batch)
            yield codes[part], None if lips is None else lips[part]

    def _inputs(self, frames: np.ndarray) -> Tensor:
        return to_tensor(np.stack([resize(frame, self.autoencoder.input_size) for frame in frames]), self.device)


def in_batches(frames: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    """Yield the frames, `batch` at a time."""
    for start in range(0, len(frames), batch):
        yield frames[start : start + batch]
