"""LIA's generator (Wang et al., ICLR 2022), 256 px: image encoder, motion head, flow generator and colour decoder.

Its public weights were trained with another sampling grid (`WarpConvention`) and with an activation in the layers to
colours. Both are arguments of our networks and are set here.
"""

from pathlib import Path

from s2tf.importers.mapping import Imported, load_mapped, read_state
from s2tf.models.flow_generator import FlowGenerator
from s2tf.models.hd_decoder import RGBDecoder
from s2tf.models.image_encoder import ImageEncoder
from s2tf.models.motion_encoder import MotionEncoder
from s2tf.nn.network import Network

KEY = "gen"
"""Key of the generator in the public checkpoint, vox.pt."""
SIZE, LATENT_DIM, MOTION_DIM = 256, 512, 20
SCALES = 6
"""Feature maps of sides 8 to 256."""
UNUSED = {
    "kernel": "the blur (1, 3, 3, 1), which ours computes",
    "noise.weight": "LIA gives its noise layers no noise",
    "dec.to_rgb1.": "LIA never calls the layer to colours at 4 × 4",
}


def import_lia(path: str | Path) -> Imported:
    """Build the parts with the weights of a file, by the names that the motion autoencoder gives them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not LIA's generator; the first tensors that differ are named.
    """
    parts: dict[str, Network] = {
        "image_encoder": ImageEncoder(SIZE, LATENT_DIM),
        "motion_encoder": MotionEncoder(LATENT_DIM, MOTION_DIM, layers=5, linear=True),
        "flow_generator": FlowGenerator(SIZE, LATENT_DIM, MOTION_DIM, convention="lia"),
        "decoder": RGBDecoder(SIZE, activated=True),
    }
    unused = load_mapped(parts, read_state(path, KEY), names(), UNUSED, str(path))
    return Imported(parts, unused)


def names() -> dict[str, str]:
    """The map of our names to LIA's."""
    encoder = {
        "from_rgb.0.weight": "convs.0.0.weight",
        "from_rgb.1.bias": "convs.0.1.bias",
        "to_latent.weight": f"convs.{SCALES + 1}.weight",
    }
    for block in range(SCALES):
        for name in ("conv1.0.weight", "conv1.1.bias", "conv2.1.weight", "conv2.2.bias", "skip.1.weight"):
            encoder[f"blocks.{block}.{name}"] = f"convs.{block + 1}.{name}"
    # The image encoder and the motion head are "enc" of theirs, the flow generator and the decoder "dec".
    found = {f"image_encoder.{ours}": f"enc.net_app.{theirs}" for ours, theirs in encoder.items()}
    for layer in range(5):
        for value in ("weight", "bias"):
            found[f"motion_encoder.layers.{layer}.{value}"] = f"enc.fc.{layer}.{value}"
    flow = {"directions.weight": "direction.weight", "constant": "input.input"} | _styled("first", "conv1")
    # Per scale, the flow generator has two styled convolutions and a layer to flows.
    for scale in range(SCALES):
        flow |= _styled(f"ups.{scale}", f"convs.{2 * scale}") | _styled(f"convs.{scale}", f"convs.{2 * scale + 1}")
        flow |= {
            f"to_flows.{scale}.{name}": f"to_flows.{scale}.{name}"
            for name in ("conv.weight", "conv.modulation.weight", "conv.modulation.bias", "bias")
        }
    found |= {f"flow_generator.{ours}": f"dec.{theirs}" for ours, theirs in flow.items()}
    for scale in range(SCALES):
        found[f"decoder.to_rgb.{scale}.layer.0.weight"] = f"dec.to_rgbs.{scale}.conv.0.weight"
        found[f"decoder.to_rgb.{scale}.layer.1.bias"] = f"dec.to_rgbs.{scale}.conv.1.bias"
        found[f"decoder.to_rgb.{scale}.bias"] = f"dec.to_rgbs.{scale}.bias"
    return found


def _styled(ours: str, theirs: str) -> dict[str, str]:
    """Names of a styled convolution's tensors."""
    return {
        f"{ours}.conv.weight": f"{theirs}.conv.weight",
        f"{ours}.conv.modulation.weight": f"{theirs}.conv.modulation.weight",
        f"{ours}.conv.modulation.bias": f"{theirs}.conv.modulation.bias",
        f"{ours}.activation.bias": f"{theirs}.activate.bias",
    }
