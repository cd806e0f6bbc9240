import pytest
import torch
import torch.multiprocessing as mp
from quantiser_rank import run_rank

from s2tf.losses.codebook import code_loss
from s2tf.nn.quantiser import VectorQuantiser


def test_each_position_takes_its_nearest_code():
    torch.manual_seed(0)
    quantiser = VectorQuantiser(32, 6)
    z = torch.randn(2, 6, 3, 4) / 32
    result = quantiser(z)
    distances = torch.cdist(z.permute(0, 2, 3, 1).reshape(-1, 6).double(), quantiser.embedding.weight.double())
    assert torch.equal(result.indices.flatten(), distances.argmin(dim=1))
    torch.testing.assert_close(result.output, result.z_q)
    assert torch.equal(result.z_q[1, :, 2, 3], quantiser.embedding.weight[result.indices[1, 2, 3]])


def test_gradients_of_the_code_loss_are_those_of_equation_19():
    torch.manual_seed(0)
    quantiser, beta = VectorQuantiser(4, 3), 0.25
    z = torch.randn(1, 3, 2, 2, requires_grad=True)
    result = quantiser(z)
    terms = code_loss(result.z, result.z_q, beta)
    (terms["codebook"] + terms["commitment"]).backward()
    difference = (z - result.z_q).detach()
    torch.testing.assert_close(z.grad, beta * 2 * difference / z.numel())
    expected = torch.zeros_like(quantiser.embedding.weight)
    flat = difference.permute(0, 2, 3, 1).reshape(-1, 3)
    expected.index_add_(0, result.indices.flatten(), -2 * flat / z.numel())
    torch.testing.assert_close(quantiser.embedding.weight.grad, expected)


def test_the_output_passes_its_gradient_straight_through_to_the_latents_only():
    quantiser = VectorQuantiser(8, 3)
    z = torch.randn(1, 3, 2, 2, requires_grad=True)
    weights = torch.randn(1, 3, 2, 2)
    (quantiser(z).output * weights).sum().backward()
    torch.testing.assert_close(z.grad, weights)
    assert quantiser.embedding.weight.grad is None


def test_perplexity_counts_the_codes_in_use():
    quantiser = VectorQuantiser(4, 2).eval()
    with torch.no_grad():
        quantiser.embedding.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]))
    one = torch.zeros(1, 2, 2, 2)
    two = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).view(1, 2, 1, 2)
    two = torch.stack([two[:, 0], torch.zeros(1, 1, 2)], dim=1)
    assert quantiser(one).perplexity.item() == pytest.approx(1)
    assert quantiser(two).perplexity.item() == pytest.approx(2)


def test_codes_without_use_die_and_restart_among_the_latents():
    torch.manual_seed(0)
    quantiser = VectorQuantiser(16, 2).train()
    z = 5 + torch.randn(1, 2, 8, 8)
    for _ in range(400):
        quantiser(z)
    assert quantiser.dead > 8
    quantiser.restart_dead(z)
    assert quantiser.dead == 0
    assert quantiser(z).perplexity > 6


def test_codes_are_placed_where_few_latents_are_too():
    """Ten vectors of 500 lie apart: at random vectors they have no code of eight, in most draws."""
    errors = {"random": [], "placed": []}
    for seed in range(5):
        torch.manual_seed(seed)
        z = torch.randn(1, 2, 20, 25)
        z[..., 0, :10] += 20
        for name, errors_of in errors.items():
            quantiser = VectorQuantiser(8, 2)
            quantiser.start_among(z) if name == "placed" else quantiser.restart_dead(z)
            errors_of.append((quantiser.eval()(z).z_q - z).square().mean().item())
    assert sum(errors["placed"]) < 0.5 * sum(errors["random"])


def test_codes_are_placed_with_all_digits_in_a_mixed_precision():
    """Latents that differ by less than bf16's digits still get codes of their own."""
    z = (1 + 1e-4 * torch.arange(8.0)).view(1, 1, 2, 4).expand(1, 2, 2, 4)
    placed = []
    for mixed in (False, True):
        torch.manual_seed(0)
        quantiser = VectorQuantiser(4, 2)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            quantiser.start_among(z)
        placed.append(quantiser.embedding.weight.detach())
    assert torch.equal(*placed)


def test_codes_are_placed_among_the_latents_of_all_ranks(tmp_path):
    mp.start_processes(run_rank, args=(2, tmp_path / "rendezvous", tmp_path), nprocs=2, start_method="spawn")
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    for codes in first[:2]:
        near_second = (codes.mean(dim=1) > 2.5).sum().item()
        assert 0 < near_second < 8


def test_evaluation_does_not_count_use():
    quantiser = VectorQuantiser(16, 2).eval()
    before = quantiser.usage.clone()
    quantiser(torch.randn(1, 2, 4, 4))
    assert torch.equal(quantiser.usage, before)
