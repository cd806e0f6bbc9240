"""A `metrics.json` as `s2tf evaluate` writes it, of any numbers."""

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.scores import Scores

VIDEO_TRUTHS = {"LSE-D": 7.0, "LSE-C": 8.0, "LPIPS": 0.0, "SSIM": 1.0, "PSNR": 100.0, "FID": 0.0, "MAD": 0.004}


def video_scores(
    folder,
    experiment="hrtf",
    factor=1.0,
    random_weights=(),
    left_out=None,
    counts=None,
    own=None,
    copy=20.0,
    **protocol,
):
    """Write what measuring a folder of videos gives into `folder`: 1, 2, ... times `factor` in the columns' order.

    Args:
        counts: By measurement; those of `every` are of all that are not named.
        own: Protocols of measurements by name; None for one that was not measured.
        copy: All baselines.
    """
    protocol = {"clips": 4, "frames": 100, "data": "0123456789abcdef", **protocol}
    counts, own = counts or {}, own or {}
    measurements = [
        Measurement(
            name,
            factor * number,
            own.get(name, protocol),
            baseline=copy,
            baseline_name="source frame copied",
            truth=truth,
            counts=counts.get(name, counts.get("every", {})),
        )
        for number, (name, truth) in enumerate(VIDEO_TRUTHS.items(), 1)
        if own.get(name, protocol) is not None
    ]
    prefixed = {f"{name}: {key}": value for name, one in own.items() if one for key, value in one.items()}
    scores = Scores("videos", experiment, measurements, protocol | prefixed, list(random_weights), **(left_out or {}))
    scores.write(folder)
    return scores.to_json()
