"""Previews of clips through a motion autoencoder."""

import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.batches import Clip
from s2tf.models.motion_autoencoder import MotionAutoencoder, SourceFeatures
from s2tf.previews import SampleVideo

RENDERED_TOGETHER = 8
"""Number of frames that are rendered together, which bounds the memory."""


def resized(frames: Tensor, side: int) -> Tensor:
    """Frames (T, 3, H, H) resized to another side."""
    if frames.shape[-1] == side:
        return frames
    return F.interpolate(frames, (side, side), mode="bilinear", antialias=True)


def source_of(clip: Clip, autoencoder: MotionAutoencoder) -> SourceFeatures:
    """The features of a clip's first frame."""
    return autoencoder.encode_source(resized(clip["frames"][:1], autoencoder.input_size))


def codes_of(clip: Clip, autoencoder: MotionAutoencoder) -> Tensor:
    """Motion codes (T, m) of a clip's own frames."""
    frames = resized(clip["frames"], autoencoder.input_size).split(RENDERED_TOGETHER)
    return torch.cat([autoencoder.encode_motion(some) for some in frames])


def beside_truth(clip: Clip, autoencoder: MotionAutoencoder, codes: Tensor, name: str) -> SampleVideo:
    """Show a clip with its sound beside the video `name`: its first frame moved by codes (T, m)."""
    source = source_of(clip, autoencoder)
    rendered = [autoencoder.decode(source, some).image for some in codes.split(RENDERED_TOGETHER)]
    reference = resized(clip["frames"], autoencoder.output_size)
    return SampleVideo({"true": reference, name: torch.cat(rendered)}, clip["waveform"])
