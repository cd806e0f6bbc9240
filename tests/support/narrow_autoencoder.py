"""The motion autoencoder's networks, as narrow as they can be."""

import torch

from s2tf.models.codebook_generator import CodebookGenerator
from s2tf.models.codeformer import CodeFormer, CodePredictor, FaceCodeEncoder
from s2tf.models.flow_generator import FlowGenerator
from s2tf.models.hd_decoder import CodebookDecoder, RGBDecoder
from s2tf.models.image_encoder import ImageEncoder
from s2tf.models.lip_refiner import LipGuider, LipRefiner
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.models.motion_encoder import IdentityEncoder, MotionEncoder
from s2tf.models.motion_reader import MotionReader
from s2tf.nn.network import Network

NARROW = {"channel_base": 128, "channel_max": 16}


LATENT, MOTION = 16, 4


def narrow_parts(
    size: int = 16, codebook: bool = True, space: bool = False, codes: int = 16
) -> dict[str, Network | None]:
    """By the names of `MotionAutoencoder`'s arguments; the codebook is for pictures of 16 pixels, 32 out."""
    return {
        "image_encoder": ImageEncoder(size, LATENT, **NARROW),
        "identity_encoder": IdentityEncoder(LATENT, 1),
        "motion_encoder": MotionEncoder(LATENT, MOTION, 2),
        "flow_generator": FlowGenerator(size, LATENT, MOTION, **NARROW),
        "decoder": RGBDecoder(size, **NARROW),
        "motion_reader": MotionReader(LATENT, MOTION, 16, space=space),
        "lip_refiner": LipRefiner(LipGuider(size, 8, 16, 4, 16), **NARROW, hidden=8),
        "codebook": CodebookDecoder(16, 32, 8, codes, 8, (16, 8, 8), 1, **NARROW, image_skip=True)
        if codebook
        else None,
    }


def narrow_autoencoder(
    size: int = 16, codebook: bool = True, space: bool = False, codes: int = 16
) -> MotionAutoencoder:
    """All of them together."""
    return MotionAutoencoder(**narrow_parts(size, codebook, space, codes))


def narrow_codeformer() -> CodeFormer:
    """CodeFormer with 12 codes of length 8 at 8 x 8 places, which its predictor tells apart."""
    torch.manual_seed(7)
    generator = CodebookGenerator(8, 32, 8, (16, 8, 4), 1, ((16, 8), (32, 4)))
    predictor = CodePredictor(8, 64, 12, 16, 2, 2, 32)
    torch.nn.init.normal_(predictor.positions)
    return CodeFormer(FaceCodeEncoder(32, 8, (4, 8, 16), 1), predictor, generator, 12, 8).eval()
