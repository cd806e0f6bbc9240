"""What each stage's GPUs send each other in a training step at the paper's size, and the least time that it takes.

Reckoned from the networks on torch's `meta` device, without weights or GPUs. By ring algorithms, as NCCL's for large
messages, each of N ranks sends 2 (N − 1) / N of the bytes of an all-reduce, N − 1 times its own part in an all-gather,
and a broadcast's bytes once. What limits a ring is the slowest link on its way.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from rich.table import Table
from torch import nn

from s2tf.commands.console import table_console
from s2tf.config import EXPERIMENTS, compose
from s2tf.errors import UserError
from s2tf.nn.batch_norm import BatchNorm
from s2tf.nn.network import build_network
from s2tf.nn.quantiser import VectorQuantiser
from s2tf.reporting.costs.parameters import paper_networks

FLOAT, INTEGER = 4, 8
"""Bytes: gradients, embeddings and statistics are float32 under bf16-mixed, identities int64."""
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
    """The payloads of one step of a stage, in bytes."""

    gradients: int
    """All-reduced; of the trained parameters."""
    buffers: int
    """Broadcast by DDP before the forward pass; of all networks."""
    embeddings: int = 0
    """Of one rank, all-gathered with the identities; the gradients of all ranks' come back by an all-reduce."""
    identities: int = 0
    """Of one rank, all-gathered."""
    gathered_statistics: int = 0
    """Of one rank's batch normalisation, forward."""
    reduced_statistics: int = 0
    """All-reduced: of batch normalisation, backward, and of the use of the codes."""

    def sent(self, ranks: int) -> dict[str, float]:
        """Bytes that each rank sends, by what they are."""
        reduce, others = 2 * (ranks - 1) / ranks, ranks - 1
        return {
            "gradients": reduce * self.gradients,
            "buffers": float(self.buffers if ranks > 1 else 0),
            "embeddings": others * (self.embeddings + self.identities) + reduce * ranks * self.embeddings,
            "statistics": others * self.gathered_statistics + reduce * self.reduced_statistics,
        }

    def seconds(self, ranks: int) -> dict[str, float]:
        """The least time by link, where that is the slowest one of the ring."""
        total = sum(self.sent(ranks).values())
        return {link: total / speed for link, speed in LINKS.items()}

    def to_json(self, ranks: int) -> dict[str, Any]:
        """As a JSON object."""
        return {"payload": asdict(self), "sent": self.sent(ranks), "seconds": self.seconds(ranks)}


def show_communication(nodes: int, gpus: int) -> dict[str, Any]:
    """Print it for so many nodes with so many GPUs each; returns the numbers.

    Raises:
        UserError: a number is below 1.
    """
    if min(nodes, gpus) < 1:
        raise UserError(f"--nodes {nodes}, --gpus {gpus}: expected 1 at least")
    ranks = nodes * gpus
    stages = paper_traffic()
    kinds = [*stages["conre"].sent(ranks)]
    title = f"what each of {ranks} GPUs sends in a step, in MB, and the least time by the slowest link, in ms"
    table = Table("stage", *kinds, *LINKS, title=title, title_justify="left")
    for name, stage in stages.items():
        sent = [f"{value / 1e6:.2f}" for value in stage.sent(ranks).values()]
        table.add_row(name, *sent, *(f"{1e3 * value:.1f}" for value in stage.seconds(ranks).values()))
    console = table_console()
    console.print(table)
    console.print(
        "Reckoned, not measured: links at their nominal speed in one direction, of which NCCL reaches a part.\n"
        "Gradients travel while the backward pass goes on, and cost only what it does not cover."
    )
    return {name: stage.to_json(ranks) for name, stage in stages.items()}


def traffic(trained: "Sequence[nn.Module]", frozen: "Sequence[nn.Module]" = ()) -> Traffic:
    """What DDP, batch normalisation and a codebook send for networks."""
    modules = [module for network in trained for module in network.modules()]
    channels = [module.num_features for module in modules if isinstance(module, BatchNorm)]
    codes = [len(module.usage) for module in modules if isinstance(module, VectorQuantiser)]
    buffers = {id(value): value for network in (*trained, *frozen) for value in network.buffers()}
    return Traffic(
        gradients=sum(_bytes(value) for one in trained for value in one.parameters() if value.requires_grad),
        buffers=sum(map(_bytes, buffers.values())),
        # Mean and deviation of each channel with the number of rows; then two sums of each channel's gradients.
        gathered_statistics=FLOAT * sum(2 * count + 1 for count in channels),
        reduced_statistics=FLOAT * (sum(2 * count for count in channels) + sum(codes)),
    )


def paper_traffic() -> dict[str, Traffic]:
    """Of every stage by the experiments of the paper's size."""
    paper = {name: config for part in paper_networks().values() for name, config in part.items()}
    composed = {name: compose(EXPERIMENTS / f"{name}.yaml", missing="random") for name in COMMUNICATED}
    stages = {name: config["model"]["init_args"] for name, config in composed.items()}
    face_encoder, batch = stages["conre"]["face_encoder"], composed["conre"]["data"]["init_args"]["batch_size"]
    embedding = batch * face_encoder["init_args"]["dim"] * FLOAT
    configs = paper | {
        "face_encoder": face_encoder,
        "discriminator": stages["motion_autoencoder"]["discriminator"],
        "hd_discriminator": stages["codebook"]["discriminator"],
        "syncnet": stages["syncnet"]["syncnet"],
    }
    with torch.device("meta"):
        made = {name: build_network(config, name) for name, config in configs.items()}

    def of(trained: str, frozen: str = "") -> Traffic:
        return traffic([made[name] for name in trained.split()], [made[name] for name in frozen.split()])

    first = replace(
        of("speech_encoder face_encoder face_decoder"), embeddings=2 * embedding, identities=batch * INTEGER
    )
    return {
        "conre": first,
        "scfp": of("denoiser prior_weighting", "speech_encoder face_encoder face_decoder"),
        "motion_autoencoder": of("motion_autoencoder discriminator"),
        "codebook": of("codebook hd_discriminator", "motion_autoencoder"),
        "lip_landmarks": of("lip_landmarks", "speech_features"),
        "motion_diffusion": of("motion_diffusion", "speech_features"),
        "syncnet": of("syncnet"),
    }


def _bytes(value: Any) -> int:
    return value.numel() * value.element_size()
