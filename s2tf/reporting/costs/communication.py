"""Traffic between the GPUs of each stage in a training step at the paper's size, and the least time that it takes.

Computed from the networks on torch's `meta` device, without weights or GPUs. By ring algorithms, as NCCL uses them for
large messages, each of N ranks sends 2 (N − 1) / N of the bytes of an all-reduce, N − 1 times its own part in an
all-gather, and a broadcast's bytes once. The slowest link of the ring limits all of it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn

from s2tf.config import EXPERIMENTS, compose
from s2tf.nn.batch_norm import BatchNorm
from s2tf.nn.network import build_network
from s2tf.nn.quantiser import VectorQuantiser
from s2tf.reporting.costs.parameters import paper_networks

FLOAT, INTEGER = 4, 8
"""Bytes of a number: gradients, embeddings and statistics are float32 under bf16-mixed, identities int64."""
LINKS = {
    "NVLink bridge": 56.25e9,
    "PCIe 4.0 x16": 31.5e9,
    "HDR InfiniBand": 25e9,
    "100 GbE": 12.5e9,
}
"""Bytes a second in one direction, by the standards; a bridge of two RTX A6000 has 112.5 GB/s in both (datasheet)."""
COMMUNICATED = ("conre", "scfp", "motion_autoencoder", "codebook", "lip_landmarks", "motion_diffusion", "syncnet")


@dataclass(frozen=True)
class Traffic:
    """Payloads of one step of a stage, in bytes."""

    gradients: int
    """Gradients of the trained parameters, all-reduced."""
    buffers: int
    """Buffers of all networks, broadcast by DDP before the forward pass."""
    embeddings: int = 0
    """Embeddings of one rank, all-gathered with the identities; their gradients return by an all-reduce."""
    identities: int = 0
    """Identities of one rank, all-gathered."""
    gathered_statistics: int = 0
    """Statistics of one rank's batch normalisation in the forward pass, all-gathered."""
    reduced_statistics: int = 0
    """Sums of batch normalisation in the backward pass, and counts of the codes used, all-reduced."""

    def sent(self, ranks: int) -> dict[str, float]:
        """Return the bytes that each rank sends, by kind."""
        reduce, others = 2 * (ranks - 1) / ranks, ranks - 1
        return {
            "gradients": reduce * self.gradients,
            "buffers": float(self.buffers if ranks > 1 else 0),
            "embeddings": others * (self.embeddings + self.identities) + reduce * ranks * self.embeddings,
            "statistics": others * self.gathered_statistics + reduce * self.reduced_statistics,
        }

    def seconds(self, ranks: int) -> dict[str, float]:
        """Return the least time for each link as the slowest one of the ring."""
        total = sum(self.sent(ranks).values())
        return {link: total / speed for link, speed in LINKS.items()}

    def to_json(self, ranks: int) -> dict[str, Any]:
        """Return payload, bytes sent and least times as a JSON object."""
        return {"payload": asdict(self), "sent": self.sent(ranks), "seconds": self.seconds(ranks)}


def traffic(trained: Sequence[nn.Module], frozen: Sequence[nn.Module] = ()) -> Traffic:
    """Return the traffic of DDP, batch normalisation and a codebook for networks."""
    modules = [module for network in trained for module in network.modules()]
    channels = [module.num_features for module in modules if isinstance(module, BatchNorm)]
    codes = [len(module.usage) for module in modules if isinstance(module, VectorQuantiser)]
    buffers = {id(value): value for network in (*trained, *frozen) for value in network.buffers()}
    return Traffic(
        gradients=sum(_bytes(value) for one in trained for value in one.parameters() if value.requires_grad),
        buffers=sum(map(_bytes, buffers.values())),
        # Forward: mean and deviation of each channel, and the number of rows. Backward: two sums for each channel.
        gathered_statistics=FLOAT * sum(2 * count + 1 for count in channels),
        reduced_statistics=FLOAT * (sum(2 * count for count in channels) + sum(codes)),
    )


def paper_traffic() -> dict[str, Traffic]:
    """Return the traffic of every stage by the experiments of the paper's size."""
    # Read the experiments.
    paper = {name: config for part in paper_networks().values() for name, config in part.items()}
    composed = {name: compose(EXPERIMENTS / f"{name}.yaml", missing="random") for name in COMMUNICATED}
    stages = {name: config["model"]["init_args"] for name, config in composed.items()}
    face_encoder, batch = stages["conre"]["face_encoder"], composed["conre"]["data"]["init_args"]["batch_size"]
    embedding = batch * face_encoder["init_args"]["dim"] * FLOAT
    # Build every network without weights.
    configs = paper | {
        "face_encoder": face_encoder,
        "discriminator": stages["motion_autoencoder"]["discriminator"],
        "hd_discriminator": stages["codebook"]["discriminator"],
        "syncnet": stages["syncnet"]["syncnet"],
    }
    with torch.device("meta"):
        built = {name: build_network(config, name) for name, config in configs.items()}

    def of(trained: str, frozen: str = "") -> Traffic:
        return traffic([built[name] for name in trained.split()], [built[name] for name in frozen.split()])

    # Add up the traffic of each stage's trained and frozen networks.
    first = replace(
        of("speech_encoder face_encoder face_decoder"), embeddings=2 * embedding, identities=batch * INTEGER
    )
    return {
        "conre": first,
        "scfp": of("denoiser prior_weighting", "speech_encoder face_encoder face_decoder"),
        "motion_autoencoder": of("motion_autoencoder discriminator"),
        "codebook": of("codebook hd_discriminator", "motion_autoencoder"),
        "lip_landmarks": of("lip_landmarks"),
        "motion_diffusion": of("motion_diffusion", "speech_features"),
        "syncnet": of("syncnet"),
    }


def _bytes(value: Any) -> int:
    return value.numel() * value.element_size()
