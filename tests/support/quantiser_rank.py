"""What one of several processes does in the test of codes among all ranks' latents: a started process imports it."""

import torch

from s2tf.nn.quantiser import VectorQuantiser


def latents(rank):
    """Vectors near 0 on the first rank, near 5 on the second."""
    return 5 * rank + 0.1 * torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(rank))


def run_rank(rank, ranks, rendezvous, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=ranks)
    torch.manual_seed(rank)
    quantiser = VectorQuantiser(8, 3)
    quantiser.start_among(latents(rank))
    placed = quantiser.embedding.weight.detach().clone()
    quantiser.usage.zero_()
    quantiser.restart_dead(latents(rank))
    torch.save((placed, quantiser.embedding.weight.detach(), quantiser.usage), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()
