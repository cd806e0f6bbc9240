"""The one conversion between uint8 pictures and [-1, 1]: the bits of every formula that it replaced."""

import numpy as np
import pytest
import torch

from s2tf.media.pictures import batch_to_tensor, to_tensor, to_uint8


@pytest.fixture
def pictures():
    """Every byte, in pictures whose sides differ."""
    return np.arange(2 * 16 * 8 * 3, dtype=np.uint32).astype(np.uint8).reshape(2, 16, 8, 3)


def test_to_tensor_keeps_the_bits_and_the_memory_order_of_the_division(pictures):
    expected = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    assert torch.equal(to_tensor(pictures), expected)
    assert to_tensor(pictures).stride() == expected.stride()
    assert torch.equal(to_tensor(torch.from_numpy(pictures)), expected)


def test_a_single_picture_made_contiguous_is_as_if_it_had_been_transposed_before(pictures):
    transposed = torch.from_numpy(np.ascontiguousarray(pictures[0].transpose(2, 0, 1)))[None].float() / 127.5 - 1
    converted = to_tensor(pictures[:1]).contiguous()
    assert torch.equal(converted, transposed)
    assert converted.stride() == transposed.stride()


def test_a_batch_keeps_the_bits_of_the_multiplication_that_runs_are_trained_with(pictures):
    batch = torch.from_numpy(pictures)
    expected = batch.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    expected = expected.mul_(2 / 255).sub_(1)
    assert torch.equal(batch_to_tensor(batch), expected)
    assert batch_to_tensor(batch).is_contiguous()
    assert (batch_to_tensor(batch) - to_tensor(pictures)).abs().max() < 2e-7


def test_to_uint8_keeps_the_bits_of_the_formulas_of_pipelines_and_of_sample_pictures():
    images = torch.linspace(-1.2, 1.2, 3 * 40 * 50).reshape(1, 3, 40, 50)
    pipelines = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    samples = images.float().clamp(-1, 1).add(1).mul(127.5).round().byte().movedim(1, -1).numpy()
    assert np.array_equal(to_uint8(images), pipelines)
    assert np.array_equal(to_uint8(images), samples)


def test_both_ways_round_give_the_same_picture(pictures):
    assert np.array_equal(to_uint8(to_tensor(pictures)), pictures)
    assert np.array_equal(to_uint8(batch_to_tensor(torch.from_numpy(pictures))), pictures)


def test_pictures_that_cannot_be_written_to_are_taken(pictures):
    pictures.flags.writeable = False
    assert to_tensor(pictures).shape == (2, 3, 16, 8)
