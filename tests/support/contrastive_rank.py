"""What one of several processes does in the test of the gathered contrastive loss: a started process imports it."""

import torch

from s2tf.losses.contrastive import ContrastiveLoss

ROWS, D = 6, 5


def embeddings():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(ROWS, D, generator=generator), torch.randn(ROWS, D, generator=generator)


IDENTITY = torch.tensor([0, 1, 2, 3, 1, 4])


def run_rank(rank, ranks, rendezvous, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=ranks)
    rows = slice(rank * ROWS // ranks, (rank + 1) * ROWS // ranks)
    z_s, z_f = (z[rows].clone().requires_grad_() for z in embeddings())
    module = ContrastiveLoss()
    loss = module(z_s, z_f, IDENTITY[rows])
    loss.backward()
    torch.save((loss.detach(), z_s.grad, z_f.grad, module.log_scale.grad), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()
