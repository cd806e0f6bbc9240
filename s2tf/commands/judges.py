"""Train the judges that measure what the pipeline makes, on synthetic speakers that no stage sees."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.evaluation.judge_training import JudgeData, cache_folder, make_judges

if TYPE_CHECKING:
    pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--out", type=Path, help="folder to write them to; default: the cache that the demo reads")
    parser.add_argument("--seed", type=int, default=0, help="of the speakers and of training (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the judges' own accuracy here")


def run(args: argparse.Namespace) -> int:
    """Train the judges and print how well they read true pictures of speakers they have not seen."""
    from rich.console import Console

    data = JudgeData(seed=args.seed)
    judges = make_judges(data, args.out or cache_folder(data), Console())
    accuracy = judges.settings["accuracy"]
    for name, value in accuracy.items():
        print(f"{name:45} {value:.3f}")
    print(f"judges: {args.out or cache_folder(data)}")
    if args.json:
        args.json.write_text(json.dumps(judges.settings, indent=2) + "\n")
    return 0
