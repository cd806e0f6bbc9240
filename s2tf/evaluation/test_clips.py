"""Test clips of a run: its shards, its data module, and what a protocol says of them."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource
from s2tf.errors import UserError
from s2tf.media.audio import SAMPLES_PER_FRAME
from s2tf.runs.build_data import build_parts
from s2tf.runs.finished import finished_config

ADDED = ("motion", "features")
"""What a manifest says of the members that later commands have added."""


def shards_of(run: Path, network: str, shards: str | None) -> "ShardSource":
    """The shards that a finished run of `network` has learned from, or others that are given.

    Raises:
        UserError: The run is not finished, or has learned from several data sets.
    """
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
    speech = torch.zeros(1, frames * SAMPLES_PER_FRAME)
    length = min(speech.shape[1], len(waveform))
    speech[0, :length] = torch.tensor(waveform[:length])
    return speech


def clip_seed(seed: int, key: str) -> int:
    """The seed of a clip's noise: another for each clip, the same whatever the batch."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{key}".encode(), digest_size=6).digest(), "big")


def test_data(config: Mapping[str, Any], shards: str | None, batch: int) -> Any:
    """The data module of a run's config, which gives each test clip twice, each time with a frame drawn anew.

    Args:
        config: Resolved.
        shards: Other data than the config's.
        batch: Clips in a batch.
    """
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
    for batch in map(data.on_device, data.once("test")):
        rows = len(batch["key"]) if clips is None else min(2 * clips, len(batch["key"]))
        first, second = ({name: value[start:rows:2] for name, value in batch.items()} for start in (0, 1))
        if first["key"] != second["key"]:
            raise RuntimeError("the data module does not give the two frames of a clip one after the other")
        yield first, second
        if clips is not None:
            clips -= rows // 2
            if clips <= 0:
                return
