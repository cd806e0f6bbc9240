"""Train the judges: networks that measure generated synthetic faces, trained on speakers that no stage sees."""

import argparse
import json

from s2tf.commands.options import add_json, add_out_folder, seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_out_folder(parser, "folder for the judges (default: the cache, which all evaluations read)", required=False)
    parser.add_argument("--seed", type=seed, default=0, help="seed of the speakers and of the training (default: 0)")
    add_json(parser, "settings and accuracy of the judges")


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
