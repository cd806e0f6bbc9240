"""The outcome of a preparation: the ledger's rows, and counts that add up."""

from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from datamodules.prepare.clip import PreparedClip
from datamodules.prepare.recording import ABSENT
from datamodules.shards.records import GENDERS, SPLITS
from s2tf.media.audio import FPS


@dataclass(frozen=True)
class Failure:
    """A row of `failures.csv`, or of `absent.csv` where the recording is not there."""

    clip: str
    step: str
    reason: str


@dataclass
class SplitSummary:
    """The content of a split."""

    clips: int = 0
    frames: int = 0
    identities: set[str] = field(default_factory=set)
    genders: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*GENDERS, "unknown"), 0))
    shards: dict[str, int] = field(default_factory=dict)
    """Samples in each shard, by file name."""

    @property
    def seconds(self) -> float:
        """Total length of the clips."""
        return self.frames / FPS

    def merge(self, other: "SplitSummary") -> None:
        """Add the content of another part of the split."""
        self.clips += other.clips
        self.frames += other.frames
        self.identities |= other.identities
        for gender, count in other.genders.items():
            self.genders[gender] += count
        self.shards |= other.shards


@dataclass
class PrepareSummary:
    """The outcome of all recordings: `recordings` = `written` + `failed` + `absent`."""

    splits: dict[str, SplitSummary] = field(default_factory=lambda: {name: SplitSummary() for name in SPLITS})
    failures: list[Failure] = field(default_factory=list)
    """Recordings that are there and cannot be used."""
    absences: list[Failure] = field(default_factory=list)
    """Recordings that are not there."""
    recordings: int = 0
    notes: dict[str, int] = field(default_factory=dict)
    """Clips `cut` to the longest length, `trimmed` to the frames with the face, or with landmarks `filled`."""

    def add(self, clip: PreparedClip) -> None:
        """Count a clip that was written."""
        split = self.splits[clip.split]
        split.clips += 1
        split.frames += clip.frames
        split.identities.add(clip.identity)
        split.genders[clip.gender or "unknown"] += 1
        for note in clip.notes:
            self.notes[note] = self.notes.get(note, 0) + 1

    def add_failure(self, failure: Failure) -> None:
        """Count a recording that cannot be used, or that is not there."""
        (self.absences if failure.step == ABSENT else self.failures).append(failure)

    def merge(self, other: "PrepareSummary") -> None:
        """Add the outcome of other recordings."""
        for name, split in other.splits.items():
            self.splits[name].merge(split)
        self.failures += other.failures
        self.absences += other.absences
        self.recordings += other.recordings
        for note, count in other.notes.items():
            self.notes[note] = self.notes.get(note, 0) + count

    @property
    def written(self) -> int:
        """Clips in the shards."""
        return sum(split.clips for split in self.splits.values())

    @property
    def failed(self) -> int:
        """Rows of `failures.csv`."""
        return len(self.failures)

    @property
    def absent(self) -> int:
        """Rows of `absent.csv`."""
        return len(self.absences)

    def too_many_failed(self, most: float) -> bool:
        """True if more than a share `most` of the recordings that are there failed."""
        return self.failed > most * (self.written + self.failed)

    @property
    def failed_steps(self) -> dict[str, int]:
        """Failures by step, the most frequent first."""
        counts: dict[str, int] = {}
        for failure in self.failures:
            counts[failure.step] = counts.get(failure.step, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def table(self) -> Table:
        """The counts as a table; they add up to the recordings."""
        table = Table(title=f"{self.recordings} recordings", title_justify="left")
        table.add_column("")
        for name in ("clips", "identities", "minutes"):
            table.add_column(name, justify="right")
        for name, split in self.splits.items():
            table.add_row(name, str(split.clips), str(len(split.identities)), f"{split.seconds / 60:.1f}")
        for step, count in self.failed_steps.items():
            table.add_row(f"failed: {step}", str(count), "", "")
        table.add_section()
        table.add_row("written + failed", f"{self.written} + {self.failed}", "", "")
        if self.absent:
            table.add_row("absent", str(self.absent), "", "")
        for note, count in sorted(self.notes.items()):
            table.add_row(f"of those written, {note}", str(count), "", "")
        return table

    def to_json(self) -> dict[str, Any]:
        """The summary as a JSON object."""
        return {
            "recordings": self.recordings,
            "written": self.written,
            "failed": self.failed,
            "absent": self.absent,
            "failed_steps": self.failed_steps,
            "notes": dict(sorted(self.notes.items())),
            "failures": [asdict(failure) for failure in self.failures],
            "absences": [asdict(failure) for failure in self.absences],
            "splits": {name: _split_json(split) for name, split in self.splits.items()},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "PrepareSummary":
        """The summary from the result of `to_json`; that of an earlier version counts absent recordings as failures."""
        summary = cls(
            splits={name: _split_from_json(split) for name, split in data["splits"].items()},
            recordings=data["recordings"],
            notes=data["notes"],
        )
        for row in (*data["failures"], *data.get("absences", ())):
            summary.add_failure(Failure(**row))
        return summary


def _split_json(split: SplitSummary) -> dict[str, Any]:
    return {
        "clips": split.clips,
        "seconds": split.seconds,
        "identities": sorted(split.identities),
        "genders": split.genders,
        "shards": split.shards,
    }


def _split_from_json(data: dict[str, Any]) -> SplitSummary:
    return SplitSummary(
        clips=data["clips"],
        frames=round(data["seconds"] * FPS),
        identities=set(data["identities"]),
        genders=data["genders"],
        shards=data["shards"],
    )
