"""VoxCeleb 1 and 2 (Nagrani et al. 2017, Chung et al. 2018): utterances of celebrities.

Their official page is that of the Visual Geometry Group, "VoxCeleb", at robots.ox.ac.uk/~vgg/data/voxceleb. The folder:

    SOURCE/vox1_meta.csv or SOURCE/vox2_meta.csv    as published: identity, VGGFace identity, gender, (nationality,) set
    SOURCE/**/<identity>/<video>/<clip>.mp4         utterances, at any depth: `dev/mp4/id00012/21Uxsk56VDQ/00001.mp4`
    SOURCE/**/<identity>/<video>/<clip>.m4a (.wav)  their sound, where the videos have none: the same path with `aac`,
                                                    `m4a` or `wav` in the place of `mp4`
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datamodules.prepare.files import FileRecording, unique_key, walk
from datamodules.prepare.recording import Reader, Recording, UnusableRecording
from datamodules.prepare.splits import HeldOut, assign_splits
from s2tf.media.container import VIDEO_SUFFIXES
from s2tf.tables.names import normal_name
from s2tf.tables.read_table import read_table, refuse_rows

TABLES = {"voxceleb1": "vox1_meta.csv", "voxceleb2": "vox2_meta.csv"}
SOUND_FOLDERS = (("aac", ".m4a"), ("m4a", ".m4a"), ("wav", ".wav"))
HELD_OUT = HeldOut(val=0.01, test=0.0)
GENDERS = {"m": "male", "f": "female"}
LETTERS = {"train": "FGHIJKLMNOPQRSTUVWXYZ", "val": "AB", "test": "CDE"}
"""Splits by the first letter of a person's name, by which work on faces from voices divides VoxCeleb 1.

Wen, Singh and Raj, "Face Reconstruction from Voice using Generative Adversarial Networks" (NeurIPS 2019): of the 1,225
people of whom VGGFace has pictures too, 924, 112 and 189. Their code (cmu-mlsp/reconstructing_faces_from_voices) trains
on F to Z and names A to E for validation and test; A and B are 116, C to E 193 of all 1,251 names, which leaves only
this division of the five. The 26 people without pictures in VGGFace stay in: 942, 116 and 193 people.
"""
SPLIT_RULES = {"official": "", "letters": "first letters: F-Z, A-B, C-E (Wen et al. 2019)"}
"""Rules that divide the people, as protocols name them; the table's own rule needs no name."""
_IDENTITY = re.compile(r"id[0-9]{5}")


@dataclass(frozen=True)
class Speaker:
    """A line of the table."""

    name: str
    """Name, or number where the table has no names."""
    attributes: dict[str, Any]
    test: bool


class VoxCelebReader(Reader):
    """Every utterance; the official test identities are the test split, the others are divided into train and val.

    Args:
        source: The folder.
        dataset: `voxceleb1` or `voxceleb2`.
        held_out: Share of the development identities held out for validation.
        splits: `official`, or `letters` for `LETTERS` in place of the table's test set and the held-out share.

    Raises:
        FileNotFoundError: The folder or its table is missing.
        ValueError: The table cannot be read or has no names for `letters`, or the folder has no utterance.
    """

    def __init__(self, source: str | Path, dataset: str, held_out: HeldOut = HELD_OUT, splits: str = "official"):
        self.split_rule = SPLIT_RULES[splits]
        self.source = Path(source)
        self.dataset = dataset
        self._speakers = _read_table(self.source / TABLES[dataset])
        files = [path for path in walk(self.source) if path.suffix.lower() in VIDEO_SUFFIXES]
        if not files:
            raise ValueError(f"no video in {source}, expected <identity>/<video>/<clip>.mp4")
        taken: set[str] = set()
        recordings = [self._recording(path, taken) for path in files]
        if splits == "letters":
            self.recordings = [replace(item, split=self._split_by_letter(item.identity)) for item in recordings]
            return
        tests = {name for name, speaker in self._speakers.items() if speaker.test}
        self.recordings = assign_splits(recordings, held_out, test_set=tests)

    def _split_by_letter(self, identity: str) -> str:
        if identity not in self._speakers:
            return "train"
        name = self._speakers[identity].name
        split = next((split for split, letters in LETTERS.items() if name[:1].upper() in letters), None)
        if not name or split is None or name[1:].isdigit():
            raise ValueError(
                f"{self.source / TABLES[self.dataset]}: {identity} is called {name!r}, expected a name that begins "
                "with a letter: splits by letters are those of VoxCeleb 1"
            )
        return split

    def _recording(self, path: Path, taken: set[str]) -> Recording:
        identity, video = ("", "", *path.relative_to(self.source).parts)[-3:-1]
        name = normal_name(f"{self.dataset}-{identity}-{video}-{path.stem}")
        key = unique_key(re.sub(r"[^A-Za-z0-9_-]", "_", name), taken)
        if not _IDENTITY.fullmatch(identity):
            reason = (
                f"{path.relative_to(self.source)} is not <identity>/<video>/<clip>, an identity is id and five digits"
            )
            return UnusableRecording(key=key, dataset=self.dataset, identity=key, step="path", reason=reason)
        speaker = self._speakers.get(identity)
        if speaker is None:
            reason = f"{identity} is not in {TABLES[self.dataset]}"
            return UnusableRecording(key=key, dataset=self.dataset, identity=identity, step="meta", reason=reason)
        return FileRecording(
            key=key,
            dataset=self.dataset,
            identity=identity,
            attributes=speaker.attributes,
            path=path,
            sounds=_sounds(path, self.source),
        )


def _sounds(path: Path, source: Path) -> tuple[Path, ...]:
    """Candidates for an utterance's sound: in the tree of sounds, or beside the video."""
    parts = path.relative_to(source).parts
    return tuple(
        source.joinpath(*(folder if part == "mp4" else part for part in parts)).with_suffix(suffix)
        for folder, suffix in SOUND_FOLDERS
    )


def _read_table(path: Path) -> dict[str, Speaker]:
    """The speakers by identity; VoxCeleb 1 separates its columns by tabs, VoxCeleb 2 by commas and spaces."""
    if not path.is_file():
        raise FileNotFoundError(f"no table {path}, which the data set's page offers")
    rows = read_table(path, ("gender", "set"))
    result: dict[str, Speaker] = {}
    twice = []
    for row in rows:
        cells = list(row.cells.values())
        gender = GENDERS.get(row["gender"].lower())
        if not next(iter(row.cells)).startswith("voxceleb"):
            raise ValueError(f"{path}: expected VoxCeleb ID as the first column, got {', '.join(row.cells)}")
        if gender is None or row["set"] not in ("dev", "test"):
            raise ValueError(f"{row.where}: {cells}, expected gender m or f and set dev or test")
        attributes = {"gender": gender} | ({"nationality": row["nationality"]} if row["nationality"] else {})
        speaker = Speaker(cells[1], attributes, row["set"] == "test")
        if result.setdefault(cells[0], speaker) != speaker:
            twice.append(f"{cells[0]} (line {row.line})")
    refuse_rows(rows, twice, "contradict an earlier row of the same identity", "expected one row for each identity")
    return result
