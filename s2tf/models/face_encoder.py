"""The face encoder E_f: VGGFace's VGG16 up to the embedding (section III-A.3 of the paper)."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
import torch.nn as nn
from torch import Tensor

from s2tf.nn.convolution import Norm, initialise_relu_network, make_norm, scaled_channels
from s2tf.nn.network import Network
from s2tf.nn.weight_files import check_finite, read_tensors

Form = Literal["fc7", "spatial"]
ChannelOrder = Literal["rgb", "bgr"]
FeaturePlace = Literal["before_relu", "after_relu"]
CHANNEL_ORDERS: tuple[ChannelOrder, ...] = get_args(ChannelOrder)
FEATURE_PLACES: tuple[FeaturePlace, ...] = get_args(FeaturePlace)

VGG_CHANNELS = (64, 128, 256, 512, 512)
"""Channels of VGG16's five blocks."""
VGG_DEPTHS = (2, 2, 3, 3, 3)
"""Convolutions in each of VGG16's five blocks."""
SPATIAL_BLOCKS = 4
"""Blocks of the spatial form; the last does not halve, so that the map has an eighth of the picture's side."""
SPATIAL_CHANNELS = 4
MEAN_RGB = (129.1863, 104.7624, 93.5940)
"""VGGFace's mean colour, on the scale 0 to 255."""
INPUT_SCALE = 128.0
"""Divisor of the inputs; the first pretrained weights are multiplied by it: the same function, better conditioned."""


