"""Weights of a network, each tensor drawn from its own name, as those behind the numbers in `importers/fixtures`."""

import json
import zlib
from pathlib import Path

import torch
from safetensors.torch import load_file

FIXTURES = Path(__file__).parents[1] / "importers" / "fixtures"


def drawn_state(network: str, equalised: bool = False) -> dict[str, torch.Tensor]:
    """All tensors of a network of the fixtures."""
    shapes = json.loads((FIXTURES / f"{network}.json").read_text())
    return {name: _draw(name, shape, equalised) for name, shape in shapes.items()}


def reference(network: str) -> dict[str, torch.Tensor]:
    """Its inputs and outputs."""
    return load_file(FIXTURES / f"{network}.safetensors")


def relative_error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest difference in standard deviations of the reference."""
    return float((ours - theirs).abs().max() / theirs.std())


def _draw(name, shape, equalised):
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("kernel"):
        taps = torch.tensor([1.0, 3, 3, 1])
        kernel = torch.outer(taps, taps) / 64
        return 4 * kernel if "upsample" in name or name.startswith("dec.convs") else kernel
    value = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
    if len(shape) >= 2:
        return value if equalised else value * (2 * shape[0] / value.numel()) ** 0.5
    if name.endswith("running_var"):
        return 1 + 0.1 * value.abs()
    return 1 + 0.1 * value if name.endswith("weight") else 0.1 * value
