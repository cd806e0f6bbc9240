"""Which speech belongs to which lips: SyncNet's matching over several times of a clip (Chung, Chung and Kang 2019)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def matching_loss(distances: Tensor) -> Tensor:
    """Cross-entropy of finding each window's own speech among its clip's by the softmax of negative distances.

    The same for the lips that belong to a speech. A window of another time differs in nothing but the time.

    Args:
        distances: (B, K, K) from the lips of a clip's K windows (rows) to their speech (columns), as of
            `window_distances`.

    Returns:
        A scalar, the mean over clips, windows and both directions; ln K for distances that tell nothing.
    """
    own = torch.arange(distances.shape[1], device=distances.device).expand(len(distances), -1)
    # The second axis is the one that cross_entropy chooses along.
    return (F.cross_entropy(-distances, own) + F.cross_entropy(-distances.mT, own)) / 2


def window_distances(lips: Tensor, audio: Tensor) -> Tensor:
    """Euclidean distances between the embeddings of every two windows of a clip, as lip-sync scores measure them.

    Args:
        lips: (B, K, d).
        audio: (B, K, d).

    Returns:
        (B, K, K) float32, lips in rows.
    """
    # In full precision and not by products: near ones would drown in their embeddings' lengths.
    with torch.autocast(lips.device.type, enabled=False):
        return torch.cdist(lips.float(), audio.float(), compute_mode="donot_use_mm_for_euclid_dist")


@torch.no_grad()
def matching_accuracy(distances: Tensor) -> Tensor:
    """How often the nearest of a clip's K windows is the own one, over both directions of `distances` (B, K, K)."""
    own = torch.arange(distances.shape[1], device=distances.device)
    hits = [distances.argmin(dim=axis) == own for axis in (1, 2)]
    return torch.stack(hits).float().mean()
