import numpy as np
import pytest
import torch

from s2tf.diffusion.portrait_diffusion import PortraitDiffusion
from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.face_prior import FacePrior
from s2tf.models.portrait_unet import PortraitUNet
from s2tf.models.prior_weighting import SampleAdaptiveWeighting
from s2tf.models.speech_encoder import SpeechEncoder
from s2tf.pipelines.portrait import PortraitPipeline, PortraitSettings

DIM = 16


@pytest.fixture
def portrait_pipeline() -> PortraitPipeline:
    """A first stage of random weights, as narrow as it goes."""
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


@pytest.fixture
def speech() -> np.ndarray:
    """Four seconds of coloured noise at 16 kHz."""
    rng = np.random.default_rng(0)
    return (0.1 * np.cumsum(rng.normal(size=64000)) / 100).clip(-1, 1).astype(np.float32)
