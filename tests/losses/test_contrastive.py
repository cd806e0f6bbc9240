import math

import pytest
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from contrastive_rank import IDENTITY, embeddings, run_rank

from s2tf.losses.contrastive import ContrastiveLoss


def _reference(z_s, z_f, identity, scale, same_ignored):
    z_s, z_f = F.normalize(z_s.double(), dim=1), F.normalize(z_f.double(), dim=1)
    similarity = scale * z_s @ z_f.T
    total = 0.0
    for i in range(len(z_s)):
        rivals = [j for j in range(len(z_s)) if j == i or not same_ignored or identity[j] != identity[i]]
        total += math.log(sum(math.exp(similarity[i, j] - similarity[i, i]) for j in rivals))
        total += math.log(sum(math.exp(similarity[j, i] - similarity[i, i]) for j in rivals))
    return total / (2 * len(z_s))


@pytest.mark.parametrize("same_identity", ["ignore", "negative"])
def test_value_is_that_of_the_definition(same_identity):
    loss = ContrastiveLoss(same_identity)(*embeddings(), IDENTITY)
    assert loss.item() == pytest.approx(
        _reference(*embeddings(), IDENTITY, 1 / 0.07, same_identity == "ignore"), rel=1e-5
    )


def test_rows_of_the_same_speaker_do_not_repel_each_other():
    z = torch.eye(4)
    z[1] = z[0]
    identity = torch.tensor([0, 0, 2, 3])
    assert ContrastiveLoss("ignore")(z, z, identity) < 1e-4
    assert ContrastiveLoss("negative")(z, z, identity) > 0.3


def test_temperature_is_learned_and_its_inverse_is_at_most_100():
    loss = ContrastiveLoss()
    loss(*embeddings(), IDENTITY).backward()
    assert loss.log_scale.grad.abs() > 0
    loss.log_scale.data.fill_(10.0)
    assert loss.scale.item() == 100


def test_bf16_embeddings_are_compared_in_full_precision():
    loss, (z_s, z_f) = ContrastiveLoss(), embeddings()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(loss(z_s, z_f, IDENTITY), loss(z_s, z_f, IDENTITY).float())
    assert loss(z_s.bfloat16(), z_f.bfloat16(), IDENTITY).dtype == torch.float32


@pytest.mark.parametrize("same_identity", ["ignore", "negative"])
def test_rows_compared_a_few_at_once_give_the_same(same_identity):
    loss, z = ContrastiveLoss(same_identity), embeddings()
    torch.testing.assert_close(loss.over_all(*z, IDENTITY, 4), loss(*z, IDENTITY).detach())


@pytest.mark.slow
def test_two_processes_equal_one_on_the_joined_batch(tmp_path):
    mp.spawn(run_rank, (2, tmp_path / "rendezvous", tmp_path), nprocs=2)
    losses, z_s_grads, z_f_grads, scale_grads = zip(*(torch.load(tmp_path / f"{r}.pt") for r in range(2)), strict=True)
    z_s, z_f = (z.requires_grad_() for z in embeddings())
    module = ContrastiveLoss()
    joined = module(z_s, z_f, IDENTITY)
    joined.backward()
    # DDP averages over ranks: the sum of both ranks' losses is twice the joined loss.
    torch.testing.assert_close(sum(losses) / 2, joined.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(torch.cat(z_s_grads) / 2, z_s.grad, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(torch.cat(z_f_grads) / 2, z_f.grad, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(sum(scale_grads) / 2, module.log_scale.grad, rtol=1e-5, atol=1e-6)
