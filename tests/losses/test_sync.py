import math

import pytest
import torch

from s2tf.losses.sync import matching_accuracy, matching_loss, window_distances


def test_value_is_that_of_the_definition():
    lips, audio = torch.randn(2, 3, 5), torch.randn(2, 3, 5)
    total = 0.0
    for row in range(2):
        for i in range(3):
            own = (lips[row, i] - audio[row, i]).norm().item()
            to_speech = [math.exp(own - (lips[row, i] - audio[row, j]).norm().item()) for j in range(3)]
            to_lips = [math.exp(own - (lips[row, j] - audio[row, i]).norm().item()) for j in range(3)]
            total += math.log(sum(to_speech)) + math.log(sum(to_lips))
    loss = matching_loss(window_distances(lips, audio))
    assert loss.item() == pytest.approx(total / 12, rel=1e-5)


def test_another_clip_is_no_wrong_answer():
    lips, audio = torch.randn(4, 3, 5), torch.randn(4, 3, 5)
    every = [matching_loss(window_distances(lips[row : row + 1], audio[row : row + 1])) for row in range(4)]
    torch.testing.assert_close(matching_loss(window_distances(lips, audio)), torch.stack(every).mean())


def test_windows_that_tell_nothing_are_guessed_and_those_that_tell_all_are_found():
    same = torch.ones(2, 8, 4)
    assert matching_loss(window_distances(same, same)).item() == pytest.approx(math.log(8))
    apart = 100 * torch.eye(8).expand(2, 8, 8)
    assert matching_loss(window_distances(apart, apart)) < 1e-6
    assert matching_accuracy(window_distances(apart, apart)) == 1
    assert matching_accuracy(window_distances(apart, apart.roll(1, dims=1))) == 0
    assert matching_loss(window_distances(apart, apart.roll(1, dims=1))) > 100


def test_the_gradient_is_finite_where_lips_and_speech_coincide():
    lips = torch.randn(1, 4, 6, requires_grad=True)
    matching_loss(window_distances(lips, lips.detach().clone())).backward()
    assert torch.isfinite(lips.grad).all()


def test_near_embeddings_far_from_zero_are_told_apart_in_bf16_training():
    lips = 1000 + torch.randn(1, 4, 16, dtype=torch.float64)
    audio = lips + 0.01 * torch.randn_like(lips)
    with torch.autocast("cpu", torch.bfloat16):
        distances = window_distances(lips.float(), audio.float())
    assert distances.dtype == torch.float32
    torch.testing.assert_close(distances, torch.cdist(lips, audio).float(), rtol=1e-2, atol=1e-3)
