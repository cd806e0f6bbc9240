"""Queue the steps of a chain on a SLURM cluster, each as a job that waits for the jobs it needs."""

import argparse

from s2tf.commands.options import add_chain_arguments, add_submit_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_chain_arguments(parser)
    add_submit_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check and queue the steps; returns 0 also if there is nothing to queue."""
    from s2tf.cli import parse
    from s2tf.cluster.queue_chain import submit_chain
    from s2tf.cluster.queue_runs import JobRequest
    from s2tf.cluster.settings import load_cluster
    from s2tf.runs.chain_file import load_chain

    request = JobRequest(load_cluster(args.cluster), args.argv, args.dry_run, args.after)
    submit_chain(load_chain(args.chain, args.overrides, args.out, args.seeds, args.to), request, parse)
    return 0
