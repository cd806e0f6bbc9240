"""The Fréchet distance of two sets of pictures in Inception's features (FID, Heusel et al. 2017)."""

import io
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchmetrics import Metric
from torchvision.models import inception_v3

from s2tf.metrics.feature_moments import Moments
from s2tf.metrics.image import FRAMES_AT_ONCE, check_bytes
from s2tf.nn.published_weights import RANDOM, PublishedWeights, weights_record

INCEPTION = PublishedWeights(
    "FID's Inception",
    "torch-fidelity",
    "weights-inception-2015-12-05-6726825d.pth (pytorch-fid's pt_inception-2015-12-05-6726825d.pth)",
)
CLASSES = 1008
"""Classes of the TensorFlow graph that the weights come from; ImageNet has 1000."""


class PictureFeatures(Protocol):
    """A network that turns pictures into features."""

    features: int
    """The number of features of a picture."""

    @property
    def protocol(self) -> dict[str, Any]:
        """The network, its weights, and the resizing of pictures."""

    def read(self, frames: Tensor) -> Tensor:
        """Features (N, features) float32, on the CPU, of pictures (N, 3, H, W) uint8."""


class InceptionFeatures:
    """The 2048 features of the last pooling of Inception v3, as torch-fidelity computes them.

    The network and its resizing to 299 pixels are torch-fidelity's own: bilinear as in TensorFlow 1, whose grid starts
    at the corner pixels, and without antialiasing. torchmetrics' FID does the same with `antialias=False`; its default
    gives another number.

    Args:
        weights: Path of torch-fidelity's weights.
        device: Device to compute on.
        allow_random: Allows `random` as `weights`, for trials without the file.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file holds other weights, or `weights` is `random` and that is not allowed.
    """

    features = 2048

    def __init__(self, weights: str, device: str = "cpu", *, allow_random: bool = False) -> None:
        INCEPTION.check(weights, allow_random=allow_random)
        self.network, self.weights, self.device = _load_inception(weights).to(device), weights, device

    @property
    def protocol(self) -> dict[str, Any]:
        """See `PictureFeatures.protocol`."""
        return {
            "network": "Inception v3, pool3, 2048 features (torch-fidelity)",
            "weights": weights_record(self.network, self.weights),
            "resize": "299 px, bilinear as in TensorFlow 1, no antialiasing",
        }

    @torch.no_grad()
    def read(self, frames: Tensor) -> Tensor:
        """See `PictureFeatures.read`.

        Raises:
            ValueError: The frames are not uint8 (N, 3, H, W).
        """
        check_bytes(frames)
        return torch.cat([self.network(some.to(self.device))[0].cpu() for some in frames.split(FRAMES_AT_ONCE)])


class FrechetDistance(Metric):
    """FID between the set of all generated frames and the set of all reference frames, whatever their clips.

    Args:
        reader: The network that reads the frames' features.
    """

    full_state_update = False
    higher_is_better = False
    generated_frames: Tensor
    generated_sum: Tensor
    generated_products: Tensor
    reference_frames: Tensor
    reference_sum: Tensor
    reference_products: Tensor

    def __init__(self, reader: PictureFeatures, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reader = reader
        for side in ("generated", "reference"):
            for name, shape in (("sum", (reader.features,)), ("products", (reader.features, reader.features))):
                self.add_state(f"{side}_{name}", torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")
            self.add_state(f"{side}_frames", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Adds generated frames (N, 3, H, W) and reference frames (M, 3, H, W), uint8; N and M may differ, and be 0.

        Raises:
            ValueError: The frames are not uint8.
        """
        self.add_moments(*(Moments.of(self.reader.read(frames)) for frames in (preds, target)))

    def add_moments(self, preds: Moments, target: Moments) -> None:
        """Adds frames by the moments of their features."""
        # The value that `compute` has cached is no longer valid.
        self._computed = None
        for side, one in (("generated", preds), ("reference", target)):
            getattr(self, f"{side}_frames").add_(one.frames)
            getattr(self, f"{side}_sum").add_(one.total.to(self.generated_sum.device))
            getattr(self, f"{side}_products").add_(one.products.to(self.generated_sum.device))

    def compute(self) -> Tensor:
        """The distance.

        Raises:
            ValueError: There are fewer than two frames on a side.
        """
        return frechet_distance(
            *_gaussian(self.generated_frames, self.generated_sum, self.generated_products),
            *_gaussian(self.reference_frames, self.reference_sum, self.reference_products),
        )

    @property
    def warning(self) -> str | None:
        """Warning that there are too few frames for a meaningful number, or None."""
        fewest, features = min(int(self.generated_frames), int(self.reference_frames)), self.reader.features
        if fewest > features:
            return None
        return (
            f"FID of {fewest} frames in {features} features: their covariance is singular, and the distance depends on "
            "the number of frames as much as on the frames"
        )

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the number."""
        return {
            **self.reader.protocol,
            "frames": int(self.generated_frames),
            "true frames": int(self.reference_frames),
            "covariance": "unbiased, over all frames of all clips",
        }


def frechet_distance(mean: Tensor, covariance: Tensor, target_mean: Tensor, target_covariance: Tensor) -> Tensor:
    """|m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½) of two Gaussians, computed in float64.

    The eigenvalues of S1 S2 are those of Aᵀ S2 A with A Aᵀ = S1, a symmetric matrix: up to rounding they are real and
    not negative, even for few frames with singular covariances, where a matrix root fails.

    Args:
        mean: (F,)
        covariance: (F, F), symmetric.
        target_mean: (F,)
        target_covariance: (F, F), symmetric.

    Example:
        >>> float(frechet_distance(torch.zeros(2), torch.eye(2), torch.ones(2), torch.eye(2)))
        2.0
    """
    values = (value.double() for value in (mean, covariance, target_mean, target_covariance))
    m1, S1, m2, S2 = values
    spread, axes = torch.linalg.eigh(S1)
    A = axes * spread.clamp_min(0).sqrt()
    root_trace = torch.linalg.eigvalsh(A.T @ S2 @ A).clamp_min(0).sqrt().sum()
    return ((m1 - m2).square().sum() + S1.trace() + S2.trace() - 2 * root_trace).clamp_min(0)


def _gaussian(frames: Tensor, total: Tensor, products: Tensor) -> tuple[Tensor, Tensor]:
    if frames < 2:
        raise ValueError(f"FID of {int(frames)} frames: expected two at least on each side")
    mean = total / frames
    return mean, (products - frames * torch.outer(mean, mean)) / (frames - 1)


def _load_inception(weights: str) -> nn.Module:
    state = _random_inception() if weights == RANDOM else INCEPTION.read(weights)
    # torch-fidelity unpickles whatever it is given, so it gets tensors that were read safely.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    try:
        return FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], buffer)
    except RuntimeError as error:
        raise INCEPTION.misfit(weights, error) from error


def _random_inception() -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = inception_v3(
            weights=None, num_classes=CLASSES, aux_logits=False, transform_input=False, init_weights=False
        ).state_dict()
        for value in state.values():
            if value.ndim == 4:
                # So that a picture's features do not vanish on their way through the layers.
                nn.init.kaiming_normal_(value, nonlinearity="relu")
    return state
