"""Tables of the costs of the networks, for a terminal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from s2tf.reporting.costs.communication import LINKS, paper_traffic
from s2tf.reporting.costs.memory import estimate_memory
from s2tf.reporting.costs.parameters import PAPER, count_parameters
from s2tf.reporting.costs.step_memory import estimate_second_stage


@dataclass(frozen=True)
class Cost:
    """A cost: its table, what was left out, and the numbers for a file."""

    table: Table
    note: str
    numbers: dict[str, Any]


def parameter_cost(scfp: Path | None) -> Cost:
    """Count the parameters of a talking face, with the portrait diffusion of an experiment YAML (None: the paper's)."""
    counts = count_parameters(scfp)
    table = Table(
        "network", "parameters", "paper (Table XII)", title="networks of a talking face", title_justify="left"
    )
    for name, stage in counts.items():
        for network, count in stage.networks.items():
            table.add_row(f"{name} {network}", _millions(count), "")
        table.add_row(f"{name} total", _millions(stage.total), f"{PAPER[name] / 1e6:.0f} M", end_section=True)
    note = "Not counted, since only training needs them: face encoder, discriminator, networks of the losses."
    return Cost(table, note, {name: stage.to_json() for name, stage in counts.items()})


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M"


def memory_cost(scfp: Path | None) -> Cost:
    """Estimate the memory of training, with the portrait diffusion of an experiment YAML (None: the paper's)."""
    estimates = estimate_memory(scfp=scfp) | estimate_second_stage()
    columns = ("stage", "weights", "gradients, Adam, averages", "a sample (bf16)", "batch", "all", "most in 48 GB")
    table = Table(*columns, title="memory of training on one GPU, estimated", title_justify="left")
    for stage, estimate in estimates.items():
        sizes = (estimate.weights, estimate.training, estimate.sample, estimate.total(estimate.batch))
        *parts, total = (f"{size / 1e9:.2f} GB" for size in sizes)
        table.add_row(stage, *parts, str(estimate.batch), total, str(estimate.largest_batch() or "not known"))
    note = (
        "Counted without running: the first stage's activations in float32, halved for bf16, its losses left out; the "
        "second stage's whole step under bf16; attention with its full matrix, which fused "
        "kernels do not keep. Workspaces and fragmentation are not counted: 15 % of the GPU is left free for them."
    )
    return Cost(table, note, {stage: estimate.to_json() for stage, estimate in estimates.items()})


def communication_cost(nodes: int, gpus: int) -> Cost:
    """Compute what the GPUs send each other, on a number of nodes with a number of GPUs each."""
    ranks = nodes * gpus
    stages = paper_traffic()
    title = f"what each of {ranks} GPUs sends in a step, in MB, and the least time by the slowest link, in ms"
    table = Table("stage", *stages["conre"].sent(ranks), *LINKS, title=title, title_justify="left")
    for name, stage in stages.items():
        sent = [f"{value / 1e6:.2f}" for value in stage.sent(ranks).values()]
        table.add_row(name, *sent, *(f"{1e3 * value:.1f}" for value in stage.seconds(ranks).values()))
    note = (
        "Computed, not measured: links at their nominal speed in one direction; NCCL reaches only a part of it.\n"
        "Gradients are sent during the backward pass; they cost time only if sending takes longer than that pass."
    )
    return Cost(table, note, {name: stage.to_json(ranks) for name, stage in stages.items()})
