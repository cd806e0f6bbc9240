import pytest
import torch
from textures import textured

from s2tf.faces.features import NetworkFeatures
from s2tf.metrics.identity import IdentitySimilarity
from s2tf.models.face_encoder import FaceEncoder


class MeanColours:
    """A face is its mean colour, less grey."""

    protocol = {"network": "mean colours"}  # noqa: RUF012

    def __init__(self):
        self.read = 0

    def embed(self, pictures):
        self.read += len(pictures)
        return torch.from_numpy(pictures).double().mean(dim=(1, 2)) - 127


def test_the_face_itself_is_alike_and_its_negative_opposite():
    frames = textured(6, 32)
    metric = IdentitySimilarity(MeanColours(), every=1)
    metric.update(frames, frames)
    assert metric.compute().item() == pytest.approx(1)
    negative = IdentitySimilarity(MeanColours(), every=1)
    negative.update(254 - frames.clamp(max=254), frames)
    assert negative.compute().item() == pytest.approx(-1, abs=0.01)


def test_every_fifth_frame_is_read_and_one_source_is_for_all():
    frames = textured(11, 32)
    features = MeanColours()
    metric = IdentitySimilarity(features)
    metric.update(frames, frames[:1])
    assert features.read == 3 + 1
    assert metric.protocol == {"network": "mean colours", "frames read": "every 5. of a clip", "frames": 3}
    embedded = MeanColours().embed(frames[[0, 5, 10]].permute(0, 2, 3, 1).numpy())
    cosines = embedded @ embedded[0] / (embedded.norm(dim=1) * embedded[0].norm())
    assert metric.compute().item() == pytest.approx(cosines.mean().item(), rel=1e-12)


def test_parts_in_any_split_are_the_whole():
    frames, true = textured(20, 32), textured(20, 32, seed=1)
    whole, one, other = (IdentitySimilarity(MeanColours()) for _ in range(3))
    whole.update(frames, true)
    one.update(frames[:5], true[:5])
    other.update(frames[5:], true[5:])
    one.merge_state(other)
    assert one.compute().item() == pytest.approx(whole.compute().item(), rel=1e-12)
    assert one.protocol == whole.protocol


def test_what_does_not_fit_is_refused():
    frames = textured(4, 32)
    with pytest.raises(ValueError, match="4 frames against 3 reference frames"):
        IdentitySimilarity(MeanColours()).update(frames, frames[:3])
    with pytest.raises(ValueError, match="expected uint8"):
        IdentitySimilarity(MeanColours()).update(frames.float(), frames[:1])
    with pytest.raises(ValueError, match="every is 0"):
        IdentitySimilarity(MeanColours(), every=0)


def test_a_random_network_is_named_where_it_is_allowed():
    encoder = FaceEncoder(8, width=1 / 16, hidden=8, pooled=1, image_size=32)
    features = NetworkFeatures(encoder, "small", 32, allow_random=True)
    metric = IdentitySimilarity(features)
    metric.update(textured(1, 32), textured(1, 32))
    assert metric.protocol["weights"] == "RANDOM WEIGHTS"
