"""The network of LPIPS (Zhang et al. 2018): heads from the package `lpips`, backbone from a local file."""

import warnings
from pathlib import Path
from typing import Any, Literal

import lpips
import torch
import torch.nn as nn

from s2tf.nn.weight_files import check_finite, read_tensors

Backbone = Literal["alex", "vgg"]
FILES = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}
"""torchvision's ImageNet weights of the backbones."""


def load_lpips(weights: str, backbone: Backbone) -> Any:
    """The network in evaluation mode and without gradients: pairs of pictures in [-1, 1] to (B, 1, 1, 1).

    Random backbones have a fixed seed, since a frozen network is not in the checkpoint and must be the same after a
    resume.

    Args:
        weights: path of torchvision's ImageNet weights of the backbone, or `random`.
        backbone: `alex` (AlexNet) or `vgg` (VGG16).

    Raises:
        FileNotFoundError: `weights` names a file that does not exist.
        ValueError: the file holds other weights.
    """
    if weights != "random" and not Path(weights).is_file():
        raise FileNotFoundError(
            f"perceptual.weights is {weights!r}, which does not exist: give the path of torchvision's "
            f"{FILES[backbone]}, or 'random'"
        )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        torch.manual_seed(0)
        # lpips passes an argument to torchvision that torchvision warns about.
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    if weights != "random":
        _load_backbone(network.net, weights)
    return network.requires_grad_(False).eval()


def _load_backbone(net: nn.Module, weights: str) -> None:
    # lpips cuts torchvision's `features` into slices but keeps the layers' numbers as names.
    state = read_tensors(weights)
    check_finite(state, weights)
    targets = dict(net.named_parameters())
    with torch.no_grad():
        for name, target in targets.items():
            source = state.get("features." + name.partition(".")[2])
            if source is None or source.shape != target.shape:
                raise ValueError(f"{weights} does not fit perceptual: features.{name.partition('.')[2]} differs")
            target.copy_(source)
