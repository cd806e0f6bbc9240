"""Train the judges anew: networks that measure synthetic faces, to compare them with those that ship."""

import argparse

from s2tf.commands.console import write_json
from s2tf.commands.options import add_json, add_out_folder, seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_out_folder(parser, "folder for the judges (default: the cache)", required=False)
    parser.add_argument("--seed", type=seed, default=0, help="seed of the speakers and of the training (default: 0)")
    parser.add_argument("--half", action="store_true", help="store each parameter with 16 bits (default: 32 bits)")
    add_json(parser, "settings and accuracy of the judges, and that of the packaged ones,")


def run(args: argparse.Namespace) -> int:
    """Print the accuracy on unseen speakers beside that of the packaged judges; returns 1 if they do not agree."""
    from rich.console import Console

    from s2tf.evaluation.judge_comparison import compare_with_packaged
    from s2tf.evaluation.judge_training import JudgeData, cache_folder, make_judges

    data = JudgeData(seed=args.seed)
    out = args.out or cache_folder(data)
    judges = make_judges(data, out, Console(), precision=16 if args.half else 32)
    compared = compare_with_packaged(judges, data)
    print("\n".join([*compared.lines(), f"judges: {out}"]))
    write_json(args.json, {**judges.settings, **compared.to_json()})
    return 1 if compared.agree is False else 0
