"""What training a stage holds in memory at the paper's size, counted on torch's `meta` device, without any weights.

Counted are the weights, their gradients, Adam's two moments and the averaged weights (float32 all), and what autograd
keeps of one forward pass for the backward one, per sample. It is an estimate: the activations are those of float32,
of which bf16 keeps about half; attention is counted as if it kept its matrix, which the fused kernels of GPUs do not;
and cuDNN's workspace, NCCL's buffers and the allocator's gaps come on top.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.commands.report_parameters import EXPERIMENTS

if TYPE_CHECKING:
    from torch import Tensor

A6000 = 48e9
"""Bytes."""
MARGIN = 0.85
"""The share of a card that may be planned with."""
BATCH = 32
"""Of each of the eight GPUs in the first stage's experiments."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Of one stage; bytes."""

    weights: int
    """Of all networks, trained and frozen."""
    training: int
    """Gradients, Adam's moments and averages of those that are trained."""
    per_sample: int
    """Activations of a sample in float32."""

    @property
    def sample(self) -> float:
        """Activations of a sample under bf16."""
        return self.per_sample / 2

    def total(self, batch_size: int) -> float:
        """Of a batch."""
        return self.weights + self.training + batch_size * self.sample

    def largest_batch(self, memory: float = A6000) -> int:
        """That fits a card."""
        return max(0, int((MARGIN * memory - self.weights - self.training) / self.sample))

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        batch = {f"batch_{BATCH}": self.total(BATCH), "largest_batch_48gb": self.largest_batch()}
        return {**asdict(self), **batch}


def estimate_memory(conre: Path | None = None, scfp: Path | None = None) -> dict[str, MemoryEstimate]:
    """Of ConRe and of the portrait diffusion.

    Args:
        conre: Another experiment than experiments/conre.yaml.
        scfp: Another experiment than experiments/scfp.yaml.
    """
    import torch

    from s2tf.config import compose
    from s2tf.nn.network import build_network

    config = compose(conre or EXPERIMENTS / "conre.yaml", missing="random")
    parts, data = config["model"]["init_args"], config["data"]["init_args"]
    stage = compose(scfp or EXPERIMENTS / "scfp.yaml", missing="random")["model"]["init_args"]
    diffusion = stage["diffusion"]["init_args"]
    with torch.device("meta"):
        speech, face, decoder = (build_network(parts[f"{name}"], name) for name in _ENCODERS)
        unet, weighting = (build_network(diffusion[name], name) for name in ("unet", "weighting"))
        size, frames = data["size"], round(100 * data["seconds"]) - 2
        dim = parts["speech_encoder"]["init_args"]["dim"]
        shape = diffusion["unet"]["init_args"]["latent_shape"]

        def pretrain(batch: int) -> "Tensor":
            # LPIPS, whose AlexNet keeps a hundredth of this, is left out.
            z_s, z_f = speech(torch.zeros(batch, 2, frames, 257)), face(torch.zeros(batch, 3, size, size))
            return z_s.sum() + decoder(z_f).sum()

        def denoise(batch: int) -> "Tensor":
            z_s, z_p = torch.zeros(batch, dim), torch.zeros(dim)
            noisy = weighting(z_s, z_p).reshape(batch, *shape)
            return unet(noisy, torch.zeros(batch, dtype=torch.int64), z_s).sum()

        return {
            "conre": _estimate([speech, face, decoder], [], pretrain, averaged=False),
            "scfp": _estimate([unet, weighting], [speech, face, decoder], denoise, averaged=True),
        }


_ENCODERS = ("speech_encoder", "face_encoder", "face_decoder")


def _estimate(
    trained: list[Any], frozen: list[Any], forward: Callable[[int], "Tensor"], *, averaged: bool
) -> MemoryEstimate:
    count, still = (sum(network.parameter_count for network in networks) for networks in (trained, frozen))
    own = {value.untyped_storage()._cdata for network in trained for value in network.parameters()}
    # Twice: what does not grow with the batch is not a sample's.
    one, two = (saved_bytes(partial(forward, batch), own) for batch in (2, 3))
    return MemoryEstimate(
        weights=4 * (count + still),
        training=4 * count * (4 if averaged else 3),
        per_sample=two - one,
    )


def saved_bytes(forward: Callable[[], "Tensor"], but: set[int]) -> int:
    """What autograd keeps of a forward pass, every storage once, but those named."""
    import torch

    kept: dict[int, Tensor] = {}

    def pack(value: "Tensor") -> "Tensor":
        storage = value.untyped_storage()._cdata
        if storage not in but:
            kept[storage] = value
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        result = forward()
    del result
    return sum(value.untyped_storage().nbytes() for value in kept.values())
