"""Records of measured clips, a file for each clip and measure: they let an evaluation resume and share work."""

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
"""Greatest length of a name in bytes: file systems allow 255, and the name is longer while a file is being written."""


@dataclass(frozen=True)
class ClipRecord:
    """A clip that was measured, or could not be measured."""

    key: str
    frames: int = 0
    cut: int = 0
    """Frames at the end that only one video had, see `s2tf.evaluation.videos.pairs.Alignment`."""
    states: "Mapping[str, Mapping[str, Tensor]]" = field(default_factory=dict)
    """State of each measure that could be computed."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """Measure that could not be computed -> reason; all measures if the pair could not be read."""
    retry: Collection[str] = ()
    """Measures that failed because of disk or memory, not because of the clip: the next start tries them again."""


class RecordFolder:
    """Records of several measures, each in a folder of its own, so that adding a measure leaves the others valid.

    Args:
        folder: Folder of the records; created if it does not exist.
        measured: Settings, networks and versions of each measure, as plain values; a record with others is not used.
    """

    def __init__(self, folder: Path, measured: Mapping[str, Mapping[str, Any]]) -> None:
        self.folder = folder / FOLDER
        self.measured = {name: json.dumps(one, sort_keys=True) for name, one in measured.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in measured:
            (self.folder / name).mkdir(exist_ok=True)

    def missing(self, key: str, version: str, retry: bool = False) -> list[str]:
        """List the measures that have no valid record of a clip.

        Args:
            key: Key of the clip.
            version: Version of its files; a record of another version is not used.
            retry: List also the measures that should be tried again.
        """
        found = {name: self._about(name, key, version) for name in self.measured}
        return [name for name, about in found.items() if about is None or (retry and about["retry"])]

    def read(self, key: str, version: str) -> ClipRecord:
        """Read a clip's record; no measure may be missing."""
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
            # The file is incomplete or by another program: the clip is measured again.
            return None
        return about if valid else None

    def write(self, record: ClipRecord, version: str) -> None:
        """Write a record, one file for each of its measures, by an atomic write."""
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
