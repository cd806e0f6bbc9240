"""Finished runs joined into a pipeline."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.shards.sources import ShardSource
from datamodules.shards.writing import load_manifest
from s2tf.errors import UserError
from s2tf.nn.network import load_network
from s2tf.pipelines.base import Pipeline
from s2tf.pipelines.portrait import PortraitPipeline, PortraitSettings
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline
from s2tf.pipelines.talking_face import TalkingFacePipeline, TalkingSettings
from s2tf.runs.finished import check_codes, finished_config


@dataclass(frozen=True)
class Runs:
    """Finished runs of the stages; None for a stage that is left out."""

    scfp: Path | None = None
    motion_autoencoder: Path | None = None
    lip_landmarks: Path | None = None
    motion_diffusion: Path | None = None


def assemble(runs: Runs, portrait_steps: int = 50, motion_steps: int = 50, temperature: float = 1.0) -> "Pipeline":
    """The pipeline of one stage or of both.

    Args:
        runs: All three of the second stage, or SCFP, or all four.
        portrait_steps: Denoiser calls that the pipeline stores for portraits ...
        motion_steps: ... and for motion.
        temperature: That it stores for portraits.

    Raises:
        UserError: A run is not finished, some of the second stage are absent, or the motion codes are of another
            autoencoder; the message names it.
    """
    second = {name: getattr(runs, name) for name in ("motion_autoencoder", "lip_landmarks", "motion_diffusion")}
    absent = [f"--{name.replace('_', '-')}" for name, run in second.items() if run is None]
    if absent and (len(absent) < len(second) or runs.scfp is None):
        raise UserError(f"{' and '.join(absent)} must be given: a talking face needs all three of the second stage")
    portrait = None if runs.scfp is None else _portrait(runs.scfp, portrait_steps, temperature)
    if absent:
        assert portrait is not None
        return portrait
    talking_face = _talking_face(second, motion_steps)
    return talking_face if portrait is None else SpeechToTalkingFacePipeline(portrait, talking_face)


def _portrait(run: Path, steps: int, temperature: float) -> Any:
    data = finished_config(run, "portrait_diffusion")["data"]["init_args"]
    return PortraitPipeline(
        **{name: _network(run, name) for name in PortraitPipeline.component_types},
        portrait_settings=PortraitSettings(
            seconds=data["seconds"],
            crop=_manifest(run, "portrait_diffusion")["crop_rule"],
            steps=steps,
            temperature=temperature,
        ),
    )


def _talking_face(runs: dict[str, Any], steps: int) -> Any:
    autoencoder = _network(runs["motion_autoencoder"], "motion_autoencoder")
    codes = _manifest(runs["motion_diffusion"], "motion_diffusion")
    check_codes(codes, autoencoder, str(runs["motion_autoencoder"]), f"the data of {runs['motion_diffusion']}")
    return TalkingFacePipeline(
        motion_autoencoder=autoencoder,
        lip_features=_network(runs["lip_landmarks"], "speech_features"),
        lip_landmarks=_network(runs["lip_landmarks"], "lip_landmarks"),
        motion_features=_network(runs["motion_diffusion"], "speech_features"),
        motion_diffusion=_network(runs["motion_diffusion"], "motion_diffusion"),
        talking_settings=TalkingSettings(crop=codes["crop_rule"], steps=steps),
    )


def _network(run: Path, name: str) -> Any:
    finished_config(run, name)
    return load_network(str(run / "networks" / name))


def _manifest(run: Path, network: str) -> dict[str, Any]:
    """Of the first of the data sets that the run has learned from: one crop rule holds for all of them."""
    chosen = finished_config(run, network)["data"]["init_args"]["shards"]
    return load_manifest(chosen if isinstance(chosen, str) else ShardSource(**chosen[0]))
