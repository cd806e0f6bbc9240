"""Use a metric in your own loop: update it with each batch, compute it once.

python examples/metric_in_a_loop.py
"""

import argparse

import torch

import s2tf


def main() -> None:
    """Measure noisy pictures against clean ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--noise", type=float, default=0.1, help="standard deviation, pictures are in [-1, 1]")
    args = parser.parse_args()

    # A torchmetrics.Metric: it works on any device, and gathers over ranks inside Lightning.
    quality = s2tf.metrics.FrameQuality()
    generator = torch.Generator().manual_seed(0)
    for _ in range(args.batches):
        reference = torch.rand(8, 3, 64, 64, generator=generator) * 2 - 1
        noise = args.noise * torch.randn(reference.shape, generator=generator)
        quality.update((reference + noise).clamp(-1, 1), reference)
    scores = quality.compute()
    print(f"PSNR {scores['psnr']:.2f} dB, SSIM {scores['ssim']:.3f}")
    print(f"measured by: {quality.protocol}")


if __name__ == "__main__":
    main()
