import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from s2tf.evaluation.portraits.scores import PortraitReadings, portrait_scores
from s2tf.faces.attributes import FEMALE, MALE, Attributes
from s2tf.faces.features import NetworkFeatures
from s2tf.metrics.retrieval import identity_gallery
from s2tf.models.face_encoder import FaceEncoder
from s2tf.reporting.figures import weight_maps

FACES = {"network": "by hand"}


def readings():
    """Three clips of two speakers; the first's second portrait is another person's."""
    eye = list(torch.eye(3).unbind())
    return PortraitReadings(
        keys=["a-0", "a-1", "b-0"],
        identities=[7, 7, 9],
        labels=[Attributes(FEMALE, 30), Attributes(FEMALE, 30), Attributes()],
        reference=[eye[0], eye[0], eye[1]],
        other=[eye[0], eye[0], eye[1]],
        generated=[eye[0], eye[1], eye[1]],
        read=[Attributes(FEMALE, 35), None, Attributes(MALE, 50)],
        read_reference=[None, None, Attributes(MALE, 45)],
        read_other=[Attributes(FEMALE, 31), Attributes(MALE, 90), Attributes(MALE, 99)],
        varied=[torch.stack([eye[0], eye[0]]), torch.stack([eye[1], eye[2]])],
    )


def test_portraits_are_scored_beside_mean_face_chance_and_another_true_frame():
    mean_face = torch.tensor([[1.0, 1.0, 0.0]])
    scores = {one.name: one for one in portrait_scores(readings(), mean_face, FACES, {"network": "x"}, {"seed": 0})}
    angle = scores["cosine_degrees"]
    assert (angle.value, angle.baseline, angle.truth) == pytest.approx((30.0, 45.0, 0.0))
    assert (scores["R@1"].value, scores["R@1"].baseline, scores["R@1"].truth) == pytest.approx((2 / 3, 0.5, 1.0))
    assert scores["R@1"].protocol["gallery_size"] == 2
    assert "R@5" not in scores
    # The third speaker's gender is not labelled: what is read off the true frame counts.
    gender, age = scores["gender"], scores["age"]
    assert (gender.value, gender.baseline, gender.truth) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert gender.counts == {"known": 3, "labelled by the data set": 2, "no face found": 1}
    # The other frame is not the one that the truth was read off.
    assert (age.value, age.truth) == pytest.approx((2 / 3, 1 / 3))
    assert scores["diversity"].value == pytest.approx(0.5)


def test_clips_of_one_frame_have_no_ground_truth_row():
    one = readings()
    one.other = [None, one.other[1], None]
    scores = {score.name: score for score in portrait_scores(one, torch.ones(1, 3), FACES, {}, {"seed": 0})}
    assert scores["cosine_degrees"].counts["with another frame"] == 1
    assert (scores["R@1"].truth, scores["gender"].truth) == (1.0, 0.0)
    assert scores["R@1"].protocol["queries"] == 3
    one.other = [None, None, None]
    scores = {score.name: score for score in portrait_scores(one, torch.ones(1, 3), FACES, None, {"seed": 0})}
    assert scores["cosine_degrees"].truth is None
    assert scores["R@1"].truth is None


def test_what_nothing_reads_is_absent():
    one = readings()
    one.read, one.read_reference, one.varied = [], [], []
    names = {score.name for score in portrait_scores(one, torch.ones(1, 3), FACES, None, {"seed": 0})}
    assert not names & {"gender", "age", "diversity"}


def test_a_speakers_pictures_share_one_row_of_the_gallery_whatever_their_lengths():
    embeddings = torch.tensor([[10.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
    gallery, rows = identity_gallery(embeddings, [5, 5, 2])
    assert rows.tolist() == [1, 1, 0]
    torch.testing.assert_close(F.normalize(gallery), torch.full((2, 2), math.sqrt(0.5)))


def test_features_of_a_network_and_pictures_of_any_size():
    torch.manual_seed(0)
    encoder = FaceEncoder(8, width=1 / 16, hidden=8, pooled=1, image_size=32)
    with pytest.raises(ValueError, match="random weights"):
        NetworkFeatures(encoder, "small", 32)
    encoder.mark_trained()
    features = NetworkFeatures(encoder, "small", 32)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = encoder(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1)
    torch.testing.assert_close(features.embed(pictures), expected)
    plain = np.full((1, 64, 64, 3), 90, np.uint8)
    torch.testing.assert_close(features.embed(plain), features.embed(plain[:, ::2, ::2]))
    assert features.protocol["weights"] == encoder.fingerprint()


def test_the_map_of_the_weights_is_large_where_they_move_the_picture():
    torch.manual_seed(0)
    matrix = torch.randn(3 * 4 * 4, 6)
    matrix[:, 0] = 0
    matrix[5, 0] = 2.0

    def decode(z):
        return torch.tanh(z @ matrix.T).reshape(-1, 3, 4, 4)

    z_p, beta = torch.tensor([3.0, 0, 0, 0, 0, 0]), torch.zeros(2, 6)
    beta[0, 0], beta[1, 1] = 0.5, 1.0
    maps = weight_maps(decode, z_p, beta)
    # Entry 5 is row 1, column 1; d/da tanh(2 (3 + 0.5 · 3 a)) at 0. The second speaker's weight is of a dimension that
    # the prior does not have.
    expected = torch.zeros(2, 4, 4)
    expected[0, 1, 1] = (1 - math.tanh(6.0) ** 2) * 2 * 1.5
    torch.testing.assert_close(maps, expected)
