"""Train the judges: networks that measure generated synthetic faces, trained on speakers that no stage sees."""

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--out", type=Path, help="folder for the judges (default: the cache, which all evaluations read)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the speakers and of the training (default: 0)")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write settings and accuracy of the judges to FILE (default: no file)",
    )


def run(args: argparse.Namespace) -> int:
    """Train the judges and print their accuracy on reference pictures of unseen speakers."""
    from rich.console import Console

    from s2tf.evaluation.judge_training import JudgeData, cache_folder, make_judges

    data = JudgeData(seed=args.seed)
    out = args.out or cache_folder(data)
    judges = make_judges(data, out, Console())
    for name, value in judges.settings["accuracy"].items():
        print(f"{name:45} {value:.3f}")
    print(f"judges: {out}")
    if args.json:
        args.json.write_text(json.dumps(judges.settings, indent=2) + "\n")
    return 0
