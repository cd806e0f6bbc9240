"""Queue the steps of a chain on a SLURM cluster, each as a job that waits for the jobs it needs."""

import argparse
from pathlib import Path

from s2tf.commands.options import add_out_folder, add_submit_arguments, numbers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("chain", type=Path, help="a chain YAML or its short name, such as chains/paper.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="values for the chain's `vars`")
    add_submit_arguments(parser)
    add_out_folder(parser, "folder of all results; finished steps are kept")
    parser.add_argument(
        "--seeds", type=numbers, metavar="N", help="seeds, such as 0-2 or 0,3,5 (default: the chain's own seeds)"
    )


def run(args: argparse.Namespace) -> int:
    """Check and queue the steps; returns 0 also if there is nothing to queue."""
    from s2tf.cli import parse
    from s2tf.cluster.queue_chain import submit_chain
    from s2tf.cluster.queue_runs import JobRequest
    from s2tf.cluster.settings import load_cluster
    from s2tf.runs.chain_file import load_chain

    request = JobRequest(load_cluster(args.cluster), args.argv, args.dry_run, args.after)
    submit_chain(load_chain(args.chain, args.overrides, args.out, args.seeds), request, parse)
    return 0
