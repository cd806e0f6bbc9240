"""Parameters of the networks of a talking face, by the experiments of the paper's size (Table XII)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from s2tf.config import EXPERIMENTS, compose
from s2tf.errors import UserError
from s2tf.models.pretrained_speech import HUBERT_LARGE
from s2tf.nn.network import build_network

PAPER = {"stage_one": 640e6, "stage_two": 470e6}
"""Parameters by Table XII: 470 M for HRTF, 1110 M with SCFP."""


@dataclass(frozen=True)
class StageParameters:
    """Parameters of the networks of one stage."""

    networks: Mapping[str, int]

    @property
    def total(self) -> int:
        """Parameters of all networks together."""
        return sum(self.networks.values())

    def to_json(self) -> dict[str, int]:
        """Return the counts by network, and their total."""
        return {**self.networks, "total": self.total}


def count_parameters(scfp: Path | None = None) -> dict[str, StageParameters]:
    """Count the parameters of `stage_one` and `stage_two`, without memory for the weights.

    Args:
        scfp: Experiment of the portrait diffusion, such as one with a denoiser of another width; None for
            experiments/scfp.yaml.

    Raises:
        UserError: The experiment cannot be composed.
    """
    return {stage: _count(networks) for stage, networks in paper_networks(scfp).items()}


def paper_networks(scfp: Path | None = None) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the configs of all networks at the paper's size, by stage, with random weights; see `build_network`."""
    conre, diffusion = _model("conre"), _model(scfp or "scfp")["diffusion"]["init_args"]
    motion, lips = _model("motion_diffusion"), _model("lip_landmarks")
    features = {
        "speech_features": motion["speech_features"],
        # One network serves both, as `assemble` makes it, unless the lips have another one.
        "lip_features": lips["speech_features"],
    }
    if features["lip_features"] in (None, features["speech_features"]):
        del features["lip_features"]
    return {
        "stage_one": {
            "speech_encoder": conre["speech_encoder"],
            "denoiser": diffusion["unet"],
            "prior_weighting": diffusion["weighting"],
            "face_decoder": conre["face_decoder"],
        },
        "stage_two": {
            **{name: with_sizes(config) for name, config in features.items()},
            "motion_autoencoder": _model("motion_autoencoder")["autoencoder"],
            "codebook": _model("codebook")["autoencoder"]["init_args"]["codebook"],
            "motion_diffusion": motion["diffusion"],
            "lip_landmarks": lip_network(lips["lip_landmarks"]),
        },
    }


def _count(networks: dict[str, dict[str, Any]]) -> StageParameters:
    with torch.device("meta"):
        return StageParameters({name: build_network(config, name).parameter_count for name, config in networks.items()})


def lip_network(config: dict[str, Any]) -> dict[str, Any]:
    """Give a lip network that starts from imported weights the sizes of those: AniPortrait's, on wav2vec 2.0 base."""
    if not config["class_path"].endswith("from_audio2mesh"):
        return config
    sizes = {"weights": "random", "trainable": True}
    speech = {"class_path": "s2tf.models.pretrained_speech.Wav2Vec2Features", "init_args": sizes}
    chosen = {name: value for name, value in config["init_args"].items() if name != "folder"}
    return {"class_path": "s2tf.models.audio_to_mesh.AudioToMesh", "init_args": {"speech": speech, **chosen}}


def with_sizes(features: dict[str, Any]) -> dict[str, Any]:
    """Give speech features that come from HuBERT-large's folder its sizes."""
    if not features["class_path"].endswith("HubertFeatures"):
        return features
    return {**features, "init_args": features["init_args"] | {"weights": "random", "config": HUBERT_LARGE}}


def _model(experiment: str | Path) -> dict[str, Any]:
    """Return the stage's arguments, with a placeholder for every file that counting does not need."""
    path = experiment if isinstance(experiment, Path) else EXPERIMENTS / f"{experiment}.yaml"
    model = compose(path, missing="random").get("model") or {}
    if "init_args" not in model:
        raise UserError(f"{path}: no arguments of a stage, expected an experiment with model.init_args")
    return model["init_args"]
