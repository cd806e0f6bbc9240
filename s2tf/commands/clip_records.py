"""What was measured of each clip, one file a clip: resumable, shared by processes, merged in the order of the keys."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = "clips"
SUFFIX = ".safetensors"
LONGEST = 180
"""Bytes of a name: file systems take 255, of which some are for the name that a file has while it is written."""
SEPARATOR = ":"
"""Between a measure's name and its state's in a file."""


@dataclass(frozen=True)
class ClipRecord:
    """A clip that was measured, or could not be."""

    key: str
    frames: int = 0
    cut: int = 0
    """Frames at the end that only one video had, see `s2tf.metrics.video_pairs.Alignment`."""
    states: "Mapping[str, Mapping[str, Tensor]]" = field(default_factory=dict)
    """By measure."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """Why a measure has nothing to say of it, by measure; all measures where the pair could not be read."""
    retry: bool = False
    """Whether a failure was not the clip's, but the disk's or the memory's: the next start measures it again."""


class RecordFolder:
    """The records of one measurement.

    Args:
        folder: Where they lie; made if it is absent.
        measured: What tells whether a record is of this very measurement: settings, networks, as plain values.
    """

    def __init__(self, folder: Path, measured: Mapping[str, Any]) -> None:
        self.folder = folder / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        self.measured = json.dumps(measured, sort_keys=True)

    def read(self, key: str, version: str) -> ClipRecord | None:
        """A clip's record, None where there is none of this measurement and of these files.

        Args:
            key: The clip's.
            version: Of its videos; another one than the record's makes it void.
        """
        from safetensors.torch import load_file

        about = self._about(key, version)
        if about is None:
            return None
        states: dict[str, dict[str, Tensor]] = {name: {} for name in about["states"]}
        for name, value in load_file(self._path(key)).items():
            measure, _, state = name.partition(SEPARATOR)
            states[measure][state] = value
        return ClipRecord(key, about["frames"], about["cut"], states, about["failures"], about["retry"])

    def has(self, key: str, version: str, retry: bool = False) -> bool:
        """Whether there is a record that `read` would give; its tensors are not read.

        Args:
            key: The clip's.
            version: Of its videos.
            retry: Pass over one that is to be measured again.
        """
        about = self._about(key, version)
        return about is not None and not (retry and about["retry"])

    def _about(self, key: str, version: str) -> dict[str, Any] | None:
        from safetensors import SafetensorError, safe_open

        path = self._path(key)
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                about = json.loads(file.metadata()["record"])
            valid = (about["measured"], about["version"], about["key"]) == (self.measured, version, key)
        except (SafetensorError, KeyError, TypeError, json.JSONDecodeError):
            # Of another program, or cut off: it is measured again.
            return None
        return about if valid else None

    def write(self, record: ClipRecord, version: str) -> None:
        """Keep it; the file is there wholly or not at all."""
        from safetensors.torch import save

        from datamodules.aside import written_aside

        tensors = {
            f"{measure}{SEPARATOR}{name}": value.contiguous()
            for measure, state in record.states.items()
            for name, value in state.items()
        }
        about = {
            "key": record.key,
            "version": version,
            "measured": self.measured,
            "frames": record.frames,
            "cut": record.cut,
            "states": list(record.states),
            "failures": dict(record.failures),
            "retry": record.retry,
        }
        path = self._path(record.key)
        with written_aside(path) as file:
            file.write(save(tensors, {"record": json.dumps(about)}))

    def _path(self, key: str) -> Path:
        name = key.replace("%", "%25").replace("/", "%2F")
        spelt = name.encode(errors="surrogateescape")
        if len(spelt) > LONGEST:
            name = hashlib.blake2b(spelt, digest_size=16).hexdigest()
        return self.folder / (name + SUFFIX)
