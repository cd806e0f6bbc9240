"""Face detectors and landmark finders behind one interface: dlib, mediapipe and face-alignment.

They return what they see in pixels (`s2tf.faces.crop`); which face to follow and what to do about misses is decided
in `s2tf.faces.tracking`.
"""

import functools
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from s2tf.faces.crop import FaceBox, SquareBox, box_of, crop

# The 68 points of iBUG in the face mesh's numbering; two vertices: their middle.
MESH_TO_IBUG: tuple[tuple[int, ...], ...] = (
    *((127,), (234,), (93,), (132, 58), (58, 172), (136,), (150,), (176,), (152,)),  # jaw, its left half and the chin
    *((400,), (379,), (365,), (397, 288), (361,), (323,), (454,), (356,)),  # jaw, its right half
    *((70,), (63,), (105,), (66,), (107,), (336,), (296,), (334,), (293,), (300,)),  # brows
    *((168, 6), (197, 195), (5,), (4,), (75,), (97,), (2,), (326,), (305,)),  # nose
    *((33,), (160,), (158,), (133,), (153,), (144,)),  # eye at the picture's left
    *((362,), (385,), (387,), (263,), (373,), (380,)),  # eye at the picture's right
    *((61,), (39,), (37,), (0,), (267,), (269,), (291,), (321,), (314,), (17,), (84,), (91,)),  # outer lips
    *((78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,)),  # inner lips
)
MESH_POINTS = 478
_FIRST = np.array([pair[0] for pair in MESH_TO_IBUG])
_SECOND = np.array([pair[-1] for pair in MESH_TO_IBUG])

FACE_ALIGNMENT_WEIGHTS = "2DFAN4-11f355bf06.pth.tar"


class FaceDetector(Protocol):
    """Finds faces in one picture."""

    def detect(self, frame: np.ndarray) -> list[FaceBox]:
        """All faces of a picture (H, W, 3) uint8 RGB."""


@dataclass(frozen=True)
class Landmarks:
    """Of one face in every frame of a clip."""

    points: np.ndarray
    """(T, 68, 2) float32 in pixels, iBUG order; NaN in the frames where the face was not found."""
    mesh: np.ndarray | None = None
    """(T, 478, 3) float32 of MediaPipe's face mesh: x, y in pixels, depth in their scale, nearer is smaller; NaN in
    the same frames. None: the backend has none."""


class LandmarkFinder(Protocol):
    """Finds the landmarks of one face through a clip."""

    def landmarks(self, frames: np.ndarray, box: FaceBox, start: int = 0) -> Landmarks:
        """Follow the face that is at `box` in frame `start`, to both ends of the clip.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            box: Where the face is in frame `start`.
            start: Index of that frame.
        """


class DlibFaces:
    """Dlib's frontal face detector (HOG), as in the paper; boxes only, faces of 80 px at the scale it looks at.

    The picture is looked at with its longer side at 640 px and, where nothing is found, at 1280 px: so faces from
    about a sixteenth of the longer side upward are found, at a cost that does not grow with the resolution.
    """

    SIDES = (640, 1280)

    def __init__(self) -> None:
        import dlib

        self._detector = dlib.get_frontal_face_detector()

    def detect(self, frame: np.ndarray) -> list[FaceBox]:
        """All faces of a picture (H, W, 3) uint8 RGB."""
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        for side in self.SIDES:
            scale = side / max(grey.shape)
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            view = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=method)
            boxes, scores, _ = self._detector.run(view, 0, 0.0)
            if boxes:
                return [
                    FaceBox(box.left() / scale, box.top() / scale, box.right() / scale, box.bottom() / scale, score)
                    for box, score in zip(boxes, scores, strict=True)
                ]
        return []


