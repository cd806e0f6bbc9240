"""What measuring a finished run needs: its config, its test data, and the scores that come of it."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table
    from torch import Tensor

    from datamodules.samples import Sample
    from datamodules.sources import ShardSource
    from s2tf.metrics.protocol import Measurement

METRICS_FILE = "metrics.json"
ADDED = ("motion", "features")
"""What a manifest says of the members that later commands have added."""


@dataclass
class Scores:
    """What was measured on one run."""

    kind: str
    experiment: str
    measurements: "list[Measurement]"
    protocol: dict[str, Any]
    random_weights: list[str]
    not_computed: "Mapping[str, str]" = field(default_factory=dict)
    """What was asked for and could not be had, with the reason."""
    warnings: Sequence[str] = ()
    frames: "Mapping[str, int]" = field(default_factory=dict)
    """Of videos: how many lie beside each other, and how many of them and beyond them are left out, by reason."""
    packages: Sequence[str] = ()
    """What has read and computed besides OpenCV and torch, where the measurements do not say it themselves."""
    drawn_by: str = ""
    """What has drawn the videos that were measured, where it is known; no part of how they were measured."""
    failures: "Sequence[Mapping[str, str]]" = ()
    """Clips that could not be measured: clip, what and reason."""

    @property
    def complete(self) -> bool:
        """Whether all that was asked for is there, of every clip."""
        return not self.not_computed and not self.failures

    def to_json(self) -> dict[str, Any]:
        """The content of `metrics.json`."""
        from s2tf.metrics.protocol import measurements_to_json
        from s2tf.metrics.software import OPENCV, versions

        software = versions([OPENCV, "torch", *self.packages])
        told = [one if one.software else replace(one, software=software) for one in self.measurements]
        return {
            "kind": self.kind,
            "experiment": self.experiment,
            "random_weights": self.random_weights,
            "protocol": self.protocol,
            "measurements": measurements_to_json(told),
            "not_computed": dict(self.not_computed),
            "warnings": list(self.warnings),
            **({"frames": dict(self.frames)} if self.frames else {}),
            **({"drawn_by": self.drawn_by} if self.drawn_by else {}),
            "failures": [dict(one) for one in self.failures],
        }

    def write(self, folder: Path) -> None:
        """Write `metrics.json` into `folder`, which is made if it is absent."""
        from datamodules.aside import written_aside

        folder.mkdir(parents=True, exist_ok=True)
        with written_aside(folder / METRICS_FILE, "w") as file:
            file.write(json.dumps(self.to_json(), indent=2) + "\n")

    def table(self) -> "Table":
        """To print."""
        from s2tf.commands.score_table import score_table

        return score_table(self)


def finished_config(run: Path, network: str) -> dict[str, Any]:
    """The resolved config of a run that has trained `network` to its end.

    Raises:
        UserError: The folder is no such run.
    """
    from s2tf.errors import UserError
    from s2tf.run_folders import read_config

    if not (run / "networks" / network).is_dir():
        raise UserError(f"{run}: no finished run of {network}: expected networks/{network} in it")
    return read_config(run)


def shards_of(run: Path, network: str, shards: str | None) -> "ShardSource":
    """The shards that a finished run of `network` has learned from, or others that are given.

    Raises:
        UserError: The run is not finished, or has learned from several data sets.
    """
    from datamodules.sources import ShardSource
    from s2tf.errors import UserError

    config = finished_config(run, network)
    chosen = shards or config["data"]["init_args"]["shards"]
    if isinstance(chosen, str):
        return ShardSource(chosen)
    if len(chosen) > 1:
        raise UserError(f"{run} has learned from several data sets: choose one with --shards")
    return ShardSource(**chosen[0])


def name_of(shards: "ShardSource") -> str:
    """The last part of where they are."""
    return shards.shards.rstrip("/").rpartition("/")[2]


def another(samples: "Sequence[Sample]", index: int) -> "Sample | None":
    """The next sample after `index`, going round, of another person; None where there is none."""
    identity = samples[index].record.identity
    following = (*samples[index + 1 :], *samples[:index])
    return next((sample for sample in following if sample.record.identity != identity), None)


def speech_for(waveform: "np.ndarray", frames: int) -> "Tensor":
    """A speech (1, S) for just so many frames: cut, or followed by silence."""
    import torch

    from s2tf.media.audio import SAMPLES_PER_FRAME

    speech = torch.zeros(1, frames * SAMPLES_PER_FRAME)
    length = min(speech.shape[1], len(waveform))
    speech[0, :length] = torch.tensor(waveform[:length])
    return speech


def clip_seed(seed: int, key: str) -> int:
    """The seed of a clip's noise: another for each clip, the same whatever the batch."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{key}".encode(), digest_size=6).digest(), "big")


def finished_stage(run: Path) -> str:
    """The name of the stage's class that a finished run is of; empty where its config names none.

    Raises:
        UserError: The folder is no finished run.
    """
    from s2tf.errors import UserError
    from s2tf.run_folders import read_config

    if not any((run / "networks").glob("*/config.json")):
        raise UserError(f"{run}: no finished run: expected networks in {run / 'networks'}")
    return read_config(run).get("model", {}).get("class_path", "").rpartition(".")[2]


def test_data(config: Mapping[str, Any], shards: str | None, batch: int) -> Any:
    """The data module of a run's config, which gives each test clip twice, each time with a frame drawn anew.

    Args:
        config: Resolved.
        shards: Other data than the config's.
        batch: Clips in a batch.
    """
    from s2tf.commands.data_module import build_parts

    section = config["data"]
    # Runs of different seeds are compared with the same frames, and no clip is left out in passing.
    changes: dict[str, Any] = {"batch_size": 2 * batch, "seed": 0, "max_broken": 0}
    if shards is not None:
        changes["shards"] = shards
    data = build_parts({"data": {**section, "init_args": {**section["init_args"], **changes}}}).data
    data.per_clip_eval = 2
    return data


def data_protocol(data: Any, keys: Sequence[str]) -> dict[str, Any]:
    """How many clips of which shards, and the fingerprint of their manifests."""
    return {
        "clips": len(keys),
        "shards": ", ".join(Path(source.source.shards).name for source in data.sources),
        "data": manifests_fingerprint([source.manifest for source in data.sources]),
    }


def manifests_fingerprint(manifests: Sequence[Mapping[str, Any]]) -> str:
    """A hash of what shard folders say about themselves; codes and features that were added do not count."""
    plain = [{key: value for key, value in one.items() if key not in ADDED} for one in manifests]
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def clip_pairs(data: Any, clips: int | None) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Batches of the test clips, each with two draws of a frame; the rows of the two are of the same clips."""
    for batch in map(data.finish, data.once("test")):
        rows = len(batch["key"]) if clips is None else min(2 * clips, len(batch["key"]))
        first, second = ({name: value[start:rows:2] for name, value in batch.items()} for start in (0, 1))
        if first["key"] != second["key"]:
            raise RuntimeError("the data module does not give the two frames of a clip one after the other")
        yield first, second
        if clips is not None:
            clips -= rows // 2
            if clips <= 0:
                return
