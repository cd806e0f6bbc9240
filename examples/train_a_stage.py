"""Train one stage from Python, and use the networks that it has trained.

s2tf prepare synthetic 6 --clips 2 --seconds 2 --size 64 --val 0.34 --test 0.34 --out shards
python examples/train_a_stage.py shards
"""

import argparse
from pathlib import Path

import torch

import s2tf
from s2tf.models.speech_encoder import SpeechEncoder


def main() -> None:
    """Train ConRe for a few steps at its narrowest width, and embed a spectrogram."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", type=Path, help="folder of shards")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args()

    # The same call again finds the finished run; with more steps it continues.
    overrides = ["+debug/conre.yaml", f"vars.shards={args.shards}", f"trainer.max_steps={args.steps}"]
    result = s2tf.fit("conre.yaml", overrides, runs=args.runs)
    print(f"{result.step} steps in {result.run.folder}, loss {result.metrics['train/loss']:.3f}")

    encoder = SpeechEncoder.from_pretrained(result.run.networks / "speech_encoder")
    embedding = encoder(torch.zeros(1, 2, 601, 257))
    print(f"one speech becomes an embedding of {embedding.shape[-1]} numbers")


if __name__ == "__main__":
    main()
