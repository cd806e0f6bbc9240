"""The plan of a preparation: everything that determines its bytes, except the recordings' contents."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.recording import Recording
from datamodules.shards.differences import first_difference
from datamodules.shards.writing import AUDIO_SETTINGS


@dataclass(frozen=True)
class Group:
    """Recordings of one split that share a shard."""

    name: str
    """`train-000012`; the shard is `<name>.tar`."""
    split: str
    recordings: list[Recording]


@dataclass(frozen=True)
class Plan:
    """Plan of a folder of shards; another plan in the same folder is refused."""

    fingerprint: str
    """Hash of the settings and of all recordings in their groups."""
    settings: dict[str, Any]
    """Treatment of every clip."""

    def to_json(self) -> dict[str, Any]:
        """The entries of the manifest."""
        return {**self.settings, "plan": self.fingerprint}

    def refusal(self, out: Path, there: Mapping[str, Any]) -> str:
        """Name the difference from what `out` holds: a setting, or else its recordings and their splits.

        Args:
            out: The folder.
            there: Entries of its manifest or of its plan, which earlier versions wrote without the settings.
        """
        stored = {name: there[name] for name in self.settings if name in there}
        if stored and (found := first_difference(stored, self.settings)):
            place, value, wanted = found
            return f"{out} holds shards with {place} {value}, not {wanted}: expected the same, or another folder"
        other = "recordings or splits" if stored else "recordings or settings"
        return f"{out} holds shards of other {other}: expected another folder, or delete this one"


def plan_of(groups: Sequence[Group], settings: ClipSettings) -> Plan:
    """Plan the preparation of groups of recordings."""
    told = _settings(settings)
    digest = hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=16)
    for group in groups:
        digest.update(f"\n{group.name}".encode())
        for recording in group.recordings:
            digest.update(f"\n{_identity_of(recording)}".encode(errors="backslashreplace"))
    return Plan(digest.hexdigest(), told)


def _identity_of(recording: Recording) -> str:
    """The facts that a reader states about a recording, without its paths."""
    values = ((item.name, getattr(recording, item.name)) for item in fields(recording))
    told = [f"{name}={value!r}" for name, value in values if name != "reason" and not _is_place(value)]
    return f"{type(recording).__name__}({', '.join(told)})"


def _is_place(value: object) -> bool:
    return isinstance(value, Path) or (isinstance(value, tuple) and any(isinstance(item, Path) for item in value))


def _settings(settings: ClipSettings) -> dict[str, Any]:
    return {
        "crop_rule": settings.rule.to_json(),
        "faces": asdict(settings.faces),
        "audio": AUDIO_SETTINGS,
        "settings": {
            "min_seconds": settings.min_seconds,
            "max_seconds": settings.max_seconds,
            "min_face_px": settings.min_face_px,
            "jpeg_quality": settings.jpeg_quality,
            "mesh": settings.mesh,
            # Folders of earlier versions without these settings keep their plan.
            **({"min_face_measures": "crop"} if settings.min_face_px else {}),
            **({"portraits": settings.portraits} if settings.portraits else {}),
        },
    }
