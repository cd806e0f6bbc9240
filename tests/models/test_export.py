"""Every network exports with `torch.export`, the whole of it as one graph, and computes the same."""

import importlib
import inspect
import pkgutil

import pytest
import torch
from narrow_autoencoder import NARROW, narrow_autoencoder, narrow_parts
from small_networks import TINY_TRANSFORMER
from torch.utils._pytree import tree_leaves

import s2tf.models
from s2tf.models.audio_to_mesh import AudioToMesh
from s2tf.models.codebook_generator import CodebookGenerator
from s2tf.models.codeformer import CodeFormer, CodePredictor, FaceCodeEncoder
from s2tf.models.discriminator import Discriminator
from s2tf.models.face_decoder import FaceDecoder
from s2tf.models.face_encoder import FaceEncoder
from s2tf.models.lip_landmarks import LipLandmarks
from s2tf.models.log_mel_features import LogMelFeatures
from s2tf.models.log_mel_transformer import LogMelTransformer
from s2tf.models.motion_unet import MotionUNet
from s2tf.models.patch_discriminator import PatchDiscriminator
from s2tf.models.portrait_unet import PortraitUNet
from s2tf.models.pretrained_speech import HubertFeatures, Wav2Vec2Features
from s2tf.models.prior_weighting import (
    AttentionWeighting,
    NoPrior,
    ReplacedPrior,
    SampleAdaptiveWeighting,
    SampleEquivalentWeighting,
    SpeechPath,
)
from s2tf.models.speech_encoder import SpeechEncoder
from s2tf.models.syncnet import SyncNet
from s2tf.models.waveform_speech_encoder import WaveformSpeechEncoder
from s2tf.nn.network import Network

INTERFACES = {"PriorWeighting", "SpeechEmbedder", "SpeechFeatures", "_TransformerFeatures"}
RECORDS = {"FacePrior", "MotionStatistics"}
"""They hold numbers and compute nothing."""


def picture(side, count=1):
    return torch.rand(count, 3, side, side) * 2 - 1


def pyramid():
    return tuple(torch.randn(1, width, side, side) for width, side in ((16, 8), (8, 16)))


def codeformer():
    generator = CodebookGenerator(8, 32, 8, (16, 8, 4), 1, ((16, 8), (32, 4)))
    return CodeFormer(FaceCodeEncoder(32, 8, (4, 8, 16), 1), CodePredictor(8, 64, 12, 16, 2, 2, 32), generator, 12, 8)


def motion_unet():
    return MotionUNet(6, 8, [16, 24], 1, [1], 8, 24, 0.0)


def portrait_unet():
    return PortraitUNet((4, 2, 2), 16, (8, 8), layers_per_block=1, heads=2, tokens=4, context_dim=8, norm_groups=4)


def transformer(kind):
    return kind("random", config=TINY_TRANSFORMER)


