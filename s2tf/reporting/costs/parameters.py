"""Parameters of the networks that make a talking face, by the experiments of the paper's size (Table XII)."""

from pathlib import Path
from typing import Any

import torch

from s2tf.config import EXPERIMENTS, compose
from s2tf.models.pretrained_speech import HUBERT_LARGE
from s2tf.nn.network import build_network

PAPER = {"stage_one": 640e6, "stage_two": 470e6}
"""Table XII: 470 M of HRTF, 1110 M with SCFP."""


def count_parameters(scfp: Path | None = None) -> dict[str, dict[str, int]]:
    """Count without memory for the weights: {"stage_one": {network: count, "total": count}, "stage_two": ...}.

    Args:
        scfp: Another experiment than experiments/scfp.yaml, such as a denoiser of another width.

    Raises:
        UserError: The experiment cannot be composed.
    """
    return {stage: _with_total(networks) for stage, networks in paper_networks(scfp).items()}


def paper_networks(scfp: Path | None = None) -> dict[str, dict[str, dict[str, Any]]]:
    """The configs of all networks at the paper's size, by stage, with random weights; see `build_network`."""
    conre, diffusion = _model("conre"), _model(scfp or "scfp")["diffusion"]["init_args"]
    motion, lips = _model("motion_diffusion"), _model("lip_landmarks")
    hubert = motion["speech_features"]["init_args"] | {"weights": "random", "config": HUBERT_LARGE}
    return {
        "stage_one": {
            "speech_encoder": conre["speech_encoder"],
            "denoiser": diffusion["unet"],
            "prior_weighting": diffusion["weighting"],
            "face_decoder": conre["face_decoder"],
        },
        "stage_two": {
            "speech_features": {**motion["speech_features"], "init_args": hubert},
            "motion_autoencoder": _model("motion_autoencoder")["autoencoder"],
            "codebook": _model("codebook")["autoencoder"]["init_args"]["codebook"],
            "motion_diffusion": motion["diffusion"],
            "lip_landmarks": lips["lip_landmarks"],
        },
    }


def _with_total(networks: dict[str, dict[str, Any]]) -> dict[str, int]:

    with torch.device("meta"):
        counts = {name: build_network(config, name).parameter_count for name, config in networks.items()}
    return {**counts, "total": sum(counts.values())}


def _model(experiment: str | Path) -> dict[str, Any]:
    """The stage's arguments, with a placeholder for every file that is not needed to count."""
    path = experiment if isinstance(experiment, Path) else EXPERIMENTS / f"{experiment}.yaml"
    return compose(path, missing="random")["model"]["init_args"]