class FaceEncoder(Network):
    """Encodes a portrait into a face embedding z.

    `fc7` is the paper's form: 13 convolutions, fc6 and fc7. E_f ends before the ReLU of fc7, since a one-sided, sparse
    latent would be far from the Gaussian of diffusion; a comparison of faces by VGGFace reads the input of its
    classifier, after that ReLU (`s2tf.faces.features.NetworkFeatures.vggface`). Pictures of any size enter the
    convolutions uncropped, and the last map is averaged to `pooled` × `pooled` (7 in VGGFace).
    `spatial` ends in a convolutional latent (4, S/8, S/8) from the first four blocks, flattened to d.

    `shortcut` is not in the paper: a linear map of the shrunken picture, added to z. With the decoder's shortcut it is
    a linear autoencoder that the convolutions correct. Aligned faces are nearly a linear family: after a few hundred
    steps this map is sharp, while VGG16 from random weights still gives a blur.
    """

    mean: Tensor

    def __init__(
        self,
        dim: int = 4096,
        width: float = 1.0,
        image_size: int = 256,
        form: Form = "fc7",
        hidden: int = 4096,
        pooled: int = 7,
        norm: Norm = "none",
        weights: str = "random",
        depths: Sequence[int] = VGG_DEPTHS,
        halvings: int = len(VGG_CHANNELS),
        shortcut: int = 0,
        channel_order: ChannelOrder = "rgb",
        feature: FeaturePlace = "before_relu",
    ) -> None:
        """Build the encoder.

        Args:
            dim: size d of the embedding.
            width: factor on VGG16's channels.
            image_size: side S of the portraits in pixels.
            form: `fc7` or `spatial`, see the class.
            hidden: width of fc6.
            pooled: side of the map that fc6 reads.
            norm: normalisation after each convolution; VGGFace has `none`.
            weights: path of VGGFace weights (state dict with the names conv1_1 ... fc7), or `random`. A network that
                was trained or loaded records `saved`: its weights are stored with it.
            depths: convolutions in each of the five blocks; VGG16's are (2, 2, 3, 3, 3).
            halvings: number of blocks, from the first, that end in a max-pool. VGG16's five leave 8 × 8 of 256 px;
                three leave 8 × 8 of 64 px, so that the fully connected layers still see places in small pictures.
                The spatial form has three.
            shortcut: side of the shrunken picture that a linear map adds to z; 0 for none.
            channel_order: order in which the convolutions see the picture's channels. `vgg_face_dag.pth` wants `rgb`:
                its author's own evaluation (`lfw_eval.py` of pytorch-benchmarks) shows it RGB, as the demo of the
                MatConvNet file does from which it was converted; VGGFace for Caffe and Torch wants `bgr`. A stored
                network, or an experiment, that names none is of an earlier version, which always showed `bgr`
                (`s2tf.nn.earlier`).
            feature: `before_relu` or `after_relu` of fc7.

        Raises:
            FileNotFoundError: `weights` names a file that does not exist.
            ValueError: sizes or weights do not fit each other.
        """
        super().__init__()
        self.dim, self.form = dim, form
        _check_input_and_output(form, channel_order, feature)
        self.channel_order, self.feature = channel_order, feature
        channels = vgg_blocks(form, width, depths)
        mean = MEAN_RGB if channel_order == "rgb" else MEAN_RGB[::-1]
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1), persistent=False)
        self.convolutions = _convolutions(channels, norm, block_halvings(form, halvings))
        last = channels[-1][0]
        if form == "fc7":
            self.pool: nn.Module = nn.AdaptiveAvgPool2d(pooled)
            self.fc6 = nn.Linear(last * pooled * pooled, hidden)
            self.fc7 = nn.Linear(hidden, dim)
        elif form == "spatial":
            _check_spatial(dim, image_size)
            self.to_latent = nn.Conv2d(last, SPATIAL_CHANNELS, 3, padding=1)
        else:
            raise ValueError(f"form is {form!r}, expected 'fc7' or 'spatial'")
        initialise_relu_network(self)
        self.shortcut = Shortcut(shortcut, dim) if shortcut else None
        if weights not in ("random", "saved"):
            load_vggface(self, weights)
            self.mark_trained()

    @property
    def is_random(self) -> bool:
        """True if the weights are neither pretrained nor trained."""
        return self.init_args["weights"] == "random"

    def mark_trained(self) -> None:
        """Record that the weights are no longer those of the constructor; called by the stage that trains them."""
        self.init_args["weights"] = "saved"

    def forward(self, portrait: Tensor) -> Tensor:
        """Embed portraits.

        Args:
            portrait: RGB in [-1, 1], shape (B, 3, S, S).

        Returns:
            z, shape (B, dim).
        """
        ordered = portrait if self.channel_order == "rgb" else portrait.flip(1)
        normalised = ((ordered + 1) * 127.5 - self.mean) / INPUT_SCALE
        # Convolutions of few channels run nearly twice as fast on a CPU in this layout.
        features = self.convolutions(normalised.contiguous(memory_format=torch.channels_last))
        z = self._embedding(features)
        return z if self.shortcut is None else z + self.shortcut(portrait)

    def _embedding(self, features: Tensor) -> Tensor:
        if self.form == "spatial":
            return self.to_latent(features).flatten(1)
        z = self.fc7(torch.relu(self.fc6(self.pool(features).flatten(1))))
        return torch.relu(z) if self.feature == "after_relu" else z