VECTORS = (torch.rand(2, 16), torch.rand(16))
CASES = {
    "ImageEncoder": lambda: (narrow_parts()["image_encoder"], picture(16, 2)),
    "IdentityEncoder": lambda: (narrow_parts()["identity_encoder"], torch.rand(2, 16)),
    "MotionEncoder": lambda: (narrow_parts()["motion_encoder"], torch.rand(2, 16)),
    "FlowGenerator": lambda: (narrow_parts()["flow_generator"], torch.rand(1, 16), torch.rand(1, 4), pyramid()),
    "RGBDecoder": lambda: (narrow_parts()["decoder"], pyramid()),
    "MotionReader": lambda: (narrow_parts()["motion_reader"], torch.rand(2, 16), torch.rand(2, 4)),
    "LipGuider": lambda: (narrow_parts()["lip_refiner"].guider, torch.rand(1, 20, 2)),
    "LipRefiner": lambda: (narrow_parts()["lip_refiner"], pyramid(), torch.rand(1, 20, 2)),
    "CodebookDecoder": lambda: (narrow_parts()["codebook"], pyramid(), picture(16)),
    "CodebookGenerator": lambda: (codeformer().generator, torch.randn(1, 8, 8, 8), {16: torch.randn(1, 8, 16, 16)}),
    "MotionAutoencoder": lambda: (narrow_autoencoder(), picture(16), picture(16)),
    "CodeFormer": lambda: (codeformer(), picture(32)),
    "CodePredictor": lambda: (codeformer().predictor, torch.randn(1, 8, 8, 8)),
    "FaceCodeEncoder": lambda: (codeformer().encoder, picture(32)),
    "Discriminator": lambda: (Discriminator(16, **NARROW), picture(16, 2)),
    "PatchDiscriminator": lambda: (PatchDiscriminator(4), picture(16)),
    "SpeechEncoder": lambda: (SpeechEncoder(16, width=1 / 64, hidden=8), torch.randn(1, 2, 300, 257)),
    "WaveformSpeechEncoder": lambda: (
        WaveformSpeechEncoder("random", 16, 8, config=TINY_TRANSFORMER),
        torch.randn(1, 6400),
    ),
    "FaceEncoder": lambda: (FaceEncoder(16, width=1 / 32, hidden=8, pooled=1), picture(64)),
    "FaceDecoder": lambda: (FaceDecoder(16, width=1 / 32, image_size=64), torch.rand(1, 16)),
    "PortraitUNet": lambda: (portrait_unet(), torch.rand(1, 4, 2, 2), torch.tensor([3]), torch.rand(1, 16)),
    "NoPrior": lambda: (NoPrior(), *VECTORS),
    "SampleEquivalentWeighting": lambda: (SampleEquivalentWeighting(), *VECTORS),
    "SampleAdaptiveWeighting": lambda: (SampleAdaptiveWeighting(16), *VECTORS),
    "SpeechPath": lambda: (SpeechPath(16), *VECTORS),
    "ReplacedPrior": lambda: (ReplacedPrior(SampleEquivalentWeighting(), "ones"), *VECTORS),
    "AttentionWeighting": lambda: (AttentionWeighting(16), *VECTORS),
    "LipLandmarks": lambda: (LipLandmarks(8, 16, 2), torch.rand(1, 10, 8), torch.rand(1, 20, 2)),
    "MotionUNet": lambda: (motion_unet(), torch.randn(1, 9, 6), torch.tensor([3]), torch.randn(1, 18, 8)),
    "LogMelFeatures": lambda: (LogMelFeatures(8), torch.randn(1, 6400), 10),
    "LogMelTransformer": lambda: (LogMelTransformer(8, 1, 2, 4), torch.randn(1, 6400), 10),
    "HubertFeatures": lambda: (transformer(HubertFeatures), torch.randn(1, 6400), 10),
    "Wav2Vec2Features": lambda: (transformer(Wav2Vec2Features), torch.randn(1, 6400), 10),
    "SyncNet": lambda: (SyncNet(80, 0.1, 8), 255 * torch.rand(1, 3, 5, 80, 80), torch.randn(1, 1, 13, 20)),
    "AudioToMesh": lambda: (AudioToMesh(transformer(Wav2Vec2Features), 8, 468), torch.randn(1, 6400), 12),
}


@torch.no_grad()
@pytest.mark.slow
# Of transformers' own code.
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
@pytest.mark.filterwarnings("ignore:(?s)While compiling, we found certain side effects.*__import_transformers")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_network_exports_as_one_graph_and_computes_the_same(name):
    torch.manual_seed(0)
    network, *inputs = CASES[name]()
    assert type(network).__name__ == name
    network.eval()
    exported = torch.export.export(network, tuple(inputs), strict=True).module()
    for ours, theirs in zip(tree_leaves(exported(*inputs)), tree_leaves(network(*inputs)), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_no_network_is_forgotten():
    modules = [
        importlib.import_module(f"s2tf.models.{found.name}") for found in pkgutil.iter_modules(s2tf.models.__path__)
    ]
    names = {
        name
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Network) and value.__module__ == module.__name__
    }
    assert names == set(CASES) | INTERFACES | RECORDS
