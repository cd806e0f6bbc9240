"""Perceptual loss on a pyramid of VGG19 features (Eq. 16 of the paper)."""

from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from s2tf.nn.network import Network

BLOCKS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512, 512, 512, 512))
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
RANDOM_SEED = 19
"""Seed of random features, fixed because they define the loss."""


class VGGPyramid(Network):
    """The loss L_vgg: the sum over layers and scales of the L1 distance between VGG19 features.

    The features are those behind relu1_1, relu2_1, ..., relu5_1; the scales halve the pictures by averaging.

    Args:
        weights: path of torchvision's VGG19 state dict (.pth or .safetensors), or "random" for random weights.
        layers: number of features that are used, counted from the first of the five.
        scales: number of scales: 1 is full size only, 2 adds half size, ...
        width: share of VGG19's channels; other than 1 only with random weights.

    Raises:
        FileNotFoundError: the file of weights is missing.
        ValueError: a number is out of its range, or the width of given weights is not 1.

    Example:
        >>> loss, picture = VGGPyramid("random", layers=2, scales=1, width=0.1), torch.zeros(1, 3, 16, 16)
        >>> loss(picture, picture).item()
        0.0
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: str, layers: int = 5, scales: int = 4, width: float = 1.0) -> None:
        super().__init__()
        if not 1 <= layers <= len(BLOCKS):
            raise ValueError(f"VGG pyramid: layers is {layers}, expected 1 to {len(BLOCKS)}")
        if scales < 1:
            raise ValueError(f"VGG pyramid: scales is {scales}, expected at least 1")
        self.scales = scales
        self.is_random = weights == "random"
        """True for features of random weights: usable as a loss, not as a metric."""
        self.slices = nn.ModuleList(_slices(layers, width))
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        if self.is_random:
            self._sample_weights()
        elif width != 1:
            raise ValueError(f"VGG pyramid: width is {width}, expected 1 where weights are given")
        else:
            self._load(Path(weights))
        self.requires_grad_(False)

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Compare (B, 3, H, W) pictures in [-1, 1]; the gradient goes to `image` only. Returns a scalar."""
        loss = image.new_zeros(())
        for scale in range(self.scales):
            if scale > 0:
                image, target = F.avg_pool2d(image, 2), F.avg_pool2d(target, 2)
            with torch.no_grad():
                wanted = self.features(target)
            for found, expected in zip(self.features(image), wanted, strict=True):
                loss = loss + F.l1_loss(found, expected)
        return loss

    def features(self, image: Tensor) -> list[Tensor]:
        """The features F_n of (B, 3, H, W) pictures in [-1, 1]."""
        x = ((image + 1) / 2 - self.mean) / self.std
        features = []
        for part in self.slices:
            x = part(x)
            features.append(x)
        return features

    def _sample_weights(self) -> None:
        generator = torch.Generator().manual_seed(RANDOM_SEED)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                fan_in = layer.weight[0].numel()
                weights = torch.randn(layer.weight.shape, generator=generator) * (2 / fan_in) ** 0.5
                with torch.no_grad():
                    layer.weight.copy_(weights)
                    layer.bias.zero_()

    def _load(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(
                f"VGG pyramid: weights is {str(path)!r}, which is not a file: save torchvision's VGG19 "
                "(`torchvision.models.vgg19(weights='DEFAULT').state_dict()`) there, or give `weights: random`"
            )
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
        convolutions = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        names = [name for name in state if name.startswith("features.") and name.endswith(".weight")]
        if len(names) < len(convolutions):
            raise ValueError(f"{path}: {len(names)} convolutions `features.N.weight`, expected VGG19's 16")
        for module, name in zip(convolutions, names, strict=False):
            module.load_state_dict({"weight": state[name], "bias": state[name.removesuffix("weight") + "bias"]})


def _slices(layers: int, width: float) -> list[nn.Sequential]:
    """VGG19's layers up to relu{layers}_1, cut behind each relu_n_1."""
    slices: list[list[nn.Module]] = [[]]
    channels = 3
    for block, widths in enumerate(BLOCKS[:layers]):
        if block > 0:
            slices[-1].append(nn.MaxPool2d(2))
        for index, wide in enumerate(widths):
            out = max(1, round(wide * width))
            slices[-1] += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
            channels = out
            if index == 0:
                slices.append([])
    return [nn.Sequential(*layers_) for layers_ in slices[:layers]]
