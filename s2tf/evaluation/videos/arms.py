"""Arms of an ablation of the second stage: pipelines of finished runs, of which each arm replaces some."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.evaluation.videos.evaluate_pipeline import Subject
from s2tf.evaluation.videos.pipeline_clips import HRTF
from s2tf.runs.assemble import assemble
from s2tf.systems.registry import run_inputs
from s2tf.tables.names import normal_name

PARTS = ("lip_refiner", "codebook")
"""Optional parts of the motion autoencoder, by which reports tell the arms apart."""

LONGEST_NAME = 200
"""Bytes of a folder's name, which leave room for the suffixes of files that are being written."""


@dataclass(frozen=True)
class Arm:
    """One arm: its name, which is also its folder's, and the finished runs that its pipeline is assembled from."""

    name: str
    runs: Mapping[str, Path]
    """Name of the run in its system, such as `motion_diffusion` -> finished run."""


def open_arm(arm: Arm, device: str) -> Subject:
    """Assemble an arm's pipeline, which animates each clip's first frame.

    The facts about it are its runs, the parts of its autoencoder, and the class and channels of its speech features:
    reports compare them with the row of that name.

    Raises:
        UserError: Its runs do not form a pipeline; the message names the arm.
    """
    try:
        pipeline: Any = assemble(arm.runs).to(device)
    except (UserError, ValueError, TypeError) as error:
        raise UserError(f"arm {arm.name}: {error}") from error
    networks = pipeline.components
    facts: dict[str, Any] = {"runs": {name: str(path) for name, path in arm.runs.items()}}
    if (autoencoder := networks.get("motion_autoencoder")) is not None:
        facts |= {part: getattr(autoencoder, part, None) is not None for part in PARTS}
    if (features := networks.get("motion_features")) is not None:
        facts |= {"speech_features": type(features).__name__, "speech_channels": features.out_dim}
    return Subject(arm.name, pipeline, HRTF, facts)


def read_arms(given: Sequence[Sequence[str]], shared: Mapping[str, Path]) -> dict[str, Arm]:
    """Read arms as `s2tf evaluate arms` takes them; returns them by name, in their order.

    Args:
        given: For each arm its name, followed by `RUN=FOLDER`, such as `motion_diffusion=runs/motion_diffusion/1a2b3c`.
        shared: Runs of every arm that names none of its own in their place.

    Raises:
        UserError: A name is no folder's or stands twice, or an arm names an unknown run or one run twice.
    """
    arms: dict[str, Arm] = {}
    for text, *words in given:
        name = _arm_name(text)
        # Reports take names in any case, and some file systems do.
        if name.casefold() in {known.casefold() for known in arms}:
            raise UserError(f"--arm {name}: given twice, expected different names")
        own: dict[str, Path] = {}
        for run, folder in _runs(name, words):
            if run in own:
                raise UserError(f"--arm {name}: {run} is given twice, {own[run]} and {folder}, expected it once")
            own[run] = folder
        arms[name] = Arm(name, {**shared, **own})
    return arms


def _arm_name(text: str) -> str:
    if not text or "=" in text or "/" in text or text.startswith("."):
        raise UserError(
            f"--arm {text or repr(text)}: expected a name, the name of its folder, and then RUN=FOLDER for its own runs"
        )
    if len(text.encode()) > LONGEST_NAME:
        raise UserError(f"--arm {text[:20]}...: a name of {len(text.encode())} bytes, expected at most {LONGEST_NAME}")
    return normal_name(text)


def _runs(arm: str, words: Sequence[str]) -> Iterator[tuple[str, Path]]:
    known = [one.name for one in run_inputs()]
    for word in words:
        name, equals, folder = word.partition("=")
        name = name.replace("-", "_")
        if name not in known or not (equals and folder):
            raise UserError(f"--arm {arm}: {word!r}, expected RUN=FOLDER with a run of {', '.join(known)}")
        yield name, Path(folder)
