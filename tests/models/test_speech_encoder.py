import pytest
import torch

from s2tf.models.speech_encoder import SpeechEncoder
from s2tf.nn.network import Network

NARROW = {"dim": 8, "width": 1 / 16, "hidden": 8}


def test_layer_table_is_that_of_speech2face():
    with torch.device("meta"):
        encoder = SpeechEncoder()
        x, sides = torch.zeros(1, 2, 598, 257), []
        for block in encoder.blocks:
            for layer in block:
                x = layer(x)
                if isinstance(layer, (torch.nn.Conv2d, torch.nn.MaxPool2d)):
                    sides.append(tuple(x.shape[1:]))
        embedding = encoder(torch.zeros(1, 2, 598, 257))
    assert sides == [
        (64, 595, 254),
        (64, 592, 251),
        (128, 589, 248),
        (128, 294, 248),
        (128, 291, 245),
        (128, 145, 245),
        (128, 142, 242),
        (128, 71, 242),
        (256, 68, 239),
        (256, 34, 239),
        (512, 31, 236),
        (512, 14, 117),
        (512, 6, 57),
    ]
    assert encoder.features == 512 * 57
    assert embedding.shape == (1, 4096)


def test_parameter_counts_at_paper_width():
    with torch.device("meta"):
        encoder = SpeechEncoder()
    convolutions = sum(p.numel() for p in encoder.blocks.parameters())
    assert convolutions == pytest.approx(11.7e6, rel=0.01)
    assert encoder.parameter_count == pytest.approx(148e6, rel=0.01)


@pytest.mark.parametrize("frames", [259, 300, 598])
def test_speech_may_have_any_length_from_the_shortest(frames):
    assert SpeechEncoder(**NARROW)(torch.randn(2, 2, frames, 257)).shape == (2, 8)


def test_too_short_speech_is_refused_with_the_number_needed():
    encoder = SpeechEncoder(**NARROW)
    assert encoder.shortest == 259
    with pytest.raises(ValueError, match="258 frames, expected at least 259"):
        encoder(torch.randn(2, 2, 258, 257))


def test_gradient_reaches_every_parameter():
    encoder = SpeechEncoder(8, 1.0, 8, 257, (4, 4, 6, 6, 64), (4, 1, 2, 1, 1), (2, 2, 2, 1, 2), pooled=(), dropout=0.0)
    encoder(torch.randn(4, 2, 98, 257)).pow(2).sum().backward()
    still = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_lists_of_unequal_length_and_strides_that_leave_nothing_are_refused():
    with pytest.raises(ValueError, match="2, 1 and 2 entries"):
        SpeechEncoder(channels=[4, 4], time_strides=[1], frequency_strides=[1, 1])
    with pytest.raises(ValueError, match="leave no frequency"):
        SpeechEncoder(channels=[4] * 4, time_strides=[1] * 4, frequency_strides=[4] * 4, frequency_bins=64)


def test_a_saved_encoder_gives_the_same_embedding(tmp_path):
    encoder = SpeechEncoder(**NARROW).eval()
    encoder.save_pretrained(tmp_path)
    spectrogram = torch.randn(2, 2, 260, 257)
    torch.testing.assert_close(Network.from_pretrained(tmp_path)(spectrogram), encoder(spectrogram))
