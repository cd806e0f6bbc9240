"""Compute costs of the networks: parameters at the paper's size, memory of training, communication between GPUs."""

import argparse
from pathlib import Path
from typing import Any

from s2tf.commands.options import add_json, positive
from s2tf.commands.report.options import write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: each cost has only the options that have an effect on it."""
    names = parser.add_subparsers(dest="cost", required=True, metavar="NAME")
    for name, title in _TITLES.items():
        own = names.add_parser(name, help=title, description=title)
        if name == "communication":
            own.add_argument("--nodes", type=positive, default=1, help="number of nodes (default: %(default)s)")
            own.add_argument(
                "--gpus", type=positive, default=8, help="number of GPUs of each node (default: %(default)s)"
            )
        else:
            own.add_argument("--scfp", type=Path, help="experiment YAML of the portrait diffusion (default: scfp.yaml)")
        add_json(own, "the numbers")


def run(args: argparse.Namespace) -> int:
    """Compute and print one of the costs."""
    write_json(args.json, _COSTS[args.cost](args))
    return 0


def _parameters(args: argparse.Namespace) -> dict[str, Any]:
    from rich.table import Table

    from s2tf.commands.console import table_console
    from s2tf.reporting.costs.parameters import PAPER, count_parameters

    counts = count_parameters(args.scfp)
    table = Table(
        "network", "parameters", "paper (Table XII)", title="networks of a talking face", title_justify="left"
    )
    for name, stage in counts.items():
        for network, count in stage.networks.items():
            table.add_row(f"{name} {network}", _millions(count), "")
        table.add_row(f"{name} total", _millions(stage.total), f"{PAPER[name] / 1e6:.0f} M", end_section=True)
    console = table_console()
    console.print(table)
    console.print("Not counted, since only training needs them: face encoder, discriminator, networks of the losses.")
    return {name: stage.to_json() for name, stage in counts.items()}


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M"


def _memory(args: argparse.Namespace) -> dict[str, Any]:
    from rich.table import Table

    from s2tf.commands.console import table_console
    from s2tf.reporting.costs.memory import estimate_memory
    from s2tf.reporting.costs.step_memory import estimate_second_stage

    estimates = estimate_memory(scfp=args.scfp) | estimate_second_stage()
    columns = ("stage", "weights", "gradients, Adam, averages", "a sample (bf16)", "batch", "all", "most in 48 GB")
    table = Table(*columns, title="memory of training on one GPU, estimated", title_justify="left")
    for stage, estimate in estimates.items():
        sizes = (estimate.weights, estimate.training, estimate.sample, estimate.total(estimate.batch))
        *parts, total = (f"{size / 1e9:.2f} GB" for size in sizes)
        table.add_row(stage, *parts, str(estimate.batch), total, str(estimate.largest_batch() or "not known"))
    console = table_console()
    console.print(table)
    console.print(
        "Counted without running: activations in float32, halved for bf16; attention with its full matrix, which fused "
        "kernels do not keep. Workspaces and fragmentation are not counted: 15 % of the GPU is left free for them."
    )
    return {stage: estimate.to_json() for stage, estimate in estimates.items()}


def _communication(args: argparse.Namespace) -> dict[str, Any]:
    from rich.table import Table

    from s2tf.commands.console import table_console
    from s2tf.reporting.costs.communication import LINKS, paper_traffic

    ranks = args.nodes * args.gpus
    stages = paper_traffic()
    title = f"what each of {ranks} GPUs sends in a step, in MB, and the least time by the slowest link, in ms"
    table = Table("stage", *stages["conre"].sent(ranks), *LINKS, title=title, title_justify="left")
    for name, stage in stages.items():
        sent = [f"{value / 1e6:.2f}" for value in stage.sent(ranks).values()]
        table.add_row(name, *sent, *(f"{1e3 * value:.1f}" for value in stage.seconds(ranks).values()))
    console = table_console()
    console.print(table)
    console.print(
        "Computed, not measured: links at their nominal speed in one direction; NCCL reaches only a part of it.\n"
        "Gradients are sent during the backward pass; they cost time only if sending takes longer than that pass."
    )
    return {name: stage.to_json(ranks) for name, stage in stages.items()}


_TITLES = {
    "parameters": "parameters of every network at the paper's size",
    "memory": "estimated memory of training each stage on one GPU",
    "communication": "bytes that the GPUs of each stage send each other in a step, and the least time for it",
}
_COSTS = {"parameters": _parameters, "memory": _memory, "communication": _communication}
