"""Queue a sweep: agents that ask W&B for each trial, or every point of a grid without a server."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.options import positive

if TYPE_CHECKING:
    pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("sweep", type=Path, help="in W&B's form, such as experiments/sweeps/prior_weighting.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of every point, such as vars.shards=S")
    parser.add_argument(
        "--cluster", required=True, metavar="NAME", help="one of slurm/clusters, or a YAML file of your own"
    )
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="agents, each for one trial (1); of a local grid, so many at once"
    )
    points = parser.add_mutually_exclusive_group()
    points.add_argument(
        "--local-grid", action="store_true", help="without W&B: an array of all points; again: of what is not finished"
    )
    points.add_argument("--id", metavar="ENTITY/PROJECT/ID", help="queue agents for a sweep that is there already")
    parser.add_argument("--dry-run", action="store_true", help="check, print points and script, and queue nothing")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where run folders are made (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Check and queue."""
    from s2tf.cluster.queue_runs import Order, submit_array
    from s2tf.cluster.queue_sweep import _queue_agents, _refuse_twins
    from s2tf.cluster.settings import load_cluster
    from s2tf.cluster.sweeps import load_sweep

    sweep = load_sweep(args.sweep, args.overrides)
    order = Order(load_cluster(args.cluster), args.said, args.dry_run)
    if args.local_grid:
        points = sweep.grid()
        runs = [sweep.run(point, args.runs.resolve()) for point in points]
        _refuse_twins(sweep, points, [one.folder for one in runs])
        submit_array(runs, [shlex.join(point) for point in points], order, sweep.name, args.jobs)
    else:
        _queue_agents(sweep, order, args)
    return 0
