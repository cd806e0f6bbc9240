"""Compute costs of the networks: parameters at the paper's size, memory of training, communication between GPUs."""

import argparse
from pathlib import Path

from s2tf.commands.console import table_console, write_json
from s2tf.commands.options import add_json, positive

_TITLES = {
    "parameters": "parameters of every network at the paper's size",
    "memory": "estimated memory of training each stage on one GPU",
    "communication": "bytes that the GPUs of each stage send each other in a step, and the least time for it",
}


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
    from s2tf.reporting.costs.tables import communication_cost, memory_cost, parameter_cost

    if args.cost == "communication":
        cost = communication_cost(args.nodes, args.gpus)
    else:
        cost = {"parameters": parameter_cost, "memory": memory_cost}[args.cost](args.scfp)
    console = table_console()
    console.print(cost.table)
    console.print(cost.note)
    write_json(args.json, cost.numbers)
    return 0
