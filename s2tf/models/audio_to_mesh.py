"""Lips from speech: the module audio2lmk in AniPortrait's form, which gives offsets of all points of a face."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.models.pretrained_speech import Wav2Vec2Features
from s2tf.models.speech_features import SAMPLES_PER_FRAME, SpeechFeatures, normalised
from s2tf.nn.lips import MESH_LIPS
from s2tf.nn.network import Network

MESH_POINTS, IRISES = 468, 10
"""Number of points of MediaPipe's face mesh without the irises, and of the irises."""
IBUG_POINTS = 68
LIP_POINTS = 20
METRIC = torch.tensor([1.0, -1.0, -1.0]) / 8.892
"""Outer-eye distances, x right, y down and z away, for the units of MediaPipe's canonical head."""


class AudioToMesh(Network):
    """A transformer on convolutional features of speech resampled to the frames, and two linear layers.

    As in AniPortrait, the offsets are added to the face of a reference, in the frame of its head
    (`s2tf.faces.head`), and the transformer is trained along; there is no activation between the linear layers. One
    thing is added: the reference's lips may be an input, since its mouth may be open, and the network must know that to
    close it. (AniPortrait lets the user choose a frame with a neutral mouth. Its public weights were trained at 30
    frames a second.)

    Training sees windows, and so does prediction: the speech of a longer recording is read in windows of the same
    length, each normalised by the whole recording's level.

    Args:
        speech: the speech network, wav2vec 2.0 or another with convolutions and a transformer.
        hidden: width between the two linear layers.
        points: number of points: 468 or 478 of MediaPipe's face mesh, without and with the irises, or 68 of iBUG.
        reference: read the reference's lips.
        window: greatest number of frames that are read together, that of the training windows; None reads all.
        overlap: frames over which neighbouring windows are blended.

    Raises:
        ValueError: the number of points is another, the overlap is not less than half the window, or the speech network
            has no transformer.
    """

    def __init__(
        self,
        speech: Network,
        hidden: int = 512,
        points: int = MESH_POINTS,
        reference: bool = False,
        window: int | None = None,
        overlap: int = 0,
    ) -> None:
        super().__init__()
        if points not in (IBUG_POINTS, MESH_POINTS, MESH_POINTS + IRISES):
            raise ValueError(f"points is {points}, expected {IBUG_POINTS}, {MESH_POINTS} or {MESH_POINTS + IRISES}")
        if window is not None and not 0 <= 2 * overlap < window:
            raise ValueError(f"overlap is {overlap}, expected 0 to less than half of the window of {window}")
        if not isinstance(speech, SpeechFeatures) or not speech.has_transformer:
            raise ValueError(f"speech is a {type(speech).__name__}, expected one with convolutions and a transformer")
        self.speech: SpeechFeatures = speech
        self.points, self.window, self.overlap = points, window, overlap
        self.from_speech = nn.Linear(speech.out_dim, hidden)
        self.from_reference = nn.Linear(3 * LIP_POINTS, hidden, bias=False) if reference else None
        self.to_offsets = nn.Linear(hidden, 3 * points)
        nn.init.zeros_(self.to_offsets.weight)
        nn.init.zeros_(self.to_offsets.bias)

    def mark_trained(self) -> None:
        """Record, when a training begins, that the speech network is no longer random."""
        self.speech.mark_trained()

    def forward(
        self, waveform: Tensor, frames: int, reference_lips: Tensor | None = None, level: Tensor | None = None
    ) -> Tensor:
        """Offsets (B, T, points, 3) for speech.

        Args:
            waveform: 16 kHz mono, (B, S).
            frames: number T of frames of the speech.
            reference_lips: (B, 20, 3) canonical lips of any frame of the speaker; required by `reference`.
            level: mean and variance (B, 2) of the recordings that the waveforms are pieces of; None: their own.
        """
        return self.offsets(normalised(waveform, level), frames, reference_lips)

    def offsets(self, waveform: Tensor, frames: int, reference_lips: Tensor | None = None) -> Tensor:
        """Offsets for a waveform that is already normalised."""
        features = self.speech.convolved(waveform)
        features = F.interpolate(features, size=frames, mode="linear", align_corners=True)
        hidden = self.from_speech(self.speech.transformed(features.transpose(1, 2)))
        if self.from_reference is not None:
            if reference_lips is None:
                raise ValueError("no lips of the reference are given, which this network reads (reference: true)")
            hidden = hidden + self.from_reference(reference_lips.flatten(1))[:, None]
        return self.to_offsets(hidden).unflatten(-1, (self.points, 3))

    def lips(self, waveform: Tensor, frames: int, reference_lips: Tensor) -> Tensor:
        """Canonical lips (B, T, 20, 3) for the speech (B, S) of whole recordings of any length.

        Args:
            waveform: 16 kHz mono, (B, S).
            frames: number T of frames of the speech.
            reference_lips: (B, 20, 3) canonical lips of any frame of the speaker.
        """
        waveform = normalised(waveform)
        if self.window is None or frames <= self.window:
            return reference_lips[:, None] + lips_of(self.offsets(waveform, frames, reference_lips))
        total = waveform.new_zeros(len(waveform), frames, LIP_POINTS, 3)
        weights = waveform.new_zeros(frames)
        for start in self._starts(frames):
            sound = waveform[:, start * SAMPLES_PER_FRAME : (start + self.window) * SAMPLES_PER_FRAME]
            weight = self._weight(waveform)
            offsets = lips_of(self.offsets(sound, self.window, reference_lips))
            total[:, start : start + self.window] += weight[:, None, None] * offsets
            weights[start : start + self.window] += weight
        return reference_lips[:, None] + total / weights[:, None, None]

    def _starts(self, frames: int) -> list[int]:
        """First frames of the windows; the last window ends with the recording."""
        assert self.window is not None
        return [*range(0, frames - self.window, self.window - self.overlap), frames - self.window]

    def _weight(self, like: Tensor) -> Tensor:
        """Weights (window,) of a window's frames: ramps over the overlap at both ends."""
        assert self.window is not None
        frame = torch.arange(self.window).to(like) + 1
        return torch.minimum(frame, frame.flip(0)).clamp(max=self.overlap + 1)


