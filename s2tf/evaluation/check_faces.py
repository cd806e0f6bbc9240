"""Check of a face network on pictures of known persons: the order of channels and the feature that tell them apart.

A file of weights does not say whether its network was trained on RGB or BGR, and features of the wrong order stay
plausible. With the right one, pictures of the same person are more similar, and those of different persons less.
"""

import copy
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from s2tf.errors import UserError
from s2tf.evaluation.portraits.find_pairs import SUFFIXES
from s2tf.evaluation.videos.find_pairs import files_by_name
from s2tf.faces.backends import open_detector
from s2tf.faces.crop import CropRule, choose_face, crop, square_box
from s2tf.faces.features import FaceFeatures, NetworkFeatures
from s2tf.media.pictures import read_picture
from s2tf.metrics.verification import Margin, PairCosines, Verification, compare_separations, summarise
from s2tf.models.face_encoder import CHANNEL_ORDERS, FEATURE_PLACES, ChannelOrder, FaceEncoder, FeaturePlace

FEWEST = 5
"""Least number of persons with two pictures or more."""
AT_ONCE = 16
PIXELS = 16
"""Side of the shrunken pictures whose grey values stand for no network at all."""
Report = Callable[[str], None]


@dataclass(frozen=True)
class PersonPictures:
    """Crops of faces with the persons on them."""

    pictures: np.ndarray
    """(N, S, S, 3) uint8."""
    people: list[int]
    names: list[str]
    """Names of the persons, by their numbers in `people`."""
    without_face: list[str]
    """Names of the pictures that were left out."""

    @property
    def repeated(self) -> int:
        """Number of persons with two pictures or more."""
        return sum(self.people.count(person) > 1 for person in range(len(self.names)))

    @property
    def summary(self) -> str:
        """Line with the numbers of pictures and persons."""
        text = f"{len(self.people)} pictures of {len(self.names)} persons, of {self.repeated} two or more"
        return f"{text}; without a face: {len(self.without_face)}" if self.without_face else text


@dataclass(frozen=True)
class OrderCheck:
    """Result of a check."""

    rows: dict[str, Verification]
    """`rgb, after_relu` and so on -> the cosines; `pixels` for the pictures themselves."""
    order: str
    """Order that tells persons apart better, empty if it cannot be told."""
    feature: str
    """Place of the feature that does, empty if it cannot be told or the network has only one."""
    margin: Margin | None
    """Separation by RGB minus that by BGR; None where it was not compared."""
    reason: str
    """Reason why the order cannot be told, else empty."""

    @property
    def lines(self) -> list[str]:
        """A table of the cosines, and lines that say what they tell."""
        lines = [f"{'':20}{'same person':>13}{'different':>13}{'separation':>13}"]
        for name, row in self.rows.items():
            lines.append(f"{name:20}{row.same:13.4f}{row.different:13.4f}{row.separation:13.3f}")
        if self.margin is not None:
            one = self.margin
            lines.append(
                f"separation by rgb minus that by bgr: {one.value:+.3f}, {one.low:+.3f} to {one.high:+.3f} for 95 % of "
                "the random choices of these persons"
            )
        lines.append(f"channel order: {self.order or f'cannot be told: {self.reason}'}")
        if self.order and any("," in name for name in self.rows):
            lines.append(f"feature: {self.feature or 'both places separate persons alike'}")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Convert to plain values; None for a cosine of which there are no pairs."""
        result = asdict(self)
        for row in result["rows"].values():
            row |= {name: value if math.isfinite(value) else None for name, value in row.items()}
        return result


def read_people(folder: Path, size: int = CropRule().size) -> PersonPictures:
    """Read pictures of persons: `NAME/any.jpg`, `NAME--any.jpg` or `NAME_0001.jpg`.

    A square picture is taken as a crop of a face; of any other the largest face is cropped as for training.

    Raises:
        UserError: The folder does not exist or has no picture with a face.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist, expected a folder of pictures")
    crops, people, without = [], [], []
    for name, path in files_by_name(folder, SUFFIXES, "pictures").items():
        face = _face(read_picture(path), size)
        if face is None:
            without.append(name)
        else:
            crops.append(face)
            people.append(person_in(name))
    if not crops:
        raise UserError(f"{folder}: no picture with a face, expected several of each person")
    names = sorted(set(people))
    return PersonPictures(np.stack(crops), [names.index(one) for one in people], names, without)


def person_in(name: str) -> str:
    """Return the person on a picture, by its path below the folder without the suffix.

    Example:
        >>> [person_in(name) for name in ("anna/1", "anna 2--at home", "Anna_Lind_0001", "anna")]
        ['anna', 'anna 2', 'Anna_Lind', 'anna']
    """
    folder, _, file = name.rpartition("/")
    person, dashes, _ = file.partition("--")
    return folder or (person if dashes and person else re.sub(r"[-_ ]*[0-9]+$", "", file)) or file


