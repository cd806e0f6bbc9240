"""Loading by an explicit map of names: each s2tf tensor has a source; each public tensor is used or known as unused."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from s2tf.nn.network import Network

SHOWN = 3
"""Number of tensors that a message names."""


@dataclass(frozen=True)
class Imported:
    """Networks with the weights of a public file."""

    networks: Mapping[str, Network]
    """Name of the folder to save a network in -> the network; the empty name stands for the only one."""
    unused: Mapping[str, str] = field(default_factory=dict)
    """Tensors of the file that were not needed, each with the reason."""

    @property
    def network(self) -> Any:
        """The only network."""
        return self.networks[""]


Names = Mapping[str, str | tuple[str, ...]]
"""Our name -> theirs, or several of theirs that are summed."""


def read_state(path: str | Path, *keys: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint file.

    Args:
        path: A file of `torch.save` or of safetensors.
        keys: Keys under which the tensors may be, such as `params_ema`; the first one that the file has is taken.
            If it has none, the file itself must map names to tensors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no tensors by name.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist, expected a weight file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        # Training scripts store their command line beside the weights.
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).strip().splitlines()[:1]
        raise ValueError(f"{path} is no readable weight file: {type(error).__name__} {reason}") from error
    for key in keys:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{path}: expected tensors by name" + (f", or under {' or '.join(keys)}" if keys else ""))
    return {str(name): value for name, value in content.items()}


def load_mapped(
    networks: Mapping[str, nn.Module],
    state: Mapping[str, Tensor],
    names: Names,
    unused: Mapping[str, str],
    origin: str,
    own: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Fill our networks with their tensors; shapes may differ by sides of length one only.

    Args:
        networks: Our networks, by the first part of our names.
        state: Their tensors.
        names: For every tensor of ours, the name of theirs.
        unused: Their tensors that are not needed, by the beginning or the end of their names, with the reason.
        origin: Name of their file, for messages.
        own: Our tensors that they do not have, by the end of our names, with the reason; they stay as they are.

    Returns:
        Their tensors that were not used, each with its reason.

    Raises:
        ValueError: a tensor is missing, of another shape, or neither used nor known to be unused; the first are named.
    """
    targets = {
        f"{part}.{name}": value
        for part, network in networks.items()
        for name, value in network.state_dict().items()
        if not name.endswith(tuple(own or ()))
    }
    if targets.keys() != names.keys():
        odd = sorted(targets.keys() ^ names.keys())
        raise RuntimeError(f"the map of {origin} does not cover the networks: {odd[:SHOWN]}")
    sources = {name: (theirs,) if isinstance(theirs, str) else theirs for name, theirs in names.items()}
    used = {theirs for parts in sources.values() for theirs in parts}
    left = {name: _reason(name, unused) for name in state if name not in used}
    # Everything is checked before anything is copied.
    wrong = _misfits(targets, sources, state)
    wrong += [f"{name} {_shape(state[name])}, which is not known" for name, reason in left.items() if reason is None]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise ValueError(f"{origin} is not what was expected: {'; '.join(wrong[:SHOWN])}{more}")
    _copy(targets, sources, state)
    return {name: reason for name, reason in left.items() if reason is not None}


def _misfits(
    targets: Mapping[str, Tensor], sources: Mapping[str, tuple[str, ...]], state: Mapping[str, Tensor]
) -> list[str]:
    """Their tensors that are missing or of another shape than ours, in words."""
    return [
        f"{theirs} {_shape(state.get(theirs))}, expected {tuple(targets[name].shape)}"
        for name, parts in sources.items()
        for theirs in parts
        if not _fits(state.get(theirs), targets[name])
    ]


@torch.no_grad()
def _copy(targets: Mapping[str, Tensor], sources: Mapping[str, tuple[str, ...]], state: Mapping[str, Tensor]) -> None:
    """Fill our tensors; one with several sources becomes their sum."""
    for name, parts in sources.items():
        target = targets[name]
        values = [state[theirs].reshape(target.shape).to(target.dtype) for theirs in parts]
        target.copy_(torch.stack(values).sum(dim=0) if len(values) > 1 else values[0])


def _fits(value: Tensor | None, target: Tensor) -> bool:
    return value is not None and _squeezed(value.shape) == _squeezed(target.shape)


def _squeezed(shape: Sequence[int]) -> list[int]:
    return [side for side in shape if side != 1]


def _shape(value: Tensor | None) -> str:
    return "is missing" if value is None else str(tuple(value.shape))


def _reason(name: str, unused: Mapping[str, str]) -> str | None:
    for part, reason in unused.items():
        if name.startswith(part) or name.endswith(part):
            return reason
    return None
