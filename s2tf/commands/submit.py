"""Queue a training on a SLURM cluster, after everything that it needs was looked at; or a whole chain of them."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.options import positive

if TYPE_CHECKING:
    from s2tf.cluster.queue_runs import Order

CHAIN = "chain"
RUNS = Path("runs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "experiment", type=Path, help="an experiment YAML; or the word chain, and a chain YAML after it"
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="as of `s2tf fit`, such as trainer.num_nodes=2, or +FILE.yaml"
    )
    parser.add_argument(
        "--cluster", required=True, metavar="NAME", help="one of slurm/clusters, or a YAML file of your own"
    )
    parser.add_argument("--dry-run", action="store_true", help="check, print the script and queue nothing")
    parser.add_argument("--runs", type=Path, help=f"where run folders are made ({RUNS})")
    parser.add_argument("--array", type=_seeds, metavar="seeds=0-2", help="a run for each seed, as one array")
    parser.add_argument("--jobs", type=positive, metavar="N", help="of an array, so many at the same time (all)")
    parser.add_argument("--after", action="append", default=[], metavar="JOB", help="wait for the success of this job")
    chain = parser.add_argument_group("chain")
    chain.add_argument("--out", type=Path, help="folder of all that it makes; done steps are kept")
    chain.add_argument("--seeds", type=_numbers, help="instead of the chain's own, such as 0-2")


def run(args: argparse.Namespace) -> int:
    """Check and queue; 0 where there is nothing to be queued, too."""
    from s2tf.cluster.queue_runs import Order
    from s2tf.cluster.settings import load_cluster

    _refuse_others(args)
    order = Order(load_cluster(args.cluster), args.said, args.dry_run, args.after)
    if str(args.experiment) == CHAIN:
        return _chain(args, order)
    return _trainings(args, order)


def _refuse_others(args: argparse.Namespace) -> None:
    """Refuse options that say nothing of what is queued."""
    from s2tf.errors import UserError

    if str(args.experiment) == CHAIN:
        others, why = ["array", "jobs", "runs"], "belongs to trainings: a chain has --seeds, and its runs below --out"
    else:
        others, why = ["seeds", "out"], "belongs to `s2tf submit chain`: of a training, --array seeds=0-2 and --runs"
    for name in others:
        if getattr(args, name) is not None:
            raise UserError(f"--{name} {why}")
    if args.jobs is not None and args.array is None:
        raise UserError("--jobs belongs to an array: expected --array seeds=0-2 as well")


def _trainings(args: argparse.Namespace, order: "Order") -> int:
    from s2tf.cluster.queue_runs import submit_array, submit_run
    from s2tf.runs.folder import find_run

    runs = (args.runs or RUNS).resolve()
    if args.array is None:
        submit_run(find_run(args.experiment, args.overrides, runs), order)
        return 0
    labels = [f"seed_everything={seed}" for seed in args.array]
    found = [find_run(args.experiment, [*args.overrides, label], runs) for label in labels]
    name = f"{found[0].experiment}-{found[0].folder.name}"
    submit_array(found, labels, order, name, args.jobs)
    return 0


def _chain(args: argparse.Namespace, order: "Order") -> int:
    from s2tf.cluster.queue_chain import submit_chain
    from s2tf.errors import UserError
    from s2tf.runs.chain import load_chain

    if not args.overrides or args.out is None:
        raise UserError("expected: s2tf submit chain CHAIN.yaml [key=value ...] --out DIR --cluster NAME")
    path, *settings = args.overrides
    submit_chain(load_chain(Path(path), settings, args.out, args.seeds), order)
    return 0


def _seeds(text: str) -> list[int]:
    key, equals, numbers = text.partition("=")
    if key != "seeds" or not equals:
        raise argparse.ArgumentTypeError(f"{text!r}, expected seeds=0-2 or seeds=0,3,5")
    return _numbers(numbers)


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if found is None or (found[2] and int(found[2]) < int(found[1])):
            raise argparse.ArgumentTypeError(f"{text!r}, expected numbers such as 0-2 or 0,3,5")
        numbers += range(int(found[1]), int(found[2] or found[1]) + 1)
    if len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"{text!r}: a number comes twice")
    return numbers