def check_order(faces: FaceFeatures, people: PersonPictures, report: Report) -> OrderCheck:
    """Compare the cosines of a network's features under both orders of channels, and at both places of fc7.

    The order can be told if enough persons have two pictures, if the network tells persons apart better than their
    pixels do (one with random weights does not), and if the better order stays better for 95 % of the random choices
    of persons.

    Args:
        faces: The network.
        people: The pictures.
        report: Function that is called with a line about the progress.
    """
    pairs = {"pixels": PairCosines.of_features(_pixels(people.pictures), people.people)}
    for order, place, features in _all_features(faces, people.pictures, report):
        key = f"{order}, {place}" if place else order
        pairs[key] = PairCosines.of_features(features, people.people)
    rows = {key: summarise(one) for key, one in pairs.items()}
    if people.repeated < FEWEST:
        reason = f"{people.repeated} persons have two pictures or more, expected at least {FEWEST}"
        return OrderCheck(rows, "", "", None, reason)
    # Compare both orders where the network's own feature is, and the better one with the pixels.
    own = _own_place(faces)
    rgb, bgr = (f"{order}, {own}" if own else order for order in ("rgb", "bgr"))
    margin = compare_separations(pairs[rgb], pairs[bgr])
    better = rgb if margin.value > 0 else bgr
    if compare_separations(pairs[better], pairs["pixels"]).sign < 1:
        reason = (
            "the network tells persons apart no better than their pixels do: its weights are random or of another "
            "network, or the pictures of a person are of one recording"
        )
        return OrderCheck(rows, "", "", margin, reason)
    if not margin.sign:
        reason = "the orders differ by less than the choice of persons: give pictures of more persons"
        return OrderCheck(rows, "", "", margin, reason)
    order = better.partition(",")[0]
    return OrderCheck(rows, order, _better_place(pairs, order), margin, "")


def _own_place(faces: FaceFeatures) -> str:
    encoder = _encoder(faces)
    return encoder.feature if encoder is not None else ""


def _better_place(pairs: dict[str, PairCosines], order: str) -> str:
    """Return the place of the feature that separates persons better, or nothing if both do alike."""
    before, after = (pairs.get(f"{order}, {place}") for place in FEATURE_PLACES)
    sign = compare_separations(after, before).sign if before is not None and after is not None else 0
    return {1: "after_relu", -1: "before_relu"}.get(sign, "")


def _encoder(faces: FaceFeatures) -> FaceEncoder | None:
    found = faces.network if isinstance(faces, NetworkFeatures) else None
    return found if isinstance(found, FaceEncoder) else None


def _all_features(faces: FaceFeatures, pictures: np.ndarray, report: Report) -> Iterator[tuple[str, str, Tensor]]:
    """Yield order, place (empty for a network without a choice) and the features of all pictures."""
    encoder = _encoder(faces)
    if encoder is None or not isinstance(faces, NetworkFeatures):
        for order in CHANNEL_ORDERS:
            shown = pictures if order == "rgb" else np.ascontiguousarray(pictures[..., ::-1])
            yield order, "", _embed(faces, shown, order, report)
        return
    places: Sequence[FeaturePlace] = FEATURE_PLACES if encoder.form == "fc7" else (encoder.feature,)
    reader = copy.copy(faces)
    for order in CHANNEL_ORDERS:
        for place in places:
            reader.network = read_as(encoder, order, place)
            yield order, place, _embed(reader, pictures, f"{order}, {place}", report)


def read_as(encoder: FaceEncoder, order: ChannelOrder, place: FeaturePlace) -> FaceEncoder:
    """Return an encoder with the same weights, in the same memory, that sees and gives something else."""
    other = copy.copy(encoder)
    # A copy shares the mapping of its buffers, of which the mean is one.
    other._buffers = dict(encoder._buffers)
    other.mean = encoder.mean if order == encoder.channel_order else encoder.mean.flip(1)
    other.channel_order, other.feature = order, place
    return other


def _embed(faces: FaceFeatures, pictures: np.ndarray, what: str, report: Report) -> Tensor:
    parts = []
    for start in range(0, len(pictures), AT_ONCE):
        parts.append(faces.embed(pictures[start : start + AT_ONCE]))
        report(f"{what}: {min(start + AT_ONCE, len(pictures))} of {len(pictures)} pictures")
    return torch.cat(parts)


def _pixels(pictures: np.ndarray) -> Tensor:
    """Shrunken pictures (N, 768) around their own means."""
    small = [cv2.resize(one, (PIXELS, PIXELS), interpolation=cv2.INTER_AREA) for one in pictures]
    values = torch.from_numpy(np.stack(small)).float().flatten(1)
    return values - values.mean(dim=1, keepdim=True)


def _face(picture: np.ndarray, size: int) -> np.ndarray | None:
    height, width = picture.shape[:2]
    if height == width:
        return crop(
            picture, square_box(np.array([[0, 0], [width, height]]), CropRule(scale=1, shift_y=0, cover=0)), size
        )
    found = open_detector("dlib").detect(picture)
    if not found:
        return None
    face = choose_face(found)
    corners = np.array([[face.left, face.top], [face.right, face.bottom]])
    return crop(picture, square_box(corners, CropRule()), size)
