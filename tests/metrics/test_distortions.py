"""What is known to make pictures worse moves every metric of pictures, the further the stronger it is."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from textures import blurred, jpeg, noisy, textured

from s2tf.faces.features import NetworkFeatures
from s2tf.metrics.frechet import FrechetDistance
from s2tf.metrics.identity import IdentitySimilarity
from s2tf.metrics.image import FrameQuality
from s2tf.metrics.perceptual_distance import LPIPS, MeanPerceptualDistance
from s2tf.models.face_encoder import FaceEncoder

DISTORTIONS = [(blurred, (0.6, 1.2, 2.5)), (noisy, (4, 12, 30)), (jpeg, (20, 60, 90))]


class Filters:
    """Features of pictures: the mean response of random filters."""

    features = 12
    protocol = {"network": "random filters"}  # noqa: RUF012

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        kernels = torch.randn(self.features, 3, 5, 5, generator=generator)
        self.kernels = kernels - kernels.mean((2, 3), keepdim=True)

    def read(self, frames):
        return F.conv2d(frames / 255, self.kernels).abs().mean((2, 3))


@pytest.fixture(scope="module")
def true():
    return textured(24, 64)


@pytest.fixture(scope="module")
def metrics():
    torch.manual_seed(0)
    encoder = FaceEncoder(16, width=1 / 8, hidden=16, pooled=2, image_size=64)
    faces = NetworkFeatures(encoder, "small", 64, allow_random=True)
    return {
        "quality": FrameQuality(),
        "lpips": MeanPerceptualDistance(LPIPS("random", allow_random=True)),
        "fid": FrechetDistance(Filters()),
        "identity": IdentitySimilarity(faces, every=1),
    }


@pytest.mark.parametrize(("distort", "strengths"), DISTORTIONS, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("name", ["quality", "lpips", "fid", "identity"])
def test_the_stronger_the_distortion_the_worse_the_number(name, distort, strengths, true, metrics):
    metric, rows = metrics[name], []
    for frames in (true, *(distort(true, strength) for strength in strengths)):
        metric.reset()
        metric.update(frames, true)
        value = metric.compute()
        sign = 1 if metric.higher_is_better else -1
        rows.append([sign * float(one) for one in (value.values() if isinstance(value, dict) else [value])])
    for column in zip(*rows, strict=True):
        assert all(before > behind for before, behind in itertools.pairwise(column)), column
