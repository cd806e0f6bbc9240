"""What is known to make videos worse moves every measure of videos, the further the stronger it is."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from distorted_videos import (
    blur,
    compression,
    draw_speakers,
    frozen,
    frozen_mouth,
    jitter,
    measured,
    noise,
)

from s2tf.evaluation.videos.fid_measure import FrechetMeasure
from s2tf.evaluation.videos.motion_measures import FaceMeasure, SteadinessMeasure
from s2tf.evaluation.videos.pixel_measures import IdentityMeasure, PerceptualMeasure, PixelMeasure, SharpnessMeasure
from s2tf.faces.features import NetworkFeatures
from s2tf.faces.motion import DetectedMotion
from s2tf.metrics.perceptual_distance import LPIPS
from s2tf.models.face_encoder import FaceEncoder

pytestmark = pytest.mark.slow

SIZE = 128
PICTURES = {"PSNR": 1, "SSIM": 1, "LPIPS": -1, "FID": -1, "identity": 1}
DISTANCES = {"landmark distance": -1, "lip landmark distance": -1, "lip shape distance": -1}
FACES = {**DISTANCES, "mouth correlation": 1}
"""1 where higher is better, -1 where lower is."""


class Filters:
    """Features of pictures: the mean response of random filters."""

    features, protocol = 12, {"network": "random filters"}

    def __init__(self):
        kernels = torch.randn(self.features, 3, 5, 5, generator=torch.Generator().manual_seed(0))
        self.kernels = kernels - kernels.mean((2, 3), keepdim=True)

    def read(self, frames):
        return F.conv2d(frames / 255, self.kernels).abs().mean((2, 3))


class StillFlow:
    """Nothing moves."""

    protocol = {"flow": "none"}  # noqa: RUF012

    def flow(self, frames, following):
        return torch.zeros(len(frames), 2, *frames.shape[-2:])


@pytest.fixture(scope="module")
def speakers():
    return draw_speakers(3, 1.0, SIZE)


@pytest.fixture(scope="module")
def measures():
    """Makes them anew, on the same networks."""
    pytest.importorskip("mediapipe", reason="landmarks need the extra `mediapipe`")
    torch.manual_seed(0)
    encoder = FaceEncoder(16, width=1 / 8, hidden=16, pooled=2, image_size=64)
    faces = NetworkFeatures(encoder, "small", 64, allow_random=True)
    distance, finder = LPIPS("random", allow_random=True), DetectedMotion()
    return lambda: [
        PixelMeasure(),
        PerceptualMeasure(distance),
        FrechetMeasure(Filters()),
        IdentityMeasure(faces),
        SharpnessMeasure(),
        SteadinessMeasure(StillFlow()),
        FaceMeasure(finder),
    ]


@pytest.mark.parametrize(
    ("distort", "strengths", "moved"),
    [
        (blur, (1, 2, 4), {**PICTURES, **FACES, "CPBD": 1, "gradient energy": 1}),
        # Neither sharpness nor steadiness tells noise from detail and motion: both grow. What these two leave of the
        # mouth's correlation hangs on the detector's luck in clips of a second.
        (noise, (4, 10, 20), {**PICTURES, **DISTANCES, "gradient energy": -1, "MAD": -1}),
        (compression, (60, 30, 15), {**PICTURES, **DISTANCES}),
        # The very frames, so that what looks at each by itself, or at all of them at once, sees little.
        (jitter, (1, 3, 6), {"PSNR": 1, "SSIM": 1, "LPIPS": -1, **FACES, "MAD": -1}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_stronger_the_distortion_the_further_the_number(distort, strengths, moved, speakers, measures):
    truth = measured(speakers, lambda speaker, _: speaker.true, 0, measures())
    found = [truth, *(measured(speakers, distort, strength, measures()) for strength in strengths)]
    for name, sign in moved.items():
        column = [sign * one[name] for one in found]
        assert all(before > behind for before, behind in itertools.pairwise(column)), (name, column)


def test_a_frozen_mouth_is_seen_by_what_measures_mouths_and_hardly_by_the_head(speakers, measures):
    for speaker in speakers:
        assert np.array_equal(speaker.frozen_mouth[0], speaker.true.pictures[0])
    truth, mouth, whole = (
        measured(speakers, distort, 0, measures())
        for distort in (lambda speaker, _: speaker.true, frozen_mouth, frozen)
    )
    assert mouth["mouth correlation"] < 0.5 < 0.8 < mouth["pose correlation"]
    assert mouth["mouth range"] < 0.5 * truth["mouth range"]
    assert mouth["lip shape distance"] > 1
    # The pictures are far nearer to the true ones than the copied source, whose mouth is as still.
    for name, sign in {"PSNR": 1, "SSIM": 1, "LPIPS": -1, "landmark distance": -1}.items():
        assert sign * truth[name] > sign * mouth[name] > sign * whole[name]
