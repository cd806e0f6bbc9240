"""LPIPS (Zhang et al. 2018): the perceptual part of the reconstruction loss L_r (Eq. 10)."""

import warnings
from pathlib import Path
from typing import Literal

import lpips
import torch
import torch.nn as nn
from torch import Tensor

Backbone = Literal["alex", "vgg"]
FILES = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}


class PerceptualLoss(nn.Module):
    """Distance of two pictures in the features of an ImageNet network, weighted by LPIPS's linear heads.

    Never trained. The heads come with the package `lpips`; the backbone's weights are a local file, or random. Random
    features still make a loss that sees structure, but the value is no LPIPS: do not report it as a metric. They are
    drawn from a fixed seed, since a frozen network is not in the checkpoint and must be the same after a resume.

    Attributes:
        is_random: whether the backbone is random.
    """

    def __init__(self, weights: str, backbone: Backbone = "alex") -> None:
        """Build the loss.

        Args:
            weights: path of torchvision's ImageNet weights of the backbone, or `random`.
            backbone: `alex` (AlexNet) or `vgg` (VGG16).

        Raises:
            FileNotFoundError: `weights` names a file that does not exist.
        """
        super().__init__()
        self.is_random = weights == "random"
        if not self.is_random and not Path(weights).is_file():
            raise FileNotFoundError(
                f"perceptual.weights is {weights!r}, which does not exist: give the path of torchvision's "
                f"{FILES[backbone]}, or 'random'"
            )
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            torch.manual_seed(0)
            # lpips calls torchvision by an argument that torchvision warns about.
            warnings.simplefilter("ignore")
            self.network = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
        if not self.is_random:
            _load_backbone(self.network.net, weights)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "PerceptualLoss":
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, picture: Tensor, target: Tensor) -> Tensor:
        """Compare pictures in [-1, 1], shape (B, 3, H, W) both, H and W at least 64.

        Returns:
            A scalar, the mean over the batch.
        """
        return self.network(picture, target).mean()


def _load_backbone(net: nn.Module, weights: str) -> None:
    # lpips cuts torchvision's `features` into slices but keeps the layers' numbers as names.
    state = torch.load(weights, map_location="cpu", weights_only=True)
    targets = dict(net.named_parameters())
    with torch.no_grad():
        for name, target in targets.items():
            source = state.get("features." + name.partition(".")[2])
            if source is None or source.shape != target.shape:
                raise ValueError(f"{weights} does not fit perceptual: features.{name.partition('.')[2]} differs")
            target.copy_(source)
