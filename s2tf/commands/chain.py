"""Run the steps of a chain YAML, such as every row of an ablation and what it needs, each when its parents are done."""

import argparse
import json
import os
import shlex
import signal
import sys
from pathlib import Path

from s2tf.commands.options import positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("chain", type=Path, help="such as experiments/chains/portraits.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="values of the chain's `vars`")
    parser.add_argument("--out", type=Path, required=True, help="folder of all that it makes; done steps are kept")
    parser.add_argument("--jobs", type=positive, default=1, help="steps at the same time (%(default)s)")
    parser.add_argument("--seeds", type=_seeds, help="instead of the chain's own, such as 0,1,2")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write each step's state and result to FILE")


def run(args: argparse.Namespace) -> int:
    """Run what is not done yet; 1 when a step failed."""
    from s2tf.runs.chain import load_chain
    from s2tf.runs.chain_runner import run_steps

    steps = load_chain(args.chain, args.overrides, args.out, args.seeds)
    if args.dry_run:
        for step in steps:
            print(f"{step.name}: s2tf {shlex.join(step.arguments)}")
        return 0
    # The running steps end with this process, however it is asked to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    threads = max(1, (os.cpu_count() or 1) // args.jobs)
    states = run_steps(steps, args.jobs, threads, lambda text: print(text, flush=True))
    if args.json:
        record = {step.name: {"state": states[step.name], "result": step.result} for step in steps}
        args.json.write_text(json.dumps(record, indent=2) + "\n")
    return int(any(state != "done" for state in states.values()))


def _seeds(text: str) -> list[int]:
    seeds = text.split(",")
    if not all(seed.isdigit() for seed in seeds):
        raise argparse.ArgumentTypeError(f"{text!r}, expected numbers such as 0,1,2")
    return [int(seed) for seed in seeds]
