"""Put the networks of finished runs together into a pipeline folder, which needs no Lightning."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2tf.models.motion_autoencoder import MotionAutoencoder
    from s2tf.pipelines.base import Pipeline

MOTION_ENCODER = "encoder"
"""In the manifest of shards with motion codes: fingerprints of the networks that a code depends on."""


@dataclass(frozen=True)
class Runs:
    """Finished runs of the stages; None for a stage that is left out."""

    scfp: Path | None = None
    motion_autoencoder: Path | None = None
    lip_landmarks: Path | None = None
    motion_diffusion: Path | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    runs = parser.add_argument_group(
        "finished runs; without --scfp the second stage alone, with --scfp alone the first"
    )
    runs.add_argument("--scfp", type=Path, metavar="RUN", help="speech to portrait, its ConRe's networks among them")
    runs.add_argument("--motion-autoencoder", type=Path, metavar="RUN", help="of the high-resolution phase, too")
    runs.add_argument("--lip-landmarks", type=Path, metavar="RUN", help="speech to lips")
    runs.add_argument("--motion-diffusion", type=Path, metavar="RUN", help="speech to motion codes of that autoencoder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pipeline")
    parser.add_argument("--steps", type=int, default=50, help="stored: denoiser calls (%(default)s)")
    parser.add_argument("--temperature", type=float, default=1.0, help="stored: of the portrait (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Check that the runs belong together, and save."""
    from s2tf.errors import UserError

    runs = Runs(args.scfp, args.motion_autoencoder, args.lip_landmarks, args.motion_diffusion)
    try:
        pipeline = assemble(runs, args.steps, args.steps, args.temperature)
    except ValueError as error:
        raise UserError(str(error)) from error
    pipeline.save_pretrained(args.out)
    print(f"{type(pipeline).__name__}: {args.out}")
    return 0


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
    from s2tf.errors import UserError
    from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline

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


def check_codes(manifest: dict[str, Any], autoencoder: "MotionAutoencoder", name: str, shards: str) -> None:
    """Refuse an autoencoder other than that whose motion codes the shards hold.

    One that has come out of the other's high-resolution phase has the same codes.

    Args:
        manifest: Of the shards with the codes.
        autoencoder: What is to render them.
        name: Of the autoencoder, for the message.
        shards: Of the shards, likewise.

    Raises:
        UserError: It is another.
    """
    from s2tf.errors import UserError

    about = manifest.get("motion", {})
    if about.get("fingerprint") == autoencoder.fingerprint() or about.get(MOTION_ENCODER) == encoders_of(autoencoder):
        return
    raise UserError(
        f"{name} is {autoencoder.fingerprint()}, but the codes of {shards} are of {about.get('fingerprint', 'none')}"
    )


def encoders_of(autoencoder: "MotionAutoencoder") -> str:
    """Fingerprints of what a motion code depends on."""
    return f"{autoencoder.image_encoder.fingerprint()} {autoencoder.motion_encoder.fingerprint()}"


def _portrait(run: Path, steps: int, temperature: float) -> Any:
    from s2tf.commands.evaluation import finished_config
    from s2tf.pipelines.portrait import PortraitPipeline, PortraitSettings

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
    from s2tf.pipelines.talking_face import TalkingFacePipeline, TalkingSettings

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
    from s2tf.commands.evaluation import finished_config
    from s2tf.nn.network import load_network

    finished_config(run, name)
    return load_network(str(run / "networks" / name))


def _manifest(run: Path, network: str) -> dict[str, Any]:
    """Of the first of the data sets that the run has learned from: one crop rule holds for all of them."""
    from datamodules.shards import load_manifest
    from datamodules.sources import ShardSource
    from s2tf.commands.evaluation import finished_config

    chosen = finished_config(run, network)["data"]["init_args"]["shards"]
    return load_manifest(chosen if isinstance(chosen, str) else ShardSource(**chosen[0]))
