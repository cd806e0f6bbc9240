"""Targets of a working chain: portraits retrieve their speakers, mouths follow the speech, frames are reconstructed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from s2tf.evaluation.measurement import Measurement
from s2tf.faces.features import FaceFeatures
from s2tf.faces.judges import Judges
from s2tf.metrics.correlation import mean_correlation
from s2tf.metrics.image import FrameQuality
from s2tf.metrics.retrieval import GALLERY_FRAMES, RecallAtK, gallery_embeddings

CHANCE_FACTOR = 3.0
"""Target of retrieval as a multiple of chance."""
GENDER_TARGET = 0.85
CORRELATION_MARGIN = 0.3
"""Target of the mouth's correlation above that of the wrong speech."""
NO_OTHER_SPEECH = "wrong speech: not measured, only one person is left for test"
PSNR_MARGIN = 2.0
"""Target of the PSNR above that of the copied source, in dB."""


def retrieval_targets(
    judges: Judges | FaceFeatures,
    portraits: np.ndarray,
    videos: Sequence[np.ndarray],
    protocol: Mapping[str, Any] | None = None,
    ks: Sequence[int] = (1, 5),
) -> list[Measurement]:
    """Retrieval R@k of portraits among the speakers; target: three times chance, and at most 1.

    Args:
        judges: Readers that trained no network of the pipeline.
        portraits: (V, H, W, 3) uint8, one per speaker, each from a different speech.
        videos: Reference frames (T, H, W, 3) uint8 of the speakers, in the same order.
        protocol: Further conditions to record, such as crop and seed.
        ks: Ranks.

    Raises:
        ValueError: The numbers of portraits and videos differ.
    """
    if len(portraits) != len(videos):
        raise ValueError(f"{len(portraits)} portraits of {len(videos)} speakers, expected one each")
    gallery, reference_queries = gallery_embeddings(judges.embed, videos)
    identities = torch.arange(len(videos))
    recalls = {}
    for name, queries in (("value", judges.embed(portraits)), ("truth", reference_queries)):
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


def gender_targets(
    judges: Judges,
    portraits: np.ndarray,
    videos: Sequence[np.ndarray],
    genders: Sequence[int],
    protocol: Mapping[str, Any] | None = None,
) -> list[Measurement]:
    """Share of portraits with the gender of their speaker; nothing if no gender is known. Target: 85 %.

    Args:
        judges: Readers that trained no network of the pipeline.
        portraits: (V, H, W, 3) uint8.
        videos: Reference frames of the speakers; the truth is read from the first frame of each.
        genders: 0 female, 1 male, -1 unknown, which is left out and counted.
        protocol: Further conditions to record.
    """
    labels = torch.as_tensor(list(genders))
    known = labels >= 0
    if not bool(known.any()):
        return []
    first_frames = torch.cat([judges.gender(video[:1]) for video in videos])
    value, truth = (
        ((probability > 0.5).long() == labels)[known].double().mean().item()
        for probability in (judges.gender(portraits), first_frames)
    )
    majority = max((labels[known] == gender).double().mean().item() for gender in (0, 1))
    accuracy = Measurement(
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
    return [accuracy]


def mouth_target(
    generated: Sequence[np.ndarray],
    wrong_speech: Sequence[np.ndarray] | None,
    reference: Sequence[np.ndarray],
    reference_read: Sequence[np.ndarray],
    protocol: Mapping[str, Any] | None = None,
) -> Measurement:
    """Correlation of the generated and the reference mouth's opening; target: 0.3 above that of the wrong speech.

    Args:
        generated: For each clip the opening (T,) read from the generated frames.
        wrong_speech: The same for the video of the same face with another speaker's speech; None where there is no
            other speaker: then neither baseline nor target is measured.
        reference: The reference opening (T,), from landmarks where they are known, else read from the reference frames.
        reference_read: The opening read from the reference frames, which shows the limit of the reader.
        protocol: Further conditions to record, such as the origin of `reference`.
    """
    right, truth = (mean_correlation(zip(signals, reference, strict=True)) for signals in (generated, reference_read))
    wrong = None if wrong_speech is None else mean_correlation(zip(wrong_speech, reference, strict=True)).mean
    return Measurement(
        name="mouth opening correlation",
        value=right.mean,
        baseline=wrong,
        baseline_name="wrong speech" if wrong is not None else NO_OTHER_SPEECH,
        truth=truth.mean,
        target=None if wrong is None else wrong + CORRELATION_MARGIN,
        target_rule="" if wrong is None else "wrong speech + 0.3",
        protocol={
            "reader": "mouth judge",
            "correlation": "Pearson over a clip's frames, mean over clips; a still generated mouth counts as 0",
            **(protocol or {}),
        },
        counts={"clips": right.clips, "still": right.still, "undefined": right.undefined},
    )


def reconstruction_targets(
    reconstructed: FrameQuality, copied: FrameQuality, protocol: Mapping[str, Any] | None = None
) -> list[Measurement]:
    """PSNR and SSIM of reconstructed frames beside those of the source copy; target for PSNR: 2 dB more.

    Args:
        reconstructed: Metric with reconstructed and reference frames.
        copied: Metric with source and reference frames, the same reference frames.
        protocol: Further conditions to record, such as fps, size and source.
    """
    # Both sets of frames are compared with the same reference frames.
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
            # The reference against itself, as `s2tf.metrics.image` caps it.
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
