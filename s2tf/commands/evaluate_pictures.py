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

    A picture in a folder of its own below REFERENCE is of the person that the folder is named by; others are of as many
    people. The mean of the true pictures stands in the place of the mean face.

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
    keys = sorted(set(made) & set(true))
    if not keys:
        raise UserError(
            f"no picture of the {len(made)} in {generated} has the name of one of {len(true)} in {reference}"
        )
    people = sorted({_person(key) for key in keys})
    readings, total = PortraitReadings(), 0.0
    for number, key in enumerate(keys, start=1):
        report(f"{name}: portrait {number} of {len(keys)}")
        portrait, picture = (_read(path) for path in (made[key], true[key]))
        _add(readings, key, people.index(_person(key)), portrait, picture, faces, attributes)
        total = total + _of_size(picture, faces)
    failures = [(key, f"no portrait for {true[key]}") for key in sorted(set(true) - set(made))]
    failures += [(key, f"no true picture for {made[key]}") for key in sorted(set(made) - set(true))]
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
        failures=[{"clip": key, "what": "all", "reason": reason} for key, reason in failures],
    )
    scores.write(out)
    return scores


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
