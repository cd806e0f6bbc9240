"""LPIPS (Zhang et al. 2018): the perceptual part of the reconstruction loss L_r (Eq. 10)."""

import torch.nn as nn
from torch import Tensor

from s2tf.nn.lpips_network import Backbone, load_lpips


class PerceptualLoss(nn.Module):
    """Distance of two pictures in the features of an ImageNet network, weighted by LPIPS's linear heads.

    It is never trained. The heads come with the package `lpips`; the backbone's weights are a local file, or random.
    Random features also give a loss that reacts to structure, but its value is not LPIPS: it is no metric to report.
    They have a fixed seed, since a frozen network is not in the checkpoint and must be the same after a resume.

    Attributes:
        is_random: True if the backbone is random.

    Example:
        >>> import torch
        >>> loss, picture = PerceptualLoss("random"), torch.zeros(1, 3, 64, 64)
        >>> loss(picture, picture).item()
        0.0
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
        self.network = load_lpips(weights, backbone)
        self.eval()

    def train(self, mode: bool = True) -> "PerceptualLoss":
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, picture: Tensor, target: Tensor) -> Tensor:
        """Compare pictures in [-1, 1], shape (B, 3, H, W) both, H and W at least 64.

        Returns:
            A scalar, the mean over the batch.
        """
        return self.network(picture, target).mean()