def lips_of(points: Tensor) -> Tensor:
    """The 20 lip points of iBUG among the points of a face or their offsets: (..., points, 3) to (..., 20, 3)."""
    if points.shape[-2] == IBUG_POINTS:
        return points[..., IBUG_POINTS - LIP_POINTS :, :]
    return points[..., list(MESH_LIPS), :]


def lips_of_mesh(mesh: Tensor) -> Tensor:
    """The 20 lip points of iBUG (48 to 67) among mesh points or their offsets: (..., points, 3) to (..., 20, 3)."""
    return lips_of(mesh)


def from_audio2mesh(
    folder: str, points: int = MESH_POINTS + IRISES, reference: bool = True, window: int | None = None, overlap: int = 0
) -> AudioToMesh:
    """An `AudioToMesh` that starts from AniPortrait's weights.

    Its offsets are in the metric frame of MediaPipe's canonical head (centimetres, y up, z towards the viewer); here
    they become outer-eye distances, y down, z away. Points that the public weights lack, such as the irises, start at
    offsets of zero, and so does the effect of the reference's lips. For the 68 points of iBUG only those of the lips
    are taken over.

    Args:
        folder: folder written by `s2tf import audio2mesh`, or `random` for untrained weights of the same sizes.
        points: number of points, see `AudioToMesh`.
        reference: read the reference's lips.
        window: greatest number of frames that are read together, that of the training windows.
        overlap: frames over which neighbouring windows are blended.
    """
    earlier = (
        AudioToMesh(Wav2Vec2Features("random", trainable=True))
        if folder == "random"
        else AudioToMesh.from_pretrained(folder)
    )
    hidden = earlier.from_speech.out_features
    network = AudioToMesh(earlier.speech, hidden, points, reference, window, overlap)
    network.from_speech = earlier.from_speech
    if network.from_reference is not None and folder != "random":
        nn.init.zeros_(network.from_reference.weight)
    with torch.no_grad():
        for name, units in (("weight", (3, 1)), ("bias", (3,))):
            ours, theirs = (getattr(one.to_offsets, name).data.unflatten(0, (-1, 3)) for one in (network, earlier))
            if points == IBUG_POINTS and earlier.points != points:
                ours[IBUG_POINTS - LIP_POINTS :] = (theirs * METRIC.view(units))[list(MESH_LIPS)]
            else:
                ours[: earlier.points] = (theirs * METRIC.view(units))[:points]
    return network
