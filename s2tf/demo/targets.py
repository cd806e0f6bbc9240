"""The evidence that a chain works: portraits find their speakers, mouths follow the speech, frames are rebuilt."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from s2tf.evaluation.measurement import Measurement
from s2tf.faces.judges import Judges
from s2tf.metrics.correlation import mean_correlation
from s2tf.metrics.image import FrameQuality
from s2tf.metrics.retrieval import GALLERY_FRAMES, RecallAtK, gallery_embeddings

CHANCE_FACTOR = 3.0
GENDER_TARGET = 0.85
CORRELATION_MARGIN = 0.3
PSNR_MARGIN = 2.0


def retrieval_evidence(
    judges: Judges,
    portraits: np.ndarray,
    videos: Sequence[np.ndarray],
    protocol: Mapping[str, Any] | None = None,
    ks: Sequence[int] = (1, 5),
) -> list[Measurement]:
    """Portrait retrieval R@k among the speakers; target: three times chance (never above 1).

    Args:
        judges: readers that the pipeline never trained with.
        portraits: (V, H, W, 3) uint8, one per speaker, each from another speech than any other.
        videos: the speakers' true frames, (T, H, W, 3) uint8, in the same order.
        protocol: what to record beside, such as crop and seed.
        ks: the ranks.

    Raises:
        ValueError: the numbers of portraits and videos differ.
    """
    if len(portraits) != len(videos):
        raise ValueError(f"{len(portraits)} portraits of {len(videos)} speakers: expected one each")
    gallery, true_queries = gallery_embeddings(judges.embed, videos)
    identities = torch.arange(len(videos))
    recalls = {}
    for name, queries in (("value", judges.embed(portraits)), ("truth", true_queries)):
        metric = RecallAtK(ks)
        metric.add_gallery(gallery, identities)
        metric.update(queries, identities)
        recalls[name] = metric.compute()
    record = {**metric.protocol, "embedding": "face judge", "gallery_frames": GALLERY_FRAMES, **(protocol or {})}
    return [
        Measurement(
            name=f"portrait retrieval {key}",
            value=recalls["value"][key].item(),
            baseline=chance,
            baseline_name="chance",
            truth=recalls["truth"][key].item(),
            target=min(1.0, CHANCE_FACTOR * chance),
            target_rule="3 × chance",
            protocol=record,
            counts={"portraits": len(portraits)},
        )
        for key, chance in metric.chance.items()
    ]


def gender_evidence(
    judges: Judges,
    portraits: np.ndarray,
    videos: Sequence[np.ndarray],
    genders: Sequence[int],
    protocol: Mapping[str, Any] | None = None,
) -> Measurement | None:
    """The share of portraits read as their speaker's gender; None where no gender is known. Target: 85 %.

    Args:
        judges: readers that the pipeline never trained with.
        portraits: (V, H, W, 3) uint8.
        videos: the speakers' true frames; the truth row reads the first of each.
        genders: 0 female, 1 male, -1 unknown: left out and counted.
        protocol: what to record beside.
    """
    labels = torch.as_tensor(list(genders))
    known = labels >= 0
    if not bool(known.any()):
        return None
    first_frames = torch.cat([judges.gender(video[:1]) for video in videos])
    value, truth = (
        ((probability > 0.5).long() == labels)[known].double().mean().item()
        for probability in (judges.gender(portraits), first_frames)
    )
    majority = max((labels[known] == gender).double().mean().item() for gender in (0, 1))
    return Measurement(
        name="portrait gender accuracy",
        value=value,
        baseline=majority,
        baseline_name="more frequent gender",
        truth=truth,
        target=GENDER_TARGET,
        target_rule="given",
        protocol={"reader": "gender judge", "threshold": 0.5, **(protocol or {})},
        counts={"portraits": int(known.sum()), "unknown gender": int((~known).sum())},
    )


def mouth_evidence(
    generated: Sequence[np.ndarray],
    wrong_speech: Sequence[np.ndarray],
    true: Sequence[np.ndarray],
    true_read: Sequence[np.ndarray],
    protocol: Mapping[str, Any] | None = None,
) -> Measurement:
    """Correlation of the generated mouth's opening with the true one; target: 0.3 above the wrong speech's.

    Args:
        generated: per clip the opening read on the generated frames, (T,).
        wrong_speech: the same of the video made of the same face from another speaker's speech.
        true: the true opening, (T,), from landmarks where they are known, else read on the true frames.
        true_read: the opening read on the true frames: what the reader itself allows.
        protocol: what to record beside, such as what `true` is.
    """
    right, wrong, truth = (
        mean_correlation(zip(signals, true, strict=True)) for signals in (generated, wrong_speech, true_read)
    )
    return Measurement(
        name="mouth opening correlation",
        value=right.mean,
        baseline=wrong.mean,
        baseline_name="wrong speech",
        truth=truth.mean,
        target=wrong.mean + CORRELATION_MARGIN,
        target_rule="wrong speech + 0.3",
        protocol={
            "reader": "mouth judge",
            "correlation": "Pearson over a clip's frames, mean over clips; a still generated mouth counts as 0",
            **(protocol or {}),
        },
        counts={"clips": right.clips, "still": right.still, "undefined": right.undefined},
    )


def reconstruction_evidence(
    reconstructed: FrameQuality, copied: FrameQuality, protocol: Mapping[str, Any] | None = None
) -> list[Measurement]:
    """PSNR and SSIM of rebuilt frames beside those of the copied source frame; target for PSNR: 2 dB above it.

    Args:
        reconstructed: has seen (rebuilt, true) frames.
        copied: has seen (source, true) frames, the same true ones.
        protocol: what to record beside: crop, fps, size, which frame is the source.
    """
    values, baselines = reconstructed.compute(), copied.compute()
    record = {**reconstructed.protocol, **(protocol or {})}
    counts = {"frames": int(reconstructed.frames)}
    shared: dict[str, Any] = {"baseline_name": "copied source frame", "protocol": record, "counts": counts}
    psnr_baseline, ssim_baseline = baselines["psnr"].item(), baselines["ssim"].item()
    return [
        Measurement(
            name="reconstruction PSNR (dB)",
            value=values["psnr"].item(),
            baseline=psnr_baseline,
            # The true frame against itself, as `s2tf.metrics.image` caps it.
            truth=100.0,
            target=psnr_baseline + PSNR_MARGIN,
            target_rule="copy + 2 dB",
            **shared,
        ),
        Measurement(
            name="reconstruction SSIM",
            value=values["ssim"].item(),
            baseline=ssim_baseline,
            truth=1.0,
            target=ssim_baseline,
            target_rule="copy",
            **shared,
        ),
    ]
