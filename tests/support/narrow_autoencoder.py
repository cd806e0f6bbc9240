"""The motion autoencoder's networks, as narrow as they can be."""

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


def narrow_parts(size: int = 16, codebook: bool = True, space: bool = False) -> dict[str, Network | None]:
    """By the names of `MotionAutoencoder`'s arguments; the codebook is for pictures of 16 pixels, 32 out."""
    return {
        "image_encoder": ImageEncoder(size, LATENT, **NARROW),
        "identity_encoder": IdentityEncoder(LATENT, 1),
        "motion_encoder": MotionEncoder(LATENT, MOTION, 2),
        "flow_generator": FlowGenerator(size, LATENT, MOTION, **NARROW),
        "decoder": RGBDecoder(size, **NARROW),
        "motion_reader": MotionReader(LATENT, MOTION, 16, space=space),
        "lip_refiner": LipRefiner(LipGuider(size, 8, 16, 4, 16), **NARROW, hidden=8),
        "codebook": CodebookDecoder(16, 32, 8, 16, 8, (16, 8, 8), 1, **NARROW, image_skip=True) if codebook else None,
    }


def narrow_autoencoder(size: int = 16, codebook: bool = True, space: bool = False) -> MotionAutoencoder:
    """All of them together."""
    return MotionAutoencoder(**narrow_parts(size, codebook, space))
