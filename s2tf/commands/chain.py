"""Run the steps of a chain YAML, such as all rows of an ablation table, each as soon as the steps it needs are done."""

import argparse
import os
import shlex
import signal
import sys

from s2tf.commands.console import write_json
from s2tf.commands.options import add_chain_arguments, add_json, at_least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_chain_arguments(parser)
    parser.add_argument(
        "--jobs",
        type=at_least(1, 1000),
        default=1,
        help="number of steps that run at the same time (default: %(default)s)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands and run nothing")
    add_json(parser, "state and result of each step")


def run(args: argparse.Namespace) -> int:
    """Run the steps that are not done yet; returns 1 if one failed, 3 if a part of a result is missing."""
    from s2tf.cli import parse
    from s2tf.cluster.preflight_steps import parse_strictly
    from s2tf.errors import UserError
    from s2tf.runs.chain_file import load_chain
    from s2tf.runs.chain_runner import run_steps

    steps = load_chain(args.chain, args.overrides, args.out, args.seeds, args.to)
    # A misspelt last step is told before the first one has trained for hours.
    for step in steps:
        try:
            parse_strictly(step.arguments, parse)
        except UserError as error:
            raise UserError(f"{args.chain}: step {step.name}: {error}") from error
    if args.dry_run:
        for step in steps:
            print(f"{step.name}: s2tf {shlex.join(step.arguments)}")
        return 0
    # The running steps end together with this process, whichever signal ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    threads = max(1, (os.cpu_count() or 1) // args.jobs)
    states = run_steps(steps, args.jobs, threads, lambda text: print(text, flush=True))
    write_json(args.json, {step.name: {"state": states[step.name], "result": step.result} for step in steps})
    # 3: every step has a result, but a part of some results is missing.
    return 0 if set(states.values()) <= {"done"} else 3 if set(states.values()) <= {"done", "partial"} else 1
