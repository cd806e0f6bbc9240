"""The section `tracking` of an experiment: records of a run besides its losses."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from s2tf.callbacks.media import MediaSamples
from s2tf.callbacks.run_record import RunRecord
from s2tf.callbacks.throughput import Throughput
from s2tf.errors import UserError


@dataclass(frozen=True)
class Tracking:
    """Values of the section `tracking`; they do not change the identity of a run."""

    throughput: bool = True
    """True to log speed, memory, waiting and MFU."""
    samples_every: int = 0
    """Optimizer steps between two previews, or 0 for no previews."""
    samples: int = 4
    """Number of validation clips in a preview."""
    autoencoder: str = ""
    """`RUN/networks/motion_autoencoder`, which renders the codes of motion diffusion as videos; empty for no videos."""
    artifacts: bool = True
    """True to record inputs and outputs of the run in its folder and at W&B."""
    upload: bool = False
    """True to send the artifacts' files to W&B, instead of references with checksums."""

    @classmethod
    def parse(cls, section: Any) -> "Tracking":
        """Read the section of a composed experiment.

        Raises:
            UserError: A key is unknown, or a value has the wrong type or is too small; the message names the key.
        """
        if not isinstance(section, Mapping):
            raise UserError(f"tracking is {section!r}, expected a mapping")
        known: dict[str, Any] = {field.name: field.type for field in fields(cls)}
        for name, value in section.items():
            if name not in known:
                raise UserError(f"tracking.{name}: unknown key, expected one of {', '.join(known)}")
            least = 1 if name == "samples" else 0
            if type(value) is not known[name] or (known[name] is int and value < least):
                wanted = {bool: "true or false", str: "a folder"}.get(known[name], f"a whole number, at least {least}")
                raise UserError(f"tracking.{name} is {value!r}, expected {wanted}")
        return cls(**section)


def callbacks(config: Mapping[str, Any], experiment: str, folder: Path) -> list[Any]:
    """Build the callbacks of the section `tracking`, which are added to those of `trainer.callbacks`.

    Args:
        config: A composed experiment.
        experiment: Name of the experiment.
        folder: Folder of the run.

    Raises:
        UserError: The section is wrong, or its autoencoder does not exist.
    """
    tracking = Tracking.parse(config.get("tracking", {}))
    if tracking.autoencoder and not Path(tracking.autoencoder).is_dir():
        raise UserError(f"tracking.autoencoder is {tracking.autoencoder!r}, expected an existing folder")
    chosen: list[Any] = [RunRecord(config, experiment, folder, tracking.artifacts, tracking.upload)]
    if tracking.throughput:
        chosen.append(Throughput())
    if tracking.samples_every:
        chosen.append(MediaSamples(tracking.samples_every, tracking.samples, tracking.autoencoder))
    return chosen


def record_outputs(trainer: Any, networks: Path) -> None:
    """Record the outputs of a finished fit while W&B's run is open; call on rank 0."""
    for callback in trainer.callbacks:
        if isinstance(callback, RunRecord):
            callback.record_outputs(trainer, networks)
