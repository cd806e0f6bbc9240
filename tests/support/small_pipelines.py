"""Pipelines of random weights, as narrow as they go."""

import numpy as np
import torch
from narrow_autoencoder import MOTION, narrow_autoencoder

from s2tf.diffusion.motion_diffusion import MotionDiffusion
from s2tf.diffusion.portrait_diffusion import PortraitDiffusion
from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.face_prior import FacePrior
from s2tf.models.lip_landmarks import LipLandmarks
from s2tf.models.log_mel_features import LogMelFeatures
from s2tf.models.motion_statistics import MotionStatistics
from s2tf.models.motion_unet import MotionUNet
from s2tf.models.portrait_unet import PortraitUNet
from s2tf.models.prior_weighting import SampleAdaptiveWeighting
from s2tf.models.speech_encoder import SpeechEncoder
from s2tf.pipelines.portrait import PortraitPipeline, PortraitSettings
from s2tf.pipelines.talking_face import TalkingFacePipeline, TalkingSettings

DIM = 16


def small_portrait_pipeline() -> PortraitPipeline:
    """A first stage."""
    torch.manual_seed(3)
    prior = FacePrior(dim=DIM, n=2)
    prior.z_p.normal_()
    prior.scale.fill_(1.5)
    unet = PortraitUNet(
        (4, 2, 2), DIM, channels=(8, 8), layers_per_block=1, heads=2, tokens=4, context_dim=8, norm_groups=4
    )
    return PortraitPipeline(
        speech_encoder=SpeechEncoder(dim=DIM, width=1 / 64, hidden=8),
        portrait_diffusion=PortraitDiffusion(unet, SampleAdaptiveWeighting(DIM), prior, train_steps=50),
        face_decoder=FaceDecoder(dim=DIM, width=1 / 32, image_size=32),
        portrait_settings=PortraitSettings(seconds=3.0, steps=3),
    )


def small_talking_face_pipeline() -> TalkingFacePipeline:
    """A second stage, whose diffusion has seen some motion."""
    torch.manual_seed(4)
    statistics = MotionStatistics(MOTION)
    statistics.fit([torch.randn(2, 50, MOTION)])
    unet = MotionUNet(MOTION, 8, [16, 24], 1, [], 24, 16, dropout=0.0)
    return TalkingFacePipeline(
        narrow_autoencoder(codebook=False),
        LogMelFeatures(8),
        LipLandmarks(8, 16),
        LogMelFeatures(8),
        MotionDiffusion(unet, statistics, train_steps=50, window=12, overlap=4),
        TalkingSettings(steps=3, batch=4),
    )


def coloured_noise(seconds: float = 4.0) -> np.ndarray:
    """Sound at 16 kHz."""
    rng = np.random.default_rng(0)
    return (0.1 * np.cumsum(rng.normal(size=round(16000 * seconds))) / 100).clip(-1, 1).astype(np.float32)
