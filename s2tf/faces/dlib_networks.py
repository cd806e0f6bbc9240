"""dlib's published networks: features of faces, 68 landmarks, and a detector; the files are an optional extra.

The package `face-recognition-models` holds the files (`pip install "s2tf[dlib]"`). The 68-point predictor was trained
on iBUG 300-W, which excludes commercial use; the other three may be used freely.
"""

import functools
import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from s2tf.faces.crop import CropRule, FaceBox, box_of, crop, resize, square_around
from s2tf.faces.landmarks import Landmarks

PACKAGE = "face-recognition-models"
EMBEDDING = "dlib_face_recognition_resnet_model_v1.dat"
POINTS_5 = "shape_predictor_5_face_landmarks.dat"
POINTS_68 = "shape_predictor_68_face_landmarks.dat"
DETECTOR = "mmod_human_face_detector.dat"
BOX_SIDE, BOX_SHIFT = 1.04, -0.09
"""Side of dlib's box of a face, and shift of its centre downwards, as multiples of the larger side of the 68 landmarks'
box: medians of 87 portraits."""


def dlib_file(name: str) -> str:
    """Find a file of the extra, by the package's list of files: its module needs `pkg_resources`, which is gone.

    Raises:
        ImportError: The package is not installed; the message names the command to install it.
    """
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError as error:
        raise ImportError(
            f'dlib\'s networks need the package {PACKAGE}, which is not installed: pip install "s2tf[dlib]"'
        ) from error
    found = [Path(str(file.locate())) for file in files if file.name == name]
    if not found or not found[0].is_file():
        raise ImportError(f"the installed package {PACKAGE} has no file {name}: install it again")
    return str(found[0])


def has_dlib_networks() -> bool:
    """True if the extra is installed."""
    try:
        dlib_file(EMBEDDING)
    except ImportError:
        return False
    return True


@functools.cache
def _dlib() -> Any:
    # dlib loads slowly, and only its own readers need it.
    import dlib

    return dlib


@functools.cache
def _predictor(name: str) -> Any:
    return _dlib().shape_predictor(dlib_file(name))


@functools.cache
def _frontal() -> Any:
    return _dlib().get_frontal_face_detector()


class DlibFeatures:
    """Features of dlib's face network (`FaceFeatures`): 128 numbers of the face, upright and at its own scale.

    A face is found by dlib's frontal detector in the picture, which is scaled to 256 pixels; where it finds none, the
    face is taken to be where the crops of s2tf have it. Five landmarks then place the 150 pixels that the network sees.
    It was trained by distance, and on pictures of VGGFace's data set among others: another network than VGGFace, but
    not one without its people.

    Raises:
        ImportError: The extra is not installed.
    """

    SIDE = 256
    CHIP, PADDING = 150, 0.25
    packages = ("dlib", PACKAGE)

    def __init__(self) -> None:
        file = dlib_file(EMBEDDING)
        self._network = _dlib().face_recognition_model_v1(file)
        self._points = _predictor(POINTS_5)
        self._protocol = {
            "network": "dlib's face network",
            "weights": hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16],
            "size": self.CHIP,
            "face": "found by dlib, else the middle of the crop; upright by 5 points",
        }

    @property
    def protocol(self) -> dict[str, Any]:
        """The network's name, its file's fingerprint, and the search for the face."""
        return self._protocol

    def embed(self, pictures: np.ndarray) -> Tensor:
        """Features (N, 128) on the CPU of pictures (N, H, W, 3) uint8 RGB, square crops of a face."""
        chips = [self._chip(np.ascontiguousarray(picture)) for picture in pictures]
        found = self._network.compute_face_descriptor(chips) if chips else []
        return torch.from_numpy(np.array(found, np.float32).reshape(len(chips), 128))

    def _chip(self, picture: np.ndarray) -> np.ndarray:
        """The face, upright, as (150, 150, 3) uint8."""
        view = resize(picture, self.SIDE)
        face = next(iter(_frontal_boxes(view)), _middle_of_crop(self.SIDE))
        # Cut from the picture itself, which may have more pixels than the view.
        edges = (round(edge * len(picture) / self.SIDE) for edge in _edges(face))
        points = self._points(picture, _dlib().rectangle(*edges))
        return _dlib().get_face_chip(picture, points, self.CHIP, self.PADDING)


