"""Copies shards and adds to every sample a member that a network computes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.shards.add_member import CopyReport, NewMember, OnClip, add_member
from datamodules.shards.samples import Sample
from s2tf.nn.network import Network


@dataclass(frozen=True)
class ShardCopy:
    """A requested copy of shards."""

    shards: Path
    out: Path
    """The new folder; an unfinished copy is continued."""
    part: tuple[int, int] = (1, 1)
    """(I, N): do the I-th of N parts."""
    on_clip: OnClip | None = None
    """Function that is called with the number of finished clips and of all clips."""


def copy_with_member(
    copy: ShardCopy,
    member: str,
    network: Network,
    dim: int,
    compute: Callable[[Sample], np.ndarray | None],
    about: Mapping[str, Any] | None = None,
) -> CopyReport:
    """Copy shards with a member computed by a network, which the new manifest describes.

    Args:
        copy: Source and destination of the copy, and the part to do.
        member: Name of the member in a sample.
        network: The network that computes it.
        dim: Numbers in a row of the member.
        compute: Function from a sample to its member, or None for a sample that cannot have it.
        about: More entries for the description in the manifest.

    Raises:
        FileNotFoundError: The shards are absent.
        ValueError: The new folder holds other shards.
    """
    described = {"dim": dim, "network": type(network).__name__, "fingerprint": network.fingerprint(), **(about or {})}
    return add_member(copy.shards, copy.out, NewMember(member, described, compute), copy.part, copy.on_clip)
