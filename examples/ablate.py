"""Ablate by override: the same experiment with and without one part, over two seeds.

python examples/ablate.py shards
"""

import argparse
from pathlib import Path

import s2tf

ARMS = {
    "warm-up over 100 steps": ["model.init_args.warmup_steps=100"],
    "no warm-up": ["model.init_args.warmup_steps=0"],
}


def main() -> None:
    """Train both arms and print the mean of their losses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", type=Path, help="folder of shards")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args()

    common = ["+debug/conre.yaml", f"vars.shards={args.shards}", f"trainer.max_steps={args.steps}"]
    for name, overrides in ARMS.items():
        # Each combination of values is a run of its own, with a folder of its own.
        runs = [
            s2tf.fit("conre.yaml", [*common, *overrides, f"seed_everything={seed}"], runs=args.runs)
            for seed in range(args.seeds)
        ]
        losses = [run.metrics["train/loss"] for run in runs]
        print(f"{name}: loss {sum(losses) / len(losses):.3f} over {len(losses)} seeds")


if __name__ == "__main__":
    main()
