"""A `metrics.json` as `s2tf evaluate` writes it, of any numbers."""

from s2tf.commands.evaluation import Scores
from s2tf.metrics.protocol import Measurement

VIDEO_TRUTHS = {"LSE-D": 7.0, "LSE-C": 8.0, "LPIPS": 0.0, "SSIM": 1.0, "PSNR": 100.0, "FID": 0.0, "MAD": 0.004}


def video_scores(folder, experiment="hrtf", factor=1.0, random_weights=(), left_out=None, **protocol):
    """Write what measuring a folder of videos gives into `folder`: 1, 2, ... times `factor` in the columns' order."""
    protocol = {"clips": 4, "frames": 100, "data": "0123456789abcdef", **protocol}
    measurements = [
        Measurement(name, factor * number, protocol, baseline=20.0, baseline_name="source frame copied", truth=truth)
        for number, (name, truth) in enumerate(VIDEO_TRUTHS.items(), 1)
    ]
    scores = Scores("videos", experiment, measurements, protocol, list(random_weights), **(left_out or {}))
    scores.write(folder)
    return scores.to_json()
