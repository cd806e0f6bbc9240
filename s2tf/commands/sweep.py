"""Queue a sweep: agents that ask W&B for each trial, or all points of a grid without a server."""

import argparse
from pathlib import Path

from s2tf.commands.options import add_cluster_arguments, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "sweep", type=Path, help="a sweep in W&B's form or its short name, such as sweeps/prior_weighting.yaml"
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="overrides for every point, such as vars.shards=S"
    )
    add_cluster_arguments(parser)
    parser.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="queue N agents, each for one trial (default: 1); with --local-grid run at most N points at the same time "
        "(default: no limit)",
    )
    points = parser.add_mutually_exclusive_group()
    points.add_argument(
        "--local-grid",
        action="store_true",
        help="queue an array of all points that are not finished, without W&B (default: agents)",
    )
    points.add_argument(
        "--id",
        metavar="ENTITY/PROJECT/ID",
        help="queue agents for a sweep that exists already (default: create a sweep)",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Check and queue the sweep."""
    from s2tf.cluster.queue_runs import JobRequest
    from s2tf.cluster.queue_sweep import submit_agents, submit_grid
    from s2tf.cluster.settings import load_cluster
    from s2tf.cluster.sweeps import load_sweep

    sweep = load_sweep(args.sweep, args.overrides)
    request, runs = JobRequest(load_cluster(args.cluster), args.argv, args.dry_run), args.runs.resolve()
    if args.local_grid:
        submit_grid(sweep, request, runs, args.jobs)
    else:
        submit_agents(sweep, request, runs, args.jobs or 1, args.id)
    return 0
