"""Measure a folder of videos against references with the same names.

python examples/evaluate_folder.py generated reference --metrics pixels,sharpness
"""

import argparse
from pathlib import Path

import s2tf


def main() -> None:
    """Print every number beside its baseline and the reference's own value."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("generated", type=Path, help="folder of videos")
    parser.add_argument("reference", type=Path, help="folder of the reference videos")
    parser.add_argument("--metrics", default="pixels,sharpness", help="such as sync,fid, or all")
    parser.add_argument("--out", type=Path, default=Path("evaluation"))
    args = parser.parse_args()

    scores = s2tf.evaluate_videos(args.generated, args.reference, out=args.out, metrics=args.metrics, report=print)
    for number in scores.measurements:
        print(
            f"{number.name}: {number.value:.3f} ({number.baseline_name}: {number.baseline}, reference: {number.truth})"
        )
    for warning in scores.warnings:
        print(f"warning: {warning}")
    for metric, reason in scores.not_computed.items():
        print(f"not computed: {metric}: {reason}")
    for failure in scores.failures:
        print(f"failed: {failure['clip']}: {failure['reason']}")


if __name__ == "__main__":
    main()
