import pytest
import torch

from s2tf.nn.lips import mouth_opening
from s2tf.stages.silence import CLOSING, LEAST_SHARE, NOISE, Silence

ROWS, FRAMES = 400, 50


@pytest.fixture
def silence():
    torch.manual_seed(0)
    return Silence.sample(ROWS, FRAMES, 0.5)


def lips(opening):
    shape = torch.zeros(*opening.shape, 20, 2)
    shape[..., 17:20, 1] = opening[..., None]
    return shape


def test_silences_are_one_stretch_of_some_length_in_the_asked_share_of_rows(silence):
    silent = silence.mask.any(dim=1)
    assert 0.4 < silent.float().mean() < 0.6
    rising = (silence.mask.diff(dim=1) > 0).sum(1) + silence.mask[:, 0]
    assert (rising[silent] == 1).all()
    lengths = silence.mask.sum(1)[silent]
    assert lengths.min() >= LEAST_SHARE * FRAMES - 1
    assert lengths.max() > 0.9 * FRAMES
    assert not Silence.sample(ROWS, FRAMES, 0.0).mask.any()


def test_the_sound_is_gone_where_it_is_silent_and_untouched_elsewhere(silence):
    waveform = torch.rand(ROWS, FRAMES * 640) + 0.5
    changed = silence.waveform(waveform)
    mask = silence.mask.repeat_interleave(640, dim=1).bool()
    assert torch.equal(changed[~mask], waveform[~mask])
    assert changed[mask].abs().max() < 6 * NOISE
    loud = changed.abs().amax(1, keepdim=True).expand_as(changed)[mask]
    assert loud.numel() > 0
    digital = torch.stack([(row[part] == 0).all() for row, part in zip(changed, mask, strict=True) if part.any()])
    assert 0.3 < digital.float().mean() < 0.7


def test_the_mouth_closes_after_the_sound_and_opens_before_it(silence):
    opening = 0.1 + 0.2 * torch.rand(ROWS, FRAMES)
    opening[:, 7] = 0.05
    changed = mouth_opening(silence.lips(lips(opening)))
    torch.testing.assert_close(changed[silence.mask == 0], opening[silence.mask == 0])
    assert (changed <= opening + 1e-6).all()
    for row in torch.nonzero(silence.mask.sum(1) > 3 * CLOSING)[:50, 0]:
        inside = torch.nonzero(silence.mask[row])[:, 0]
        middle = changed[row, inside[CLOSING] : inside[-CLOSING]]
        torch.testing.assert_close(middle, torch.full_like(middle, 0.05))


def test_stored_features_become_those_of_silence(silence):
    features, silent = torch.rand(ROWS, 2 * FRAMES, 3), torch.full((2 * FRAMES, 3), -1.0)
    changed = silence.features(features, silent)
    mask = silence.mask.repeat_interleave(2, dim=1).bool()
    assert torch.equal(changed[~mask], features[~mask])
    assert (changed[mask] == -1).all()
