"""Queue a training on a SLURM cluster, after a check of everything that it needs."""

import argparse
from pathlib import Path

from s2tf.commands.options import add_submit_arguments, numbers, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("experiment", help="an experiment YAML or its short name, such as conre.yaml")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="overrides as for `s2tf fit`, such as trainer.num_nodes=2, or +FILE.yaml",
    )
    add_submit_arguments(parser)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders (default: %(default)s)")
    parser.add_argument(
        "--array", type=_seeds, metavar="seeds=0-2", help="queue a run for each seed, as one array (default: one run)"
    )
    parser.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="run at most N tasks of the array at the same time (default: no limit)",
    )


def run(args: argparse.Namespace) -> int:
    """Check and queue the training; returns 0 also if there is nothing to queue."""
    from s2tf.cluster.queue_runs import JobRequest, submit_array, submit_run
    from s2tf.cluster.settings import load_cluster
    from s2tf.errors import UserError
    from s2tf.runs.folder import find_run

    if args.jobs is not None and args.array is None:
        raise UserError("--jobs has an effect only on an array: expected --array, such as seeds=0-2, as well")
    request = JobRequest(load_cluster(args.cluster), args.argv, args.dry_run, args.after)
    runs = args.runs.resolve()
    # One training.
    if args.array is None:
        submit_run(find_run(args.experiment, args.overrides, runs), request)
        return 0
    # A training for each seed; the array is named after the first.
    labels = [f"seed_everything={seed}" for seed in args.array]
    found = [find_run(args.experiment, [*args.overrides, label], runs) for label in labels]
    name = f"{found[0].experiment}-{found[0].folder.name}"
    submit_array(found, labels, request, name, args.jobs)
    return 0


def _seeds(text: str) -> list[int]:
    key, equals, seeds = text.partition("=")
    if key != "seeds" or not equals:
        raise argparse.ArgumentTypeError(f"{text!r}, expected seeds=0-2 or seeds=0,3,5")
    return numbers(seeds)
