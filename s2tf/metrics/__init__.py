"""Metrics: functions, and `torchmetrics.Metric` classes that gather over batches and ranks.

Each name is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2tf.metrics.blinks import count_blinks
    from s2tf.metrics.code_use import CodeUse
    from s2tf.metrics.correlation import pearson
    from s2tf.metrics.face_statistics import FaceStatistics, MotionCorrelation
    from s2tf.metrics.frechet import FrechetDistance, InceptionFeatures
    from s2tf.metrics.identity import IdentitySimilarity
    from s2tf.metrics.image import FrameQuality, psnr, ssim
    from s2tf.metrics.landmark_distance import LandmarkDistance
    from s2tf.metrics.lip_sync import LipSync, LipSyncReader
    from s2tf.metrics.motion_difference import MotionDifference, RaftFlow
    from s2tf.metrics.perceptual_distance import LPIPS, MeanPerceptualDistance
    from s2tf.metrics.portrait import FeatureDistance, SeedVariation, SpeakerConsistency
    from s2tf.metrics.retrieval import RecallAtK
    from s2tf.metrics.sharpness import Sharpness, cpbd, gradient_energy

_MODULES = {
    "blinks": ["count_blinks"],
    "code_use": ["CodeUse"],
    "correlation": ["pearson"],
    "face_statistics": ["FaceStatistics", "MotionCorrelation"],
    "frechet": ["FrechetDistance", "InceptionFeatures"],
    "identity": ["IdentitySimilarity"],
    "image": ["FrameQuality", "psnr", "ssim"],
    "landmark_distance": ["LandmarkDistance"],
    "lip_sync": ["LipSync", "LipSyncReader"],
    "motion_difference": ["MotionDifference", "RaftFlow"],
    "perceptual_distance": ["LPIPS", "MeanPerceptualDistance"],
    "portrait": ["FeatureDistance", "SeedVariation", "SpeakerConsistency"],
    "retrieval": ["RecallAtK"],
    "sharpness": ["Sharpness", "cpbd", "gradient_energy"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}
__all__ = [
    "LPIPS", "CodeUse", "FaceStatistics", "FeatureDistance", "FrameQuality", "FrechetDistance", "IdentitySimilarity",
    "InceptionFeatures", "LandmarkDistance", "LipSync", "LipSyncReader", "MeanPerceptualDistance", "MotionCorrelation",
    "MotionDifference", "RaftFlow", "RecallAtK", "SeedVariation", "Sharpness", "SpeakerConsistency", "count_blinks",
    "cpbd", "gradient_energy", "pearson", "psnr", "ssim",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 's2tf.metrics' has no attribute {name!r}")
    return getattr(importlib.import_module(f"s2tf.metrics.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
