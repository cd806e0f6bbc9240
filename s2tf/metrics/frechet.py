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
"""Of the TensorFlow graph that the weights are from, not ImageNet's 1000."""


class PictureFeatures(Protocol):
    """Pictures to features."""

    features: int
    """How many numbers a picture gets."""

    @property
    def protocol(self) -> dict[str, Any]:
        """Which network, its weights, and how pictures are brought to its size."""

    def read(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 to (N, features) float32 on the CPU."""


class InceptionFeatures:
    """The 2048 features of the last pooling of Inception v3, as torch-fidelity computes them.

    The network and the way to its 299 pixels are torch-fidelity's own: bilinear as in TensorFlow 1, whose grid starts
    at the corner pixels, and without antialiasing. torchmetrics' FID does the same with `antialias=False`; its default
    gives another number.

    Args:
        weights: path of torch-fidelity's weights.
        device: where to compute.
        allow_random: whether `weights` may be `random`, to run the path without the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds other weights, or random ones are not allowed.
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
            ValueError: the frames are not uint8 (N, 3, H, W).
        """
        check_bytes(frames)
        return torch.cat([self.network(some.to(self.device))[0].cpu() for some in frames.split(FRAMES_AT_ONCE)])


class FrechetDistance(Metric):
    """FID between all made and all true frames, each one set whatever clip they are of.

    Args:
        reader: what reads the frames' features.
    """

    full_state_update = False
    higher_is_better = False
    made_frames: Tensor
    made_sum: Tensor
    made_products: Tensor
    true_frames: Tensor
    true_sum: Tensor
    true_products: Tensor

    def __init__(self, reader: PictureFeatures, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reader = reader
        for side in ("made", "true"):
            for name, shape in (("sum", (reader.features,)), ("products", (reader.features, reader.features))):
                self.add_state(f"{side}_{name}", torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")
            self.add_state(f"{side}_frames", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, frames: Tensor, true: Tensor) -> None:
        """Add made frames (N, 3, H, W) and true ones (M, 3, H, W), uint8; N and M may differ, and be 0.

        Raises:
            ValueError: the frames are not uint8.
        """
        self.add_moments(*(Moments.of(self.reader.read(some)) for some in (frames, true)))

    def add_moments(self, made: Moments, true: Moments) -> None:
        """Add frames by the moments of their features."""
        # What `compute` has found before does not hold any more.
        self._computed = None
        for side, one in (("made", made), ("true", true)):
            getattr(self, f"{side}_frames").add_(one.frames)
            getattr(self, f"{side}_sum").add_(one.total.to(self.made_sum.device))
            getattr(self, f"{side}_products").add_(one.products.to(self.made_sum.device))

    def compute(self) -> Tensor:
        """The distance.

        Raises:
            ValueError: there are fewer than two frames on a side.
        """
        return frechet_distance(
            *_gaussian(self.made_frames, self.made_sum, self.made_products),
            *_gaussian(self.true_frames, self.true_sum, self.true_products),
        )

    @property
    def warning(self) -> str | None:
        """That the frames are too few for the number to mean much; None where they are not."""
        fewest, features = min(int(self.made_frames), int(self.true_frames)), self.reader.features
        if fewest > features:
            return None
        return (
            f"FID of {fewest} frames in {features} features: their covariance is singular, and the distance is of "
            "the number of frames as much as of the frames"
        )

    @property
    def protocol(self) -> dict[str, Any]:
        """How the number was measured."""
        return {
            **self.reader.protocol,
            "frames": int(self.made_frames),
            "true frames": int(self.true_frames),
            "covariance": "unbiased, over all frames of all clips",
        }


def frechet_distance(mean: Tensor, covariance: Tensor, true_mean: Tensor, true_covariance: Tensor) -> Tensor:
    """|m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½) of two Gaussians, computed in float64.

    The eigenvalues of S1 S2 are those of Aᵀ S2 A with A Aᵀ = S1, a symmetric matrix: they are real and not negative but
    for rounding, also where frames are few and the covariances singular, in which a matrix root fails.

    Args:
        mean: (F,)
        covariance: (F, F), symmetric.
        true_mean: (F,)
        true_covariance: (F, F), likewise.
    """
    values = (value.double() for value in (mean, covariance, true_mean, true_covariance))
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
    # torch-fidelity loads what it is given as a pickle of any content: it gets the tensors that were read safely.
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
