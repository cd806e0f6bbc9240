"""The paper's tables from what there is: the networks' parameters now, finished runs to come."""

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("what", choices=["parameters"], help="parameters: of every network at the paper's size")
    parser.add_argument("--scfp", type=Path, help="the experiment of the portrait diffusion (experiments/scfp.yaml)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to FILE")


def run(args: argparse.Namespace) -> int:
    """Count, print beside the paper's numbers, write as JSON."""
    from rich.console import Console
    from rich.table import Table

    from s2tf.commands.report_parameters import PAPER, count_parameters

    counts = count_parameters(args.scfp)
    table = Table("network", "parameters", "paper (Table XII)", title="what a talking face needs", title_justify="left")
    for stage, networks in counts.items():
        for name, count in networks.items():
            shown = f"{PAPER[stage] / 1e6:.0f} M" if name == "total" else ""
            table.add_row(f"{stage} {name}", f"{count / 1e6:.1f} M", shown, end_section=name == "total")
    console = Console()
    console.print(table)
    console.print("The face encoder, the discriminator and the networks of the losses are for training only.")
    if args.json:
        args.json.write_text(json.dumps(counts, indent=1) + "\n")
    return 0
