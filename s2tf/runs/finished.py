"""Reads finished runs: their configs, their stages, and the autoencoder to which motion codes belong."""

from pathlib import Path
from typing import Any

from s2tf.errors import UserError
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.runs.folder import read_config

MOTION_ENCODER = "encoder"
"""Key in the manifest of shards with motion codes: fingerprints of the networks on which a code depends."""


def finished_config(run: Path, network: str) -> dict[str, Any]:
    """Read the resolved config of a run that has trained `network` to its end.

    Raises:
        UserError: The folder is no finished run of this network.
    """
    if not (run / "networks" / network).is_dir():
        raise UserError(f"{run} is no finished run of {network}, expected networks/{network} in it")
    return read_config(run)


def finished_stage(run: Path) -> str:
    """Read the name of a finished run's stage class; empty if its config names none.

    Raises:
        UserError: The folder is no finished run.
    """
    if not any((run / "networks").glob("*/config.json")):
        raise UserError(f"{run} is no finished run, expected networks in {run / 'networks'}")
    return read_config(run).get("model", {}).get("class_path", "").rpartition(".")[2]


def check_codes(manifest: dict[str, Any], autoencoder: "MotionAutoencoder", name: str, shards: str) -> None:
    """Refuse an autoencoder that does not belong to the shards' motion codes.

    An autoencoder and the result of a high-resolution phase that keeps its encoders have the same codes.

    Args:
        manifest: Manifest of the shards with the codes.
        autoencoder: Network that would render the codes.
        name: Name of the autoencoder for the message.
        shards: Name of the shards for the message.

    Raises:
        UserError: The codes belong to another autoencoder.
    """
    about = manifest.get("motion", {})
    if about.get("fingerprint") == autoencoder.fingerprint():
        return
    if about.get(MOTION_ENCODER) == autoencoder.encoder_fingerprints():
        return
    raise UserError(
        f"{name} is {autoencoder.fingerprint()}, but the codes of {shards} belong to "
        f"{about.get('fingerprint', 'no autoencoder')}"
    )