class Shortcut(nn.Module):
    """A linear map of a shrunken picture: (B, 3, S, S) to (B, d)."""

    def __init__(self, side: int, dim: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(side)
        self.linear = nn.Linear(3 * side * side, dim)

    def forward(self, portrait: Tensor) -> Tensor:
        """Map pictures to the embedding's space."""
        return self.linear(self.pool(portrait).flatten(1))


def vgg_blocks(form: Form, width: float, depths: Sequence[int]) -> list[tuple[int, int]]:
    """Channels and number of convolutions of each block that a form of the latent uses.

    Raises:
        ValueError: `depths` are not five positive numbers.
    """
    if len(depths) != len(VGG_CHANNELS) or min(depths) < 1:
        raise ValueError(f"depths is {list(depths)}, expected {len(VGG_CHANNELS)} positive numbers, one per block")
    channels = [scaled_channels(count, width) for count in VGG_CHANNELS]
    return list(zip(channels, depths, strict=True))[: SPATIAL_BLOCKS if form == "spatial" else None]


def block_halvings(form: Form, halvings: int) -> int:
    """The number of blocks of a form that halve the side.

    Raises:
        ValueError: the form has fewer blocks.
    """
    if not 0 <= halvings <= len(VGG_CHANNELS):
        raise ValueError(f"halvings is {halvings}, expected 0 to {len(VGG_CHANNELS)}, the number of blocks")
    return SPATIAL_BLOCKS - 1 if form == "spatial" else halvings


def load_vggface(encoder: FaceEncoder, weights: str) -> None:
    """Fill `encoder` with VGGFace weights by the public names conv1_1 ... conv5_3, fc6, fc7.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: tensors are missing or of another shape; the message names the first ones.
    """
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f"face_encoder.weights is {weights!r}, which does not exist: give the path of the VGGFace VGG16 weights "
            "(vgg_face_dag.pth, from the page of the VGG Face model), or 'random'"
        )
    state = read_tensors(weights)
    check_finite(state, weights)
    # Compare names and shapes in both directions before anything is copied.
    targets = _vgg_names(encoder)
    wrong = [
        f"{name} {tuple(state[name].shape) if name in state else 'missing'}, expected {tuple(target.shape)}"
        for name, target in targets.items()
        if name not in state or state[name].shape != target.shape
    ]
    # The spatial form ends before the fully connected layers; the classifier of 2622 people is never used.
    ours = ("conv", "fc6.", "fc7.", "fc8.")
    wrong += [
        f"{name} {tuple(getattr(value, 'shape', ()))}, which VGGFace does not have"
        for name, value in state.items()
        if not name.startswith(ours)
    ]
    if wrong:
        raise ValueError(f"{weights} does not fit face_encoder: {'; '.join(wrong[:3])}")
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(state[name] * (INPUT_SCALE if name == "conv1_1.weight" else 1.0))


def _vgg_names(encoder: FaceEncoder) -> dict[str, Tensor]:
    parameters = {
        key.removeprefix("convolutions."): value
        for key, value in encoder.named_parameters()
        if not key.startswith(("to_latent.", "shortcut.")) and ".norm" not in key
    }
    return {key: value for key, value in parameters.items() if not key.startswith("norm")}


def _convolutions(channels: list[tuple[int, int]], norm: Norm, halvings: int) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    c_in = 3
    for block, (c_out, count) in enumerate(channels, start=1):
        for index in range(1, count + 1):
            layers[f"conv{block}_{index}"] = nn.Conv2d(c_in, c_out, 3, padding=1)
            layers[f"norm{block}_{index}"] = make_norm(norm, c_out)
            layers[f"relu{block}_{index}"] = nn.ReLU(inplace=True)
            c_in = c_out
        if block <= halvings:
            layers[f"pool{block}"] = nn.MaxPool2d(2)
    return nn.Sequential(layers)


def _check_input_and_output(form: Form, channel_order: str, feature: str) -> None:
    for name, value, known in (
        ("channel_order", channel_order, CHANNEL_ORDERS),
        ("feature", feature, FEATURE_PLACES),
    ):
        if value not in known:
            raise ValueError(f"{name} is {value!r}, expected {' or '.join(map(repr, known))}")
    if form == "spatial" and feature == "after_relu":
        raise ValueError("feature is 'after_relu', expected 'before_relu': the spatial form has no fc7")


def _check_spatial(dim: int, image_size: int) -> None:
    side = image_size // 2 ** (SPATIAL_BLOCKS - 1)
    if dim != SPATIAL_CHANNELS * side * side:
        raise ValueError(
            f"dim is {dim}, expected {SPATIAL_CHANNELS * side * side}: the spatial form of {image_size} px pictures "
            f"is ({SPATIAL_CHANNELS}, {side}, {side})"
        )
