"""Matching of lips and speech at several times of a clip, for SyncNet (Chung, Chung and Kang 2019)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def matching_loss(distances: Tensor) -> Tensor:
    """Cross-entropy of finding each window's own speech among its clip's, and each speech's lips.

    The choice is a softmax over negative distances. Windows of the same clip differ only in their time.

    Args:
        distances: (B, K, K) from the lips of a clip's K windows (rows) to their speech (columns), as returned by
            `window_distances`.

    Returns:
        A scalar, the mean over clips, windows and both directions; ln K for equal distances.

    Example:
        >>> round(matching_loss(torch.zeros(1, 4, 4)).item(), 4)  # ln 4
        1.3863
    """
    own = torch.arange(distances.shape[1], device=distances.device).expand(len(distances), -1)
    # cross_entropy chooses along the second axis.
    return (F.cross_entropy(-distances, own) + F.cross_entropy(-distances.mT, own)) / 2


def window_distances(lips: Tensor, audio: Tensor) -> Tensor:
    """Euclidean distances between the embeddings of every two windows of a clip, as lip-sync scores measure them.

    Args:
        lips: (B, K, d) embeddings.
        audio: (B, K, d) embeddings.

    Returns:
        (B, K, K) float32, lips in rows.

    Example:
        >>> window_distances(torch.tensor([[[0.0], [3.0]]]), torch.tensor([[[0.0], [1.0]]])).tolist()
        [[[0.0, 1.0], [3.0, 2.0]]]
    """
    # In full precision and without matrix products, in which rounding of long embeddings would hide small distances.
    with torch.autocast(lips.device.type, enabled=False):
        return torch.cdist(lips.float(), audio.float(), compute_mode="donot_use_mm_for_euclid_dist")


@torch.no_grad()
def matching_accuracy(distances: Tensor) -> Tensor:
    """The share of windows whose nearest counterpart is their own, over both directions of `distances` (B, K, K).

    Example:
        >>> matching_accuracy(1 - torch.eye(3)[None]).item()
        1.0
    """
    own = torch.arange(distances.shape[1], device=distances.device)
    hits = [distances.argmin(dim=axis) == own for axis in (1, 2)]
    # At least 32 bits, and 64 where the distances have them: ranks add up to the share of one process.
    return torch.stack(hits).to(torch.promote_types(distances.dtype, torch.float32)).mean()