class DlibLandmarks:
    """dlib's 68 landmarks (`LandmarkFinder`), by its predictor of Kazemi and Sullivan; not for commercial use.

    The predictor always gives points, even where no face is. So dlib's frontal detector must see a face near them, at
    least in one of `UNSEEN` successive frames: it misses some faces that turn. The predictor itself starts from the
    points of the frame before: the detector's boxes move in steps, and the points would jump with them.

    Raises:
        ImportError: The extra is not installed.
    """

    REGION = 2.4
    """Side of the square that is searched, as a multiple of the face's size."""
    PIXELS = 384
    """Side of that square when it is read, in pixels."""
    NEAR, FOLLOWED = 0.35, 0.12
    """Greatest distance of the detector's box from that of the points before, as a share of its side: of the same face,
    and of one that the predictor follows by itself."""
    UNSEEN = 6

    def __init__(self) -> None:
        self._points = _predictor(POINTS_68)

    def landmarks(self, frames: np.ndarray, box: FaceBox, start: int = 0) -> Landmarks:
        """See `LandmarkFinder.landmarks`."""
        result = np.full((len(frames), 68, 2), np.nan, np.float32)
        for order in (range(start, len(frames)), range(start - 1, -1, -1)):
            seen = order.step < 0 and not np.isnan(result[start]).any()
            self._follow(frames, order, detector_box(result[start]) if seen else box, result)
        return Landmarks(result)

    def _follow(self, frames: np.ndarray, order: range, where: FaceBox, result: np.ndarray) -> None:
        """Fills `result` in this order of frames, beginning with the face at `where`."""
        unseen: list[int] = []
        last = where
        for index in order:
            points, seen = self._read(frames[index], where)
            result[index], where = points, detector_box(points)
            unseen, last = ([], where) if seen else ([*unseen, index], last)
            if len(unseen) > self.UNSEEN:
                # The face is lost, and looked for where it was last seen.
                result[unseen], where = np.nan, last

    def _read(self, frame: np.ndarray, where: FaceBox) -> tuple[np.ndarray, bool]:
        """Points (68, 2) of the face near `where`, and True if the detector sees it there."""
        square = square_around(where, self.REGION)
        view, scale = crop(frame, square, self.PIXELS), self.PIXELS / square.side
        x, y = square.x, square.y
        face = FaceBox(
            (where.left - x) * scale, (where.top - y) * scale, (where.right - x) * scale, (where.bottom - y) * scale
        )
        found = [one for one in _frontal_boxes(view) if _distance(one, face) < self.NEAR]
        # A face that has moved further than the predictor corrects is read from the detector's box.
        if found and _distance(found[0], face) > self.FOLLOWED:
            face = found[0]
        points = np.empty((68, 2))
        for _ in range(2):
            points = _predict(self._points, view, face)
            face = detector_box(points)
        return (points / scale + (x, y)).astype(np.float32), bool(found)


class DlibCnnFaces:
    """dlib's convolutional detector (`FaceDetector`): it finds turned faces too, at a second of a CPU a picture.

    It reads the picture with its longer side at 640 px.

    Raises:
        ImportError: The extra is not installed.
    """

    SIDE = 640

    def __init__(self) -> None:
        self._network = _dlib().cnn_face_detection_model_v1(dlib_file(DETECTOR))

    def detect(self, frame: np.ndarray) -> list[FaceBox]:
        """All faces of a picture (H, W, 3) uint8 RGB."""
        scale = self.SIDE / max(frame.shape[:2])
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        view = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=method)
        faces = []
        for one in self._network(np.ascontiguousarray(view), 0):
            left, top, right, bottom = (edge / scale for edge in _edges_of(one.rect))
            faces.append(FaceBox(left, top, right, bottom, one.confidence))
        return faces


def detector_box(points: np.ndarray) -> FaceBox:
    """The box that dlib's frontal detector gives, on average, of the face with these 68 points."""
    box = box_of(points)
    size = max(box.width, box.height)
    x, y, half = box.centre[0], box.centre[1] + BOX_SHIFT * size, BOX_SIDE * size / 2
    return FaceBox(x - half, y - half, x + half, y + half)


def _middle_of_crop(side: int) -> FaceBox:
    """The box of the face in a crop by the default rule, which is around the middle of the landmarks."""
    rule = CropRule()
    size = side / rule.scale
    x, y, half = side / 2, side / 2 + (BOX_SHIFT - rule.shift_y) * size, BOX_SIDE * size / 2
    return FaceBox(x - half, y - half, x + half, y + half)


def _frontal_boxes(view: np.ndarray) -> list[FaceBox]:
    """Boxes by the frontal detector, the largest first."""
    found = [FaceBox(*_edges_of(one)) for one in _frontal()(np.ascontiguousarray(view))]
    return sorted(found, key=lambda one: -one.width)


def _predict(predictor: Any, view: np.ndarray, face: FaceBox) -> np.ndarray:
    rectangle = _dlib().rectangle(*map(round, _edges(face)))
    return np.array([(one.x + 0.5, one.y + 0.5) for one in predictor(view, rectangle).parts()])


def _distance(one: FaceBox, other: FaceBox) -> float:
    """Distance of the centres, as a share of the other's side."""
    return float(np.hypot(*np.subtract(one.centre, other.centre))) / other.width


def _edges(box: FaceBox) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def _edges_of(rectangle: Any) -> tuple[float, float, float, float]:
    """Edges of a rectangle of dlib, whose right and bottom are its last pixels."""
    return rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1
