"""The contrastive loss of ConRe: symmetric cross-entropy over cosine similarities (Eq. 10; Radford et al. 2021)."""

import math
from typing import Any, Literal, NamedTuple

import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

START_TEMPERATURE = 0.07
LARGEST_SCALE = 100.0

SameIdentity = Literal["ignore", "negative"]


class ContrastiveLoss(nn.Module):
    """The loss L_c: each speech embedding must find its own face among all faces of the batch, and vice versa.

    The similarities are divided by a learned temperature, whose inverse is kept below 100. Under torch.distributed the
    batch is that of all ranks, gathered with gradient, and every rank must hold the same number of rows. `over_all`
    computes the loss of a whole data set.

    Example:
        >>> z = torch.eye(3)
        >>> round(ContrastiveLoss()(z, z, torch.arange(3)).item(), 4)
        0.0
    """

    def __init__(self, same_identity: SameIdentity = "ignore") -> None:
        """Build the loss.

        Args:
            same_identity: treatment of other rows of the same speaker. `ignore`, the default, leaves them out of the
                denominator, since they are neither wrong answers nor the recorded pair. `negative` treats
                them like any other row, as the paper's plain loss does.

        Raises:
            ValueError: `same_identity` has another value.
        """
        super().__init__()
        if same_identity not in ("ignore", "negative"):
            raise ValueError(f"same_identity is {same_identity!r}, expected 'ignore' or 'negative'")
        self.same_identity = same_identity
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / START_TEMPERATURE)))

    @property
    def scale(self) -> Tensor:
        """The inverse temperature, at most 100."""
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)

    def forward(self, z_s: Tensor, z_f: Tensor, identity: Tensor) -> Tensor:
        """Compare the rows of two embeddings.

        Args:
            z_s: speech embeddings, shape (B, d).
            z_f: face embeddings of the same rows, shape (B, d).
            identity: integers, equal for the same speaker, shape (B,).

        Returns:
            A scalar, the mean over this rank's rows and both directions.
        """
        everything = _Pairs(gather(z_s), gather(z_f), gather(identity))
        own = _rank() * len(z_s) + torch.arange(len(z_s), device=z_s.device)
        return self._compare(_Pairs(z_s, z_f, identity), everything, own)

    @torch.no_grad()
    def over_all(self, z_s: Tensor, z_f: Tensor, identity: Tensor, rows_at_once: int) -> Tensor:
        """The loss of a whole data set in one process, without gradient; compares `rows_at_once` rows at a time."""
        everything = _Pairs(z_s, z_f, identity)
        parts = [
            self._compare(_Pairs(*(column[own] for column in everything)), everything, own) * len(own)
            for own in torch.arange(len(z_s), device=z_s.device).split(rows_at_once)
        ]
        return torch.stack(parts).sum() / len(z_s)

    def _compare(self, rows: "_Pairs", everything: "_Pairs", own: Tensor) -> Tensor:
        """Compute the mean loss of `rows`, whose indices in `everything` are `own`."""
        # Similarities are scaled by up to 100: bf16 would blur them.
        with torch.autocast(own.device.type, enabled=False):
            z_s, z_f, all_s, all_f = (
                F.normalize(z.float(), dim=1) for z in (rows.z_s, rows.z_f, everything.z_s, everything.z_f)
            )
            ignored = self._ignored(rows.identity, everything.identity, own)
            speech_to_face = (self.scale * z_s @ all_f.T).masked_fill(ignored, -math.inf)
            face_to_speech = (self.scale * z_f @ all_s.T).masked_fill(ignored, -math.inf)
            return (F.cross_entropy(speech_to_face, own) + F.cross_entropy(face_to_speech, own)) / 2

    def _ignored(self, identity: Tensor, all_identity: Tensor, own: Tensor) -> Tensor:
        same = identity[:, None] == all_identity[None, :]
        if self.same_identity == "negative":
            return torch.zeros_like(same)
        return same.scatter(1, own[:, None], False)


class _Pairs(NamedTuple):
    """Speech embeddings, face embeddings and speakers of the same rows."""

    z_s: Tensor
    z_f: Tensor
    identity: Tensor


def gather(rows: Tensor) -> Tensor:
    """Gather the rows of all ranks in rank order, with gradient to each; in one process, return `rows` itself.

    Args:
        rows: shape (B, ...), the same on every rank.

    Returns:
        Shape (ranks · B, ...).

    Example:
        >>> gather(torch.ones(2, 3)).shape  # in one process
        torch.Size([2, 3])
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return rows
    return _Gather.apply(rows)


class _Gather(torch.autograd.Function):
    """All-gather whose backward sums every rank's gradient of this rank's rows; works on every backend."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].contiguous()
        dist.all_reduce(gradient)
        return gradient.chunk(dist.get_world_size())[dist.get_rank()]


def _rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
