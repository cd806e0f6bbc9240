"""Measures portraits of any system against the true faces: feature distances, retrieval, gender and age."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2tf.commands.evaluation import Scores
from s2tf.commands.video_files import SUFFIXES as VIDEO_SUFFIXES
from s2tf.commands.video_files import files_by_name
from s2tf.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from s2tf.metrics.attributes import AttributeReader
    from s2tf.metrics.face_features import FaceFeatures

KIND = "portraits"
MEAN_SIZE = 64
"""Side of the mean face where the network does not say which size it looks at, pixels."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def holds_pictures(folder: Path) -> bool:
    """Whether there are pictures in a folder or below it, and no videos that they may be previews of."""
    kinds = {path.suffix.lower() for path in folder.rglob("*")} if folder.is_dir() else set()
    return bool(kinds & set(SUFFIXES)) and not kinds & set(VIDEO_SUFFIXES)


def evaluate_pictures(
    generated: Path,
    reference: Path,
    name: str,
    faces: "FaceFeatures",
    attributes: "AttributeReader | None",
    out: Path,
    report: Callable[[str], None],
) -> Scores:
    """Portraits and true pictures of equal names below two folders.

    A picture in a folder of its own below REFERENCE is of the person that the folder is named by, and its portrait of
    one speech of that person; others are of as many people. Where several portraits were drawn of one speech, they lie
    in a folder that is called as the true picture: `anna/1.jpg` has `anna/1.png`, or `anna/1/*.png`. The first of them
    by name is measured like a single one; diversity and consistency are of so many as all have that have several. The
    mean of the true pictures stands in the place of the mean face.

    Args:
        generated: Folder of the portraits.
        reference: Folder of the true pictures.
        name: Of the system.
        faces: The network that compares faces.
        attributes: What reads gender and age off both; None leaves them out.
        out: Folder for `metrics.json`.
        report: Called with a line on how far it is.

    Raises:
        UserError: There is no pair, or a file is no picture.
    """
    import numpy as np

    from s2tf.metrics.portrait_scores import PortraitReadings, portrait_scores

    made, true = (files_by_name(folder, SUFFIXES, "pictures") for folder in (generated, reference))
    drawn, lost = _of_speeches(made, true)
    keys = sorted(drawn)
    if not keys:
        raise UserError(
            f"no picture of the {len(made)} in {generated} has the name of one of {len(true)} in {reference}"
        )
    people = sorted({_person(key) for key in keys})
    readings, total = PortraitReadings(), 0.0
    for number, key in enumerate(keys, start=1):
        report(f"{name}: portrait {number} of {len(keys)}")
        portrait, picture = (_read(path) for path in (drawn[key][0], true[key]))
        _add(readings, key, people.index(_person(key)), portrait, picture, faces, attributes)
        total = total + _of_size(picture, faces)
    readings.varied = _varied(drawn, faces)
    failures = [(key, f"no portrait for {true[key]}") for key in sorted(set(true) - set(drawn))]
    failures += [(key, f"no true picture for {made[key]}") for key in lost]
    protocol: dict[str, Any] = {
        "clips": len(keys) + len(failures),
        "faces": dict(faces.protocol),
        "people": len(people),
    }
    mean_face = faces.embed(np.asarray(total / len(keys)).round().astype(np.uint8)[None])
    reader = attributes.protocol if attributes is not None else None
    scores = Scores(
        KIND,
        name,
        portrait_scores(readings, mean_face, faces.protocol, reader, protocol),
        protocol,
        [],
        packages=["pillow", *(attributes.packages if attributes is not None else ())],
        failures=[{"clip": key, "what": "all", "reason": reason} for key, reason in failures],
    )
    scores.write(out)
    return scores


def _of_speeches(made: dict[str, Path], true: dict[str, Path]) -> tuple[dict[str, list[Path]], list[str]]:
    """The portraits of each true picture, and the names of those that have none."""
    drawn: dict[str, list[Path]] = {}
    lost = []
    for key in sorted(made):
        speech = next((name for name in (key, key.rpartition("/")[0]) if name in true), None)
        if speech is None:
            lost.append(key)
        else:
            drawn.setdefault(speech, []).append(made[key])
    return drawn, lost


def _varied(drawn: dict[str, list[Path]], faces: "FaceFeatures") -> "list[Tensor]":
    """Features (N, D) of N portraits of a speech of each person: the first that has several; N is the least of all."""
    import torch

    first: dict[str, list[Path]] = {}
    for key in sorted(drawn):
        if len(drawn[key]) > 1:
            first.setdefault(_person(key), drawn[key])
    count = min(map(len, first.values()), default=0)
    return [torch.cat([faces.embed(_read(path)[None]) for path in paths[:count]]) for paths in first.values()]


def _person(key: str) -> str:
    folder, _, name = key.rpartition("/")
    return folder or name


def _add(
    readings: Any,
    key: str,
    person: int,
    portrait: "np.ndarray",
    picture: "np.ndarray",
    faces: "FaceFeatures",
    attributes: "AttributeReader | None",
) -> None:
    from s2tf.metrics.attributes import UNKNOWN, Attributes

    readings.keys.append(key)
    readings.identities.append(person)
    readings.labels.append(Attributes(UNKNOWN, float("nan")))
    readings.generated.append(faces.embed(portrait[None])[0])
    readings.true.append(faces.embed(picture[None])[0])
    readings.other.append(None)
    if attributes is not None:
        readings.read += attributes.read(portrait[None])
        readings.read_true += attributes.read(picture[None])
        readings.read_other.append(None)


def _read(path: Path) -> "np.ndarray":
    from s2tf.commands.animate import read_picture

    # A copy of its own: torch wants arrays that can be written to.
    picture = read_picture(path).copy()
    if picture.shape[0] != picture.shape[1]:
        raise UserError(f"{path}: {picture.shape[1]}x{picture.shape[0]} pixels, expected a square crop of a face")
    return picture


def _of_size(picture: "np.ndarray", faces: "FaceFeatures") -> Any:
    """At one size, to average; the network's own where it says."""
    from s2tf.media.faces import resize

    size: Any = faces.protocol.get("size")
    return resize(picture, size if isinstance(size, int) else MEAN_SIZE).astype(float)
