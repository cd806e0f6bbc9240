"""What is read off one picture of a face, kept in a record: portraits and true pictures, whatever may be wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2tf import __version__
from s2tf.errors import UserError
from s2tf.evaluation.clip_records import ClipRecord
from s2tf.evaluation.software import OPENCV, versions
from s2tf.evaluation.videos.sources import SourceFile
from s2tf.faces.attributes import AttributeReader, Attributes
from s2tf.faces.crop import resize
from s2tf.faces.features import FaceFeatures
from s2tf.media.pictures import read_picture

FACES, ATTRIBUTES = "faces", "attributes"
"""The measures of a picture."""
TRUE, PORTRAIT, FURTHER = "true", "portrait", "further"
"""What a picture is; of a further portrait of a speech only the features are wanted."""
MEAN_SIZE = 64
"""Side of the mean face where the network does not say which size it looks at, pixels."""

State = dict[str, "Tensor"]


@dataclass(frozen=True)
class Picture:
    """A file, and what it is."""

    role: str
    name: str
    path: Path

    @property
    def key(self) -> str:
        """Of its record."""
        return f"{self.role}/{self.name}"

    @property
    def version(self) -> str:
        """Changes when the file does; of one that has gone away since, nothing can be said."""
        try:
            return SourceFile(self.path).version
        except OSError:
            return "gone"


@dataclass(frozen=True)
class FaceReaders:
    """What reads faces off pictures."""

    faces: "FaceFeatures"
    attributes: "AttributeReader | None"
    """None where gender and age are not asked for."""

    @property
    def packages(self) -> list[str]:
        """What has read the pictures, besides OpenCV and torch."""
        return ["pillow", *(self.attributes.packages if self.attributes is not None else ())]

    @property
    def measured(self) -> dict[str, dict[str, Any]]:
        """By measure, what its records depend on beside the picture, see `RecordFolder`."""
        protocols: dict[str, Mapping[str, Any]] = {FACES: self.faces.protocol}
        if self.attributes is not None:
            protocols[ATTRIBUTES] = self.attributes.protocol
        software = versions([OPENCV, "torch", *self.packages])
        return {name: {**one, "software": software, "s2tf": __version__} for name, one in protocols.items()}

    def record(self, picture: Picture, wanted: list[str]) -> ClipRecord:
        """What some measures read off a picture; what fails is in the record with its reason.

        Raises:
            UserError: A service refuses to read gender and age at all; it would not say more of the next picture.
        """
        try:
            pixels = _square(picture.path)
        except (ValueError, OSError) as error:
            reasons = dict.fromkeys(wanted, _reason(picture, error))
            return ClipRecord(picture.key, failures=reasons, retry=reasons if isinstance(error, OSError) else ())
        read: dict[str, Callable[[Picture, np.ndarray], State]] = {FACES: self._faces, ATTRIBUTES: self._attributes}
        states, failures, passing = {}, {}, set()
        for name in wanted:
            try:
                states[name] = read[name](picture, pixels)
            except UserError:
                raise
            except (ValueError, RuntimeError) as error:
                # Of the picture, if it is its value; else of the machine, such as a full memory.
                if not isinstance(error, ValueError):
                    passing.add(name)
                failures[name] = _reason(picture, error)
        return ClipRecord(picture.key, states=states, failures=failures, retry=passing)

    def _faces(self, picture: Picture, pixels: "np.ndarray") -> State:
        state = {"features": self.faces.embed(pixels[None])[0].clone()}
        if picture.role == TRUE:
            state["picture"] = torch.from_numpy(_of_size(pixels, self.faces))
        return state

    def _attributes(self, picture: Picture, pixels: "np.ndarray") -> State:
        # A service is paid for each picture.
        if self.attributes is None or picture.role == FURTHER:
            return {}
        (found,) = self.attributes.read(pixels[None])
        values = [] if found is None else [found.gender, found.age]
        return {"gender, age": torch.tensor(values, dtype=torch.float64)}


def attributes_of(record: ClipRecord) -> "Attributes | None":
    """Gender and age that a record says, None where no face was found."""
    values = record.states[ATTRIBUTES]["gender, age"].tolist()
    return Attributes(int(values[0]), values[1]) if values else None


def _square(path: Path) -> "np.ndarray":
    # A copy of its own: torch wants arrays that can be written to.
    picture = read_picture(path).copy()
    if picture.shape[0] != picture.shape[1]:
        raise UserError(f"{path}: {picture.shape[1]}x{picture.shape[0]} pixels, expected a square crop of a face")
    return picture


def _reason(picture: Picture, error: Exception) -> str:
    """Names the file, whatever the error says."""
    text = str(error) or type(error).__name__
    return text if str(picture.path) in text else f"{picture.path}: {text}"


def _of_size(pixels: "np.ndarray", faces: "FaceFeatures") -> "np.ndarray":
    """At one size, to average; the network's own where it says."""
    size: Any = faces.protocol.get("size")
    return resize(pixels, size if isinstance(size, int) else MEAN_SIZE)