class MediapipeFaces:
    """MediaPipe's full-range face detector and its face mesh of 478 points, refined at the eyes and lips."""

    REGION = 2.0
    """The mesh looks at a square this many times as large as the face."""
    REGION_PIXELS = 384
    """and no larger than this: the mesh itself works on 192 pixels of face."""
    STEADY = 0.12
    """A face that moves or grows by more of its size than this from one frame to the next is looked for anew,"""
    PLAUSIBLE = 0.4
    """and by more than this it is not the same face."""
    FIRST = 1.0
    """The same for the first sight: a detector's box is not the landmarks' box."""

    def __init__(self) -> None:
        with _quiet():
            self._solutions = _import_mediapipe()
        self._detector: Any = None
        self._mesh: Any = None

    def detect(self, frame: np.ndarray) -> list[FaceBox]:
        """All faces of a picture (H, W, 3) uint8 RGB."""
        with _quiet():
            if self._detector is None:
                detection = self._solutions.face_detection.FaceDetection
                self._detector = detection(model_selection=1, min_detection_confidence=0.5)
            found = self._detector.process(np.ascontiguousarray(frame)).detections or []
        height, width = frame.shape[:2]
        faces = []
        for face in found:
            box = face.location_data.relative_bounding_box
            left, top = box.xmin * width, box.ymin * height
            faces.append(FaceBox(left, top, left + box.width * width, top + box.height * height, face.score[0]))
        return faces

    def landmarks(self, frames: np.ndarray, box: FaceBox, start: int = 0) -> Landmarks:
        """See `LandmarkFinder.landmarks`."""
        mesh = np.full((len(frames), MESH_POINTS, 3), np.nan, np.float32)
        with _quiet():
            for order in (range(start, len(frames)), range(start - 1, -1, -1)):
                if order:
                    seen = order.step < 0 and not np.isnan(mesh[start]).any()
                    self._follow(frames, order, box_of(to_ibug(mesh[start])) if seen else box, seen, mesh)
        return Landmarks(to_ibug(mesh), mesh)

    def _follow(self, frames: np.ndarray, order: range, where: FaceBox, seen: bool, result: np.ndarray) -> None:
        """Fill `result` in this order of frames, from the face at `where` (`seen`: by the mesh, not by a detector)."""
        self._forget()
        region = _region(where, self.REGION)
        for index in order:
            if not _holds(region, where, self.REGION):
                # Moving the window moves the face within it: the mesh, which looks where the face was, must look anew.
                region = _region(where, self.REGION)
                self._mesh_in(frames[index], region)
            mesh = self._mesh_in(frames[index], region)
            if mesh is None or (seen and not _near(box_of(to_ibug(mesh)), where, self.STEADY)):
                self._forget()
                mesh = self._mesh_in(frames[index], region)
            if mesh is not None:
                box = box_of(to_ibug(mesh))
                if _near(box, where, self.PLAUSIBLE if seen else self.FIRST):
                    result[index], where, seen = mesh, box, True

    def _forget(self) -> None:
        """A mesh that has seen no picture yet."""
        if self._mesh is None:
            self._mesh = self._solutions.face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True)
        else:
            self._mesh.reset()

    def _mesh_in(self, frame: np.ndarray, region: SquareBox) -> np.ndarray | None:
        """(478, 3) in pixels of the frame, None where the mesh sees no face in the region."""
        size = min(region.side, self.REGION_PIXELS)
        found = self._mesh.process(crop(frame, region, size)).multi_face_landmarks
        if not found:
            return None
        # In shares of the region, the depth too.
        mesh = np.array([(point.x, point.y, point.z) for point in found[0].landmark], np.float32)
        return mesh * region.side + np.array([region.x, region.y, 0], np.float32)


def to_ibug(mesh: np.ndarray) -> np.ndarray:
    """The 68 points (..., 68, 2) of a face mesh (..., 478, 3)."""
    return (mesh[..., _FIRST, :2] + mesh[..., _SECOND, :2]) / 2


def _region(face: FaceBox, scale: float) -> SquareBox:
    side = max(16, round(scale * max(face.width, face.height)))
    x, y = face.centre
    return SquareBox(round(x - side / 2), round(y - side / 2), side)


def _holds(region: SquareBox, face: FaceBox, scale: float) -> bool:
    """Whether a face is still well within its region: off its centre by less than a tenth, and of about the size."""
    x, y = face.centre
    off = max(abs(region.x + region.side / 2 - x), abs(region.y + region.side / 2 - y)) / region.side
    return off < 0.1 and 0.8 < scale * max(face.width, face.height) / region.side < 1.25


