"""Finished runs: their config, the stage they belong to, and whether codes fit an autoencoder."""

from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.runs.folder import read_config

MOTION_ENCODER = "encoder"
"""In the manifest of shards with motion codes: fingerprints of the networks that a code depends on."""


def finished_config(run: Path, network: str) -> dict[str, Any]:
    """The resolved config of a run that has trained `network` to its end.

    Raises:
        UserError: The folder is no such run.
    """
    if not (run / "networks" / network).is_dir():
        raise UserError(f"{run}: no finished run of {network}: expected networks/{network} in it")
    return read_config(run)


def finished_stage(run: Path) -> str:
    """The name of the stage's class that a finished run is of; empty where its config names none.

    Raises:
        UserError: The folder is no finished run.
    """
    if not any((run / "networks").glob("*/config.json")):
        raise UserError(f"{run}: no finished run: expected networks in {run / 'networks'}")
    return read_config(run).get("model", {}).get("class_path", "").rpartition(".")[2]


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
    about = manifest.get("motion", {})
    if about.get("fingerprint") == autoencoder.fingerprint():
        return
    if about.get(MOTION_ENCODER) == autoencoder.encoder_fingerprints():
        return
    raise UserError(
        f"{name} is {autoencoder.fingerprint()}, but the codes of {shards} are of {about.get('fingerprint', 'none')}"
    )
