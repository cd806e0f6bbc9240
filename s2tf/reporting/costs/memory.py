"""Memory of training a stage at the paper's size, counted on torch's `meta` device, without any weights.

Counted are the weights and their bf16 copies, their gradients, Adam's two moments and the averaged weights (float32),
and the tensors that autograd keeps of one forward pass for the backward one, per sample. It is an estimate: activations
are counted in float32, of which bf16 keeps about half; attention is counted with its full matrix, which the fused
kernels of GPUs do not keep; and cuDNN's workspace, NCCL's buffers and the allocator's gaps come on top.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from s2tf.config import EXPERIMENTS, compose
from s2tf.media.audio import SAMPLE_RATE, spectra_shape
from s2tf.nn.network import build_network

A6000 = 48e9
"""Bytes of memory of the card that the paper used."""
MARGIN = 0.85
"""Share of a card's memory that may be planned with."""
BATCH = 32
"""Batch size of each of the eight GPUs in the first stage's experiments."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Memory of training one stage, in bytes."""

    weights: int
    """Weights of all networks, trained and frozen."""
    training: int
    """Gradients, Adam's moments and averages of the trained networks."""
    per_sample: int
    """Activations of a sample in float32."""
    checkpointed: bool = False
    """True if blocks are computed again in the backward pass; the memory of the largest one is not counted then."""
    batch: int = BATCH
    """Batch size of each GPU in the experiment."""

    @property
    def sample(self) -> float:
        """Activations of a sample under bf16."""
        return self.per_sample / 2

    def total(self, batch_size: int) -> float:
        """Return the memory of training with a batch size."""
        return self.weights + self.training + batch_size * self.sample

    def largest_batch(self, memory: float = A6000) -> int | None:
        """Return the largest batch that fits a card; None where it is unknown, since blocks are computed again."""
        return (
            None if self.checkpointed else max(0, int((MARGIN * memory - self.weights - self.training) / self.sample))
        )

    def to_json(self) -> dict[str, Any]:
        """Return the estimate as a JSON object."""
        batch = {f"batch_{BATCH}": self.total(BATCH), "largest_batch_48gb": self.largest_batch()}
        return {**asdict(self), **batch, "experiment_batch": self.total(self.batch)}


def estimate_memory(conre: Path | None = None, scfp: Path | None = None) -> dict[str, MemoryEstimate]:
    """Estimate the memory of ConRe and of the portrait diffusion.

    Args:
        conre: Experiment of ConRe; None for experiments/conre.yaml.
        scfp: Experiment of the portrait diffusion; None for experiments/scfp.yaml.
    """
    # Read the experiments.
    config = compose(conre or EXPERIMENTS / "conre.yaml", missing="random")
    parts, data = config["model"]["init_args"], config["data"]["init_args"]
    config = compose(scfp or EXPERIMENTS / "scfp.yaml", missing="random")
    stage, own_data = config["model"]["init_args"], config["data"]["init_args"]
    diffusion = stage["diffusion"]["init_args"]
    arguments = diffusion["unet"]["init_args"]
    learns, draws = stage.get("train_speech_encoder", False), stage.get("draws", 1)
    # Build their networks, and a forward pass of each stage.
    with torch.device("meta"):
        speech, face, decoder = (build_network(parts[name], name) for name in _ENCODERS)
        unet, weighting = (build_network(diffusion[name], name) for name in ("unet", "weighting"))
        own_speech = build_network(stage["speech_encoder"], "speech_encoder") if learns else speech

        def pretrain(batch: int) -> Tensor:
            # LPIPS, whose AlexNet keeps a hundredth of this, is left out.
            z_s, z_f = speech(_speech(speech, batch, data)), face(torch.zeros(batch, 3, data["size"], data["size"]))
            return z_s.sum() + decoder(z_f).sum()

        def denoise(batch: int) -> Tensor:
            z_s = torch.zeros(batch, arguments.get("dim", 4096))
            if learns:
                z_s = own_speech(_speech(own_speech, batch, own_data))
            z_s = z_s.repeat(draws, 1)
            noisy = weighting(z_s, torch.zeros(z_s.shape[1])).reshape(len(z_s), *arguments["latent_shape"])
            return unet(noisy, torch.zeros(len(z_s), dtype=torch.int64), z_s).sum()

        # Estimate.
        trained = [unet, weighting, own_speech] if learns else [unet, weighting]
        frozen = [face, decoder] if learns else [speech, face, decoder]
        checkpointed = arguments.get("gradient_checkpointing", False)
        return {
            "conre": _estimate([speech, face, decoder], [], pretrain, averaged=False),
            "scfp": replace(_estimate(trained, frozen, denoise, averaged=True), checkpointed=checkpointed),
        }


def _speech(encoder: Any, batch: int, data: dict[str, Any]) -> Tensor:
    """Return silent speech of the experiment's length, in the form that the encoder reads."""
    samples = round(data["seconds"] * SAMPLE_RATE)
    frames, bins, _ = spectra_shape(samples)
    return torch.zeros(batch, samples) if encoder.reads == "waveform" else torch.zeros(batch, 2, frames, bins)


_ENCODERS = ("speech_encoder", "face_encoder", "face_decoder")


def _estimate(
    trained: list[Any], frozen: list[Any], forward: Callable[[int], Tensor], *, averaged: bool
) -> MemoryEstimate:
    count, still = (sum(network.parameter_count for network in networks) for networks in (trained, frozen))
    own = {value.untyped_storage()._cdata for network in trained for value in network.parameters()}
    # Of two batch sizes, since some tensors do not grow with the batch.
    one, two = (saved_bytes(partial(forward, batch), own) for batch in (2, 3))
    return MemoryEstimate(
        weights=(4 + 2) * (count + still),
        training=4 * count * (4 if averaged else 3),
        per_sample=two - one,
    )


def saved_bytes(forward: Callable[[], Tensor], but: set[int]) -> int:
    """Return the bytes that autograd keeps of a forward pass, each storage once, without the storages `but`."""
    kept: dict[int, Tensor] = {}

    def pack(value: Tensor) -> Tensor:
        storage = value.untyped_storage()._cdata
        if storage not in but:
            kept[storage] = value
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        result = forward()
    del result
    return sum(value.untyped_storage().nbytes() for value in kept.values())
