"""What was measured of each clip, one file a clip and measure: resumable, shared, merged in the order of the keys."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from s2tf.fault_tolerance.atomic_files import atomic_open

FOLDER = "clips"
SUFFIX = ".safetensors"
LONGEST = 180
"""Bytes of a name: file systems take 255, of which some are for the name that a file has while it is written."""


@dataclass(frozen=True)
class ClipRecord:
    """A clip that was measured, or could not be."""

    key: str
    frames: int = 0
    cut: int = 0
    """Frames at the end that only one video had, see `s2tf.evaluation.videos.pairs.Alignment`."""
    states: "Mapping[str, Mapping[str, Tensor]]" = field(default_factory=dict)
    """By measure."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """Why a measure has nothing to say of it, by measure; all measures where the pair could not be read."""
    retry: Collection[str] = ()
    """Measures that failed not for the clip's sake, but the disk's or the memory's: the next start tries them again."""


class RecordFolder:
    """The records of some measures, each in a folder of its own, so that a measure more leaves the others' valid.

    Args:
        folder: Where they lie; made if it is absent.
        measured: By measure, what tells whether a record is of this very measurement: settings, networks, versions of
            what computes, as plain values.
    """

    def __init__(self, folder: Path, measured: Mapping[str, Mapping[str, Any]]) -> None:
        self.folder = folder / FOLDER
        self.measured = {name: json.dumps(one, sort_keys=True) for name, one in measured.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in measured:
            (self.folder / name).mkdir(exist_ok=True)

    def missing(self, key: str, version: str, retry: bool = False) -> list[str]:
        """The measures that have no record of this clip and of these files.

        Args:
            key: The clip's.
            version: Of its videos; another one than a record's makes it void.
            retry: Name those too that are to be tried again.
        """
        found = {name: self._about(name, key, version) for name in self.measured}
        return [name for name, about in found.items() if about is None or (retry and about["retry"])]

    def read(self, key: str, version: str) -> ClipRecord:
        """A clip's record by all measures, none of which may be missing."""
        abouts = {name: self._about(name, key, version) or {} for name in self.measured}
        return ClipRecord(
            key,
            max(about["frames"] for about in abouts.values()),
            next((about["cut"] for about in abouts.values() if about["cut"]), 0),
            {name: load_file(self._path(name, key)) for name, about in abouts.items() if about["failure"] is None},
            {name: about["failure"] for name, about in abouts.items() if about["failure"] is not None},
            [name for name, about in abouts.items() if about["retry"]],
        )

    def _about(self, measure: str, key: str, version: str) -> dict[str, Any] | None:
        path = self._path(measure, key)
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                about = json.loads(file.metadata()["record"])
            valid = (about["measured"], about["version"], about["key"]) == (self.measured[measure], version, key)
        except (SafetensorError, KeyError, TypeError, json.JSONDecodeError):
            # Of another program, or cut off: it is measured again.
            return None
        return about if valid else None

    def write(self, record: ClipRecord, version: str) -> None:
        """Keep what it says, by each of its measures; a file is there wholly or not at all."""
        for measure in (*record.states, *record.failures):
            tensors = {name: value.contiguous() for name, value in record.states.get(measure, {}).items()}
            about = {
                "key": record.key,
                "version": version,
                "measured": self.measured[measure],
                "frames": record.frames,
                "cut": record.cut,
                "failure": record.failures.get(measure),
                "retry": measure in record.retry,
            }
            with atomic_open(self._path(measure, record.key)) as file:
                file.write(save(tensors, {"record": json.dumps(about)}))

    def _path(self, measure: str, key: str) -> Path:
        name = key.replace("%", "%25").replace("/", "%2F")
        spelt = name.encode(errors="surrogateescape")
        if len(spelt) > LONGEST:
            name = hashlib.blake2b(spelt, digest_size=16).hexdigest()
        return self.folder / measure / (name + SUFFIX)
