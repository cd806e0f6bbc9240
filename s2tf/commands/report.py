"""The paper's tables from what there is: parameters and memory of the networks now, finished runs to come."""

import argparse
import json
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "what",
        choices=["parameters", "memory"],
        help="parameters: of every network at the paper's size; memory: what training the first stage takes",
    )
    parser.add_argument("--scfp", type=Path, help="the experiment of the portrait diffusion (experiments/scfp.yaml)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to FILE")


def run(args: argparse.Namespace) -> int:
    """Count, print, write as JSON."""
    numbers = _parameters(args.scfp) if args.what == "parameters" else _memory(args.scfp)
    if args.json:
        args.json.write_text(json.dumps(numbers, indent=1) + "\n")
    return 0


def _parameters(scfp: Path | None) -> dict[str, Any]:
    from rich.console import Console
    from rich.table import Table

    from s2tf.commands.report_parameters import PAPER, count_parameters

    counts = count_parameters(scfp)
    table = Table("network", "parameters", "paper (Table XII)", title="what a talking face needs", title_justify="left")
    for stage, networks in counts.items():
        for name, count in networks.items():
            shown = f"{PAPER[stage] / 1e6:.0f} M" if name == "total" else ""
            table.add_row(f"{stage} {name}", f"{count / 1e6:.1f} M", shown, end_section=name == "total")
    console = Console()
    console.print(table)
    console.print("The face encoder, the discriminator and the networks of the losses are for training only.")
    return counts


def _memory(scfp: Path | None) -> dict[str, Any]:
    from rich.console import Console
    from rich.table import Table

    from s2tf.commands.report_memory import BATCH, estimate_memory

    estimates = estimate_memory(scfp=scfp)
    columns = ("stage", "weights", "gradients, Adam, averages", "a sample (bf16)", f"batch {BATCH}", "most in 48 GB")
    table = Table(*columns, title="memory of training on one GPU, estimated", title_justify="left")
    for stage, estimate in estimates.items():
        sizes = (estimate.weights, estimate.training, estimate.sample, estimate.total(BATCH))
        table.add_row(stage, *(f"{size / 1e9:.2f} GB" for size in sizes), str(estimate.largest_batch() or "not known"))
    console = Console()
    console.print(table)
    console.print(
        "Counted without running: activations of float32, halved for bf16; attention with its matrix, which fused "
        "kernels do not keep. Workspaces and fragmentation are not in it: 15 % are left free for them."
    )
    return {stage: estimate.to_json() for stage, estimate in estimates.items()}
