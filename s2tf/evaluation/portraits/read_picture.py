"""Reads one picture of a face, a portrait or a reference; a failure becomes part of its record."""

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
from s2tf.evaluation.sources import GONE, SourceFile
from s2tf.faces.attributes import AttributeReader, Attributes
from s2tf.faces.crop import resize
from s2tf.faces.features import FaceFeatures
from s2tf.media.picture_modes import MID_GREY, Colour
from s2tf.media.pictures import read_picture

FACES, ATTRIBUTES = "faces", "attributes"
"""Measures of a picture."""
REFERENCE, PORTRAIT, FURTHER = "true", "portrait", "further"
"""Roles of a picture in the records; for a second or later portrait of a speech only the features are read."""
MEAN_SIZE = 64
"""Side of the mean face in pixels if the network does not state its input size."""

State = dict[str, Tensor]


@dataclass(frozen=True)
class Picture:
    """A picture file with its role."""

    role: str
    name: str
    path: Path

    @property
    def key(self) -> str:
        """Key of its record."""
        return f"{self.role}/{self.name}"

    @property
    def version(self) -> str:
        """Text that changes when the file does."""
        try:
            return SourceFile(self.path).version
        except OSError:
            return GONE


@dataclass(frozen=True)
class FaceReaders:
    """Networks and services that read faces on pictures."""

    faces: FaceFeatures
    attributes: AttributeReader | None
    """Reader of gender and age, or None to leave them out."""
    background: Colour = MID_GREY
    """Colour behind transparent parts of pictures."""

    @property
    def packages(self) -> list[str]:
        """Packages that read the pictures, besides OpenCV and torch."""
        return ["pillow", *self.faces.packages, *(self.attributes.packages if self.attributes is not None else ())]

    @property
    def measured(self) -> dict[str, dict[str, Any]]:
        """Values besides the picture on which records depend, by measure; see `RecordFolder`."""
        protocols: dict[str, Mapping[str, Any]] = {FACES: self.faces.protocol}
        if self.attributes is not None:
            protocols[ATTRIBUTES] = self.attributes.protocol
        shared: dict[str, Any] = {"software": versions([OPENCV, "torch", *self.packages]), "s2tf": __version__}
        # Not named where it is the default, so that records without it stay valid.
        shared |= {"background": list(self.background)} if self.background != MID_GREY else {}
        return {name: {**one, **shared} for name, one in protocols.items()}

    def record(self, picture: Picture, wanted: list[str]) -> ClipRecord:
        """Read a picture by some measures.

        Args:
            picture: The picture.
            wanted: Names of the measures.

        Returns:
            The record of the picture, with the reason of each failure.

        Raises:
            UserError: A service refuses all requests, so that the next picture would fail too.
        """
        try:
            pixels = _square(picture.path, self.background)
        except (ValueError, OSError) as error:
            reasons = dict.fromkeys(wanted, _reason(picture, error))
            return ClipRecord(picture.key, failures=reasons, retry=reasons if isinstance(error, OSError) else ())
        read: dict[str, Callable[[Picture, np.ndarray], State]] = {FACES: self._faces, ATTRIBUTES: self._attributes}
        states, failures, retry = {}, {}, set()
        for name in wanted:
            try:
                states[name] = read[name](picture, pixels)
            except UserError:
                raise
            except (ValueError, RuntimeError) as error:
                # A ValueError comes from the picture, other errors from the machine, such as full memory.
                if not isinstance(error, ValueError):
                    retry.add(name)
                failures[name] = _reason(picture, error)
        return ClipRecord(picture.key, states=states, failures=failures, retry=retry)

    def _faces(self, picture: Picture, pixels: np.ndarray) -> State:
        state = {"features": self.faces.embed(pixels[None])[0].clone()}
        if picture.role == REFERENCE:
            state["picture"] = torch.from_numpy(_resized(pixels, self.faces))
        return state

    def _attributes(self, picture: Picture, pixels: np.ndarray) -> State:
        # Skipped for further portraits, since a service is paid for each picture.
        if self.attributes is None or picture.role == FURTHER:
            return {}
        (found,) = self.attributes.read(pixels[None])
        values = [] if found is None else [found.gender, found.age]
        return {"gender, age": torch.tensor(values, dtype=torch.float64)}


def attributes_of(record: ClipRecord) -> Attributes | None:
    """Return gender and age from a record, or None if no face was found."""
    values = record.states[ATTRIBUTES]["gender, age"].tolist()
    return Attributes(int(values[0]), values[1]) if values else None


def _square(path: Path, background: Colour) -> np.ndarray:
    # Copied, since torch needs a writable array.
    picture = read_picture(path, background).copy()
    if picture.shape[0] != picture.shape[1]:
        raise UserError(f"{path}: {picture.shape[1]}x{picture.shape[0]} pixels, expected a square crop of a face")
    return picture


def _reason(picture: Picture, error: Exception) -> str:
    """Write the reason of a failure, which names the file."""
    text = str(error) or type(error).__name__
    return text if str(picture.path) in text else f"{picture.path}: {text}"


def _resized(pixels: np.ndarray, faces: FaceFeatures) -> np.ndarray:
    """Resize a picture for the mean face to the network's input size, if the network states it."""
    size: Any = faces.protocol.get("size")
    return resize(pixels, size if isinstance(size, int) else MEAN_SIZE)
