"""The stages of portraits at tiny width, and batches for them."""

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from s2tf.diffusion.portrait_diffusion import PortraitDiffusion
from s2tf.losses.contrastive import ContrastiveLoss
from s2tf.losses.perceptual import PerceptualLoss
from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.face_encoder import FaceEncoder
from s2tf.models.face_prior import FacePrior
from s2tf.models.portrait_unet import PortraitUNet
from s2tf.models.prior_weighting import SampleAdaptiveWeighting
from s2tf.models.speech_encoder import SpeechEncoder
from s2tf.stages.conre import ConReStage
from s2tf.stages.scfp import SCFPStage

D = 64
ROWS = 4


def encoders():
    return {
        "speech_encoder": SpeechEncoder(D, 1.0, 16, 257, (4, 6, 8), (4, 2, 2), (2, 2, 2), pooled=(), dropout=0.2),
        "face_encoder": FaceEncoder(D, 1 / 16, 64, hidden=16, pooled=2, norm="group"),
        "face_decoder": FaceDecoder(D, 1 / 16, 64, norm="group"),
    }


def conre_stage(**arguments):
    torch.manual_seed(0)
    losses = {"contrastive": ContrastiveLoss(), "perceptual": PerceptualLoss("random")}
    return ConReStage(**{**encoders(), **losses, "face_learning_rate": 1e-3, **arguments})


def scfp_stage(**arguments):
    torch.manual_seed(0)
    unet = PortraitUNet((4, 4, 4), D, (8, 16), layers_per_block=1, heads=2, tokens=4, context_dim=8, norm_groups=4)
    prior = FacePrior(D, n=2)
    prior.z_p.normal_()
    diffusion = PortraitDiffusion(unet, SampleAdaptiveWeighting(D), prior, train_steps=50)
    return SCFPStage(**{**encoders(), "diffusion": diffusion, "learning_rate": 1e-3, **arguments})


def batches(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        {
            "key": [f"{i}-{row}" for row in range(ROWS)],
            "spectrogram": torch.randn(ROWS, 2, 98, 257, generator=generator),
            "portrait": torch.rand(ROWS, 3, 64, 64, generator=generator) * 2 - 1,
            "identity": torch.arange(ROWS),
        }
        for i in range(count)
    ]


def loader(data):
    return DataLoader(data, batch_size=None, num_workers=0)


def trainer(folder, steps, *callbacks, **arguments):
    return L.Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=steps,
        default_root_dir=folder,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **arguments,
    )


FILTERS = [
    # Raised within Lightning by newer releases of torch.
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    # Frozen parts are in evaluation mode on purpose.
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training"),
    # The tests give the resumed training the batches that are left.
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no"),
]