def _near(face: FaceBox, last: FaceBox, limit: float) -> bool:
    """Whether a face may be where and as large as this after `last`: both changes within `limit` of its size."""
    size, before = max(face.width, face.height), max(last.width, last.height)
    moved = float(np.hypot(*np.subtract(face.centre, last.centre)))
    return moved < limit * before and before / (1 + limit) < size < before * (1 + limit)


class FaceAlignmentLandmarks:
    """The `face-alignment` package's 2DFAN-4, from weights that are already on this machine.

    Raises:
        FileNotFoundError: The weights are not in torch's hub folder (nothing is downloaded).
    """

    def __init__(self) -> None:
        face_alignment = _import_face_alignment()
        import torch

        weights = Path(torch.hub.get_dir()) / "checkpoints" / FACE_ALIGNMENT_WEIGHTS
        if not weights.is_file():
            raise FileNotFoundError(
                f"landmarks: face-alignment needs its weights at {weights}; s2tf downloads nothing: let the "
                "face-alignment package fetch them on a machine with network, and copy the file there"
            )
        # The detector 'folder' has no weights; boxes always come from our own detectors. Not compiled: a compiler's
        # start takes longer than most clips, and its cache would lie in the user's home.
        self._network = face_alignment.FaceAlignment(
            face_alignment.LandmarksType.TWO_D,
            device="cpu",
            face_detector="folder",
            flip_input=False,
            compile=False,
        )

    def landmarks(self, frames: np.ndarray, box: FaceBox, start: int = 0) -> Landmarks:
        """See `LandmarkFinder.landmarks`."""
        result = np.full((len(frames), 68, 2), np.nan, np.float32)
        for order in (range(start, len(frames)), range(start - 1, -1, -1)):
            where = box
            for index in order:
                detected = [np.array([where.left, where.top, where.right, where.bottom])]
                found = self._network.get_landmarks_from_image(frames[index], detected_faces=detected)
                if found:
                    result[index] = found[0][:, :2]
                    where = box_of(result[index])
        return Landmarks(result)


DETECTORS = {"dlib": DlibFaces, "mediapipe": MediapipeFaces}
LANDMARK_FINDERS = {"mediapipe": MediapipeFaces, "face-alignment": FaceAlignmentLandmarks}


@functools.cache
def _open(kind: type) -> Any:
    return kind()


def open_detector(name: str) -> FaceDetector:
    """The detector of that name, `dlib` or `mediapipe`; opened once in each process.

    Raises:
        ValueError: No detector has that name.
        ImportError: Its package is not installed; says how to install it.
    """
    if name not in DETECTORS:
        raise ValueError(f"unknown face detector {name!r}, expected one of {sorted(DETECTORS)}")
    return _open(DETECTORS[name])


def open_landmarks(name: str) -> LandmarkFinder:
    """The landmark finder of that name, `mediapipe` or `face-alignment`; opened once in each process.

    Raises:
        ValueError: No landmark finder has that name.
        ImportError: Its package is not installed; says how to install it.
        FileNotFoundError: Its weights are not on this machine.
    """
    if name not in LANDMARK_FINDERS:
        raise ValueError(f"unknown landmark finder {name!r}, expected one of {sorted(LANDMARK_FINDERS)}")
    return _open(LANDMARK_FINDERS[name])


def _import_mediapipe() -> Any:
    # Read when its C++ side is loaded; 2 leaves errors only.
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        from mediapipe.python import solutions
    except ImportError as error:
        raise ImportError(
            'landmarks of real recordings need mediapipe, which is not installed: pip install "s2tf[mediapipe]"'
        ) from error
    return solutions


def _import_face_alignment() -> Any:
    try:
        import face_alignment
    except ImportError as error:
        raise ImportError('landmarks: face-alignment is not installed: pip install "s2tf[face-alignment]"') from error
    return face_alignment


@contextmanager
def _quiet() -> Iterator[None]:
    """Without mediapipe's remarks, which its C++ side writes straight to file descriptor 2; exceptions come through."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="google.protobuf")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
