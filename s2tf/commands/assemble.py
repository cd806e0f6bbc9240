"""Put the networks of finished runs together into a pipeline folder, which needs no Lightning."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.console import announce
from s2tf.commands.options import add_out_folder, number, positive, user_errors

if TYPE_CHECKING:
    from s2tf.systems.declaration import System


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: the runs and options of every system, each name once."""
    from s2tf.systems.registry import SYSTEMS

    add_out_folder(parser, "folder of the pipeline")
    parser.add_argument(
        "--half", action="store_true", help="store each parameter with 16 bits, in half the space (default: 32 bits)"
    )
    declared: set[str] = set()
    for system in SYSTEMS:
        group = parser.add_argument_group(f"finished runs of {system.name}", "; ".join(_needs(system)))
        for run_input in system.runs:
            if run_input.name not in declared:
                group.add_argument(run_input.option, type=Path, metavar="RUN", help=run_input.help)
        for chosen in system.chosen:
            if chosen.option not in declared:
                group.add_argument(
                    f"--{chosen.option}", type=positive if chosen.type is int else number(0), help=chosen.help
                )
        for network in system.networks:
            if network.component not in declared:
                group.add_argument(network.option, type=Path, metavar="FOLDER", help=network.help)
        declared |= {one.name for one in system.runs} | {one.option for one in system.chosen}
        declared |= {one.component for one in system.networks}


def run(args: argparse.Namespace) -> int:
    """Check that the runs belong together, and save the pipeline."""
    from s2tf.runs.assemble import assemble, chosen_settings
    from s2tf.systems.registry import SYSTEMS

    given = {name: value for name, value in vars(args).items() if value is not None}
    runs = {one.name: given[one.name] for system in SYSTEMS for one in system.runs if one.name in given}
    options = {one.option: given[one.option] for system in SYSTEMS for one in system.chosen if one.option in given}
    names = {one.component for system in SYSTEMS for one in system.networks}
    networks = {name: given[name] for name in names if name in given}
    with user_errors():
        pipeline = assemble(runs, chosen_settings(runs, options), networks, announce)
        pipeline.save_pretrained(args.out, 16 if args.half else 32)
    print(f"{type(pipeline).__name__}: {args.out}")
    return 0


def _needs(system: "System") -> "list[str]":
    """List the options of the runs that each pipeline of a system needs."""
    return [f"{one.name}: {' '.join(system.run(name).option for name in one.runs)}" for one in system.pipelines]
