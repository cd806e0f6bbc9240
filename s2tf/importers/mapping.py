"""Loading by an explicit map of names: each s2tf tensor has a source; each public tensor is used or known as unused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from s2tf.nn.network import Network
from s2tf.nn.weight_files import check_finite, read_tensors

SHOWN = 3
"""Number of tensors that a message names."""


@dataclass(frozen=True)
class Imported:
    """Networks with the weights of a public file."""

    networks: Mapping[str, Network]
    """Name of the folder to save a network in -> the network; the empty name stands for the only one."""
    unused: Mapping[str, str] = field(default_factory=dict)
    """Tensors of the file that were not needed, each with the reason."""
    notes: Sequence[str] = ()
    """Assumptions about the file, which does not say it."""

    @property
    def network(self) -> Any:
        """The only network."""
        return self.networks[""]


Names = Mapping[str, str | tuple[str, ...]]
"""Our name -> theirs, or several of theirs that are summed."""


def read_state(path: str | Path, *keys: str) -> dict[str, Tensor]:
    """The tensors of a public file.

    Args:
        path: A file of `torch.save` or of safetensors.
        keys: Keys under which the tensors may be, see `s2tf.nn.weight_files.read_tensors`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no tensors by name, or one with numbers that are not finite.
    """
    state = read_tensors(path, *keys)
    check_finite(state, path)
    return state


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
        raise ValueError(f"{origin} {_own_word(state)}is not what was expected: {'; '.join(wrong[:SHOWN])}{more}")
    _copy(targets, sources, state)
    return {name: reason for name, reason in left.items() if reason is not None}


KNOWN = {
    "LIA": ("enc.net_app.", "dec.direction."),
    "CodeFormer": ("quantize.embedding.", "ft_layers.", "position_emb"),
    "audio2mesh of AniPortrait": ("audio_encoder.", "in_fn.", "out_fn."),
    "SyncNet": ("netcnnaud.", "netcnnlip."),
    "VGG-Face": ("conv1_1.", "fc6."),
    "RAFT": ("feature_encoder.", "update_block."),
    "wav2vec 2.0": ("wav2vec2.",),
    "HuBERT": ("hubert.",),
    "a GFPGAN": ("stylegan_decoder.",),
    "torchvision's VGG": ("features.0.", "classifier.0."),
    "a ResNet": ("layer1.0.", "layer4.0."),
}
"""Public model -> beginnings of its tensors' names, all of which it has."""


def _own_word(state: Mapping[str, Tensor]) -> str:
    """The model whose tensors a file holds by their names, or the first names, in words."""
    for model, starts in KNOWN.items():
        if all(any(name.startswith(start) for name in state) for start in starts):
            return f"holds the tensors of {model} by their names and "
    return f"holds tensors such as {', '.join(list(state)[:2]) or 'none'} and "


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
