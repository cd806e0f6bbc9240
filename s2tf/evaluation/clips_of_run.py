"""Test clips of a run: its shards, its data module, and their description in a protocol."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource, open_source
from datamodules.shards.writing import load_manifest, read_split
from s2tf.errors import UserError
from s2tf.media.audio import SAMPLES_PER_FRAME
from s2tf.runs.build import build_parts

ADDED = ("motion", "features", "attributes")
"""Keys of a manifest about members that later commands have added."""


def shards_of(config: Mapping[str, Any], run: Path, shards: str | None) -> ShardSource:
    """Open the shards that a run was trained on, or the given shards.

    Args:
        config: The run's resolved config.
        run: The run's folder, for the message.
        shards: Other data than the run's own.

    Raises:
        UserError: The run was trained on several data sets.
    """
    chosen = shards or config["data"]["init_args"]["shards"]
    if isinstance(chosen, str):
        return ShardSource(chosen)
    if len(chosen) > 1:
        raise UserError(f"{run} was trained on several data sets: choose one with --shards")
    return ShardSource(**chosen[0])


def clips_of_split(shards: ShardSource, split: str, clips: int | None) -> Iterator[Sample]:
    """Yield the first `clips` clips of a split in their order, or all if None.

    Raises:
        ValueError: The shards hold portraits only.
    """
    open_source(shards).require_all_frames("this evaluation")
    return islice(read_split(shards, split), clips)


def first_test_clips(shards: ShardSource, clips: int | None) -> list[Sample]:
    """Read the first `clips` test clips, or all if None.

    Raises:
        UserError: There is no test clip.
    """
    samples = list(clips_of_split(shards, "test", clips))
    if not samples:
        raise UserError(f"{shards.shards}: its split test is empty, expected a clip or more")
    return samples


def shards_protocol(shards: ShardSource, clips: int) -> dict[str, Any]:
    """Describe the clips in a protocol: their number, the shards' name and the fingerprint of their manifest."""
    return {
        "clips": clips,
        "shards": shards.shards.rstrip("/").rpartition("/")[2],
        "data": manifests_fingerprint([load_manifest(shards)]),
    }


def datasets_of(sources: Iterable[ShardSource], split: str = "test") -> list[str]:
    """Return the data sets of a split of shards, by the record of the first clip of each shard folder."""
    # A record is enough: portraits without the other frames have one, too.
    first = (next(read_split(source, split), None) for source in sources)
    return sorted({sample.record.dataset for sample in first if sample is not None})


def another(samples: Sequence[Sample], index: int) -> Sample | None:
    """Find the next sample of another person after `index`, continuing at the start; None if there is none."""
    identity = samples[index].record.identity
    following = (*samples[index + 1 :], *samples[:index])
    return next((sample for sample in following if sample.record.identity != identity), None)


def speech_for(waveform: np.ndarray, frames: int) -> Tensor:
    """Return a speech (1, S) as long as `frames` frames: it is cut, or silence is appended."""
    speech = torch.zeros(1, frames * SAMPLES_PER_FRAME)
    length = min(speech.shape[1], len(waveform))
    speech[0, :length] = torch.tensor(waveform[:length])
    return speech


def clip_seed(seed: int, key: str) -> int:
    """Compute the seed of a clip's noise: it differs between clips and does not depend on the batch."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{key}".encode(), digest_size=6).digest(), "big")


def data_of_run(config: Mapping[str, Any], shards: str | None, batch: int) -> Any:
    """Build the data module of a run's config; it yields each test clip twice, with different frames if it has several.

    Args:
        config: The run's resolved config.
        shards: Other data than the config's.
        batch: Clips in a batch.
    """
    section = config["data"]
    # Runs of different seeds are compared on the same frames, and every broken clip is an error.
    changes: dict[str, Any] = {"batch_size": 2 * batch, "seed": 0, "max_broken": 0}
    if shards is not None:
        changes["shards"] = shards
    data = build_parts({"data": {**section, "init_args": {**section["init_args"], **changes}}}).data
    data.per_clip_eval = 2
    return data


def data_protocol(data: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Describe the clips in a protocol: their number, the shards' names and the fingerprint of the manifests."""
    rules = list(dict.fromkeys(source.manifest.get("split_rule", "") for source in data.sources))
    return {
        "clips": len(keys),
        # Retrieval among the people of another split is another number.
        **({"people's splits": "; ".join(rule or "official" for rule in rules)} if any(rules) else {}),
        "shards": ", ".join(Path(source.source.shards).name for source in data.sources),
        "data": manifests_fingerprint([source.manifest for source in data.sources]),
    }


def count_test_clips(data: Any, clips: int | None) -> int:
    """Count the test clips of a data module, at most `clips`."""
    total = sum(int(source.split("test").counts.sum()) for source in data.sources)
    return total if clips is None else min(clips, total)


def manifests_fingerprint(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Hash the manifests of shard folders; added codes, features and attributes do not change the hash."""
    before = [_with_former_genders(manifest) for manifest in manifests]
    plain = [{key: value for key, value in manifest.items() if key not in ADDED} for manifest in before]
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _with_former_genders(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """A manifest with the genders that it counted before attributes were added."""
    if not manifest.get("attributes"):
        return manifest
    former = manifest["attributes"][0]["genders_before"]
    splits = {name: {**split, "genders": former[name]} for name, split in manifest["splits"].items()}
    return {**manifest, "splits": splits}


def clip_pairs(data: Any, clips: int | None) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield pairs of batches of test clips: row i of both batches is the same clip, with different frames.

    Args:
        data: A data module of `data_of_run`.
        clips: Number of clips to take, or None for all.

    Raises:
        RuntimeError: The data module does not give the two frames of a clip one after the other.
    """
    for batch in map(data.on_device, data.once("test")):
        there = math.ceil(len(batch["key"]) / 2)
        taken = there if clips is None else min(clips, there)
        yield _pair(batch, taken)
        if clips is not None:
            clips -= taken
            if clips <= 0:
                return


def chosen_clip_pairs(data: Any, chosen: Mapping[int, int]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the pairs of some of the batches of `clip_pairs`; the other batches are not decoded.

    Args:
        data: A data module of `data_of_run`.
        chosen: Number of a batch, ascending -> number of its clips to take.

    Raises:
        RuntimeError: The data module does not give the two frames of a clip one after the other.
    """
    for batch, clips in zip(map(data.on_device, data.once("test", list(chosen))), chosen.values(), strict=True):
        yield _pair(batch, clips)


def _pair(batch: Mapping[str, Any], clips: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide the first `2 * clips` rows of a batch, two of each clip, into two batches."""
    first, second = ({name: value[start : 2 * clips : 2] for name, value in batch.items()} for start in (0, 1))
    if first["key"] != second["key"]:
        raise RuntimeError("the data module does not give the two frames of a clip one after the other")
    return first, second
