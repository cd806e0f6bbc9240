"""Batches that the datamodules give to the stages: the contract between the two."""

from typing import TypedDict

from torch import Tensor


class SpeechPortraitBatch(TypedDict):
    """One speech window and one portrait of the same speaker, per row; for ConRe and SCFP."""

    key: list[str]
    """The samples' keys."""
    spectrogram: Tensor
    """(B, 2, T, F) power-law compressed STFT, real and imaginary part (`s2tf.media.audio`)."""
    waveform: Tensor
    """(B, S) 16 kHz mono in [-1, 1]; the same window as the spectrogram."""
    portrait: Tensor
    """(B, 3, H, W) in [-1, 1]."""
    identity: Tensor
    """(B,) int64, stable hash of the speaker's name: equal for the same speaker."""
    gender: Tensor
    """(B,) int64: 0 female, 1 male, -1 unknown."""
    age: Tensor
    """(B,) float32 years, NaN where unknown."""


class FramePairBatch(TypedDict):
    """Two frames of one clip, per row; for the motion autoencoder (source I_s, target I_t of Eq. 11)."""

    key: list[str]
    source: Tensor
    """(B, 3, S, S) in [-1, 1] at the autoencoder's input size."""
    target: Tensor
    """(B, 3, S, S) in [-1, 1], the frame to reconstruct, at the input size."""
    target_output: Tensor
    """(B, 3, R, R) in [-1, 1], the same frame at the decoder's output size."""
    source_output: Tensor
    """(B, 3, R, R) in [-1, 1], the source at the output size: the source copy, a baseline."""
    source_lips: Tensor
    """(B, 20, D) canonical lip landmarks: D = 2 (`s2tf.faces.lips`), or 3 in space (`s2tf.faces.head`)."""
    target_lips: Tensor
    """(B, 20, D)."""
    source_eyes: Tensor
    """(B, 12, D) canonical eye landmarks."""
    target_eyes: Tensor
    """(B, 12, D)."""
    source_placement: Tensor
    """(B, 4) centre x, centre y, log scale, roll of the canonical frame in the picture; in space also yaw and pitch."""
    target_placement: Tensor
    """(B, 4), or (B, 6) in space."""


class MotionSequenceBatch(TypedDict):
    """A window of consecutive frames with its speech, per row; for lip landmarks and motion diffusion."""

    key: list[str]
    waveform: Tensor
    """(B, T * 640) 16 kHz mono in [-1, 1]: exactly as long as T frames at 25 a second."""
    level: Tensor
    """(B, 2) mean and variance of the whole recording's sound; only if the datamodule has `level: recording`."""
    length: Tensor
    """(B,) int64 number of frames that the clip has: what stands behind them is padding, see `s2tf.stages.padding`."""
    lips: Tensor
    """(B, T, 20, D) canonical lip landmarks: D = 2 (`s2tf.faces.lips`), or 3 in space (`s2tf.faces.head`)."""
    reference_lips: Tensor
    """(B, 20, D) canonical lip landmarks of a random frame of the same clip."""
    face: Tensor
    """(B, T, P, 3) all points of the face in the frame of its head; only if the datamodule has `points`."""
    reference_face: Tensor
    """(B, P, 3) the points of the reference's frame."""
    motion: Tensor
    """(B, T, m) motion codes z_m; present only if the shards hold them (`motion.npy`)."""
    features: Tensor
    """(B, 2 T, C) speech features computed on the whole clip; present only if the datamodule has `features: true`."""


class FrameBatch(TypedDict):
    """One frame per row; for the codebook and its high-resolution decoder."""

    key: list[str]
    picture: Tensor
    """(B, 3, R, R) in [-1, 1]."""


class LipSyncBatch(TypedDict):
    """K windows of one clip, 0.2 s of lips and speech each, per row; for SyncNet.

    A row's windows are at different times: the speech of one window is out of sync with the lips of another, but
    speaker, voice and picture are the same.
    """

    key: list[str]
    lips: Tensor
    """(B, K, 3, 5, S, S) in BGR from 0 to 255: five consecutive frames."""
    mfcc: Tensor
    """(B, K, 1, 13, 20) cepstral coefficients of the same windows (`s2tf.media.mfcc`)."""


class Clip(TypedDict):
    """The beginning of one clip, for previews; not a batch."""

    key: str
    frames: Tensor
    """(T, 3, H, W) in [-1, 1], 25 a second."""
    waveform: Tensor
    """(T * 640,) 16 kHz mono in [-1, 1]; silence where the clip has no sound."""
