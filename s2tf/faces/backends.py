"""Face detectors and landmark finders behind one interface: dlib, mediapipe and face-alignment.

They return faces in pixels (`s2tf.faces.crop`); `s2tf.faces.tracking` chooses the face to follow and handles misses.
"""

import functools
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from s2tf.faces.crop import FaceBox, SquareBox, box_of, crop, square_around
from s2tf.faces.dlib_networks import DlibCnnFaces, DlibLandmarks
from s2tf.faces.face_mesh import MESH_POINTS, to_ibug
from s2tf.faces.landmarks import FaceDetector, LandmarkFinder, Landmarks

FACE_ALIGNMENT_WEIGHTS = "2DFAN4-11f355bf06.pth.tar"


class DlibFaces:
    """Dlib's frontal face detector (HOG), as in the paper; it finds faces of 80 px and more, and gives boxes only.

    It reads the picture with its longer side at 640 px and, if nothing is found, at 1280 px. So it finds faces of at
    least about a sixteenth of the longer side, at a cost that does not depend on the resolution.
    """

    SIDES = (640, 1280)

    def __init__(self) -> None:
        # dlib loads slowly, and only this detector needs it.
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
    """Side of the square that the mesh reads, as a multiple of the face's size."""
    REGION_PIXELS = 384
    """Largest side of that square in pixels: the mesh itself works on 192 pixels of face."""
    STEADY = 0.12
    """Largest change of place or size between frames, as a share of the size, without a new search for the face."""
    PLAUSIBLE = 0.4
    """Largest such change of the same face; a larger change means that the mesh has found another face."""
    FIRST = 1.0
    """Largest such change from a detector's box, which differs from the landmarks' box, to the first landmarks."""

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
        """Fills `result` in this order of frames, beginning with the face at `where`; `seen`: the mesh follows it."""
        self._forget()
        region = square_around(where, self.REGION)
        for index in order:
            if not _holds(region, where, self.REGION):
                # A moved window moves the face within it, so the mesh needs another call to find it again.
                region = square_around(where, self.REGION)
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
        """Makes the mesh forget the face of the frames before."""
        if self._mesh is None:
            self._mesh = self._solutions.face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True)
        else:
            self._mesh.reset()

    def _mesh_in(self, frame: np.ndarray, region: SquareBox) -> np.ndarray | None:
        """The mesh (478, 3) in pixels of the frame; None where it finds no face in the region."""
        size = min(region.side, self.REGION_PIXELS)
        found = self._mesh.process(crop(frame, region, size)).multi_face_landmarks
        if not found:
            return None
        # The mesh, including its depth, is given as shares of the region.
        mesh = np.array([(point.x, point.y, point.z) for point in found[0].landmark], np.float32)
        return mesh * region.side + np.array([region.x, region.y, 0], np.float32)


def _holds(region: SquareBox, face: FaceBox, scale: float) -> bool:
    """True if the face is near the centre of its region (within a tenth), and the region still fits its size."""
    x, y = face.centre
    off = max(abs(region.x + region.side / 2 - x), abs(region.y + region.side / 2 - y)) / region.side
    return off < 0.1 and 0.8 < scale * max(face.width, face.height) / region.side < 1.25


def _near(face: FaceBox, last: FaceBox, limit: float) -> bool:
    """True if place and size have changed since `last` by less than `limit` of the size."""
    size, before = max(face.width, face.height), max(last.width, last.height)
    moved = float(np.hypot(*np.subtract(face.centre, last.centre)))
    return moved < limit * before and before / (1 + limit) < size < before * (1 + limit)


class FaceAlignmentLandmarks:
    """The `face-alignment` package's 2DFAN-4, with weights that are already on this machine.

    Raises:
        FileNotFoundError: The weights are not in torch's hub folder; they are not downloaded.
    """

    def __init__(self) -> None:
        face_alignment = _import_face_alignment()
        # torch loads slowly, and the other backends do without it.
        import torch

        weights = Path(torch.hub.get_dir()) / "checkpoints" / FACE_ALIGNMENT_WEIGHTS
        if not weights.is_file():
            raise FileNotFoundError(
                f"landmarks: face-alignment needs its weights at {weights}; s2tf downloads nothing: let the "
                "face-alignment package fetch them on a machine with network, and copy the file there"
            )
        # The detector 'folder' has no weights, since boxes always come from our own detectors. The network is not
        # compiled: that takes longer than most clips, and its cache would fill the user's home folder.
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


DETECTORS = {"dlib": DlibFaces, "dlib-cnn": DlibCnnFaces, "mediapipe": MediapipeFaces}
LANDMARK_FINDERS = {"mediapipe": MediapipeFaces, "face-alignment": FaceAlignmentLandmarks, "dlib": DlibLandmarks}


@functools.cache
def _open(kind: type) -> Any:
    return kind()


def open_detector(name: str) -> FaceDetector:
    """Opens the detector `dlib`, `dlib-cnn` or `mediapipe`, once in each process.

    Raises:
        ValueError: No detector has that name.
        ImportError: Its package is not installed; the message names the command to install it.
    """
    if name not in DETECTORS:
        raise ValueError(f"unknown face detector {name!r}, expected one of {sorted(DETECTORS)}")
    return _open(DETECTORS[name])


def open_landmarks(name: str) -> LandmarkFinder:
    """Opens the landmark finder `mediapipe`, `face-alignment` or `dlib`, once in each process.

    Raises:
        ValueError: No landmark finder has that name.
        ImportError: Its package is not installed; the message names the command to install it.
        FileNotFoundError: Its weights are not on this machine.
    """
    if name not in LANDMARK_FINDERS:
        raise ValueError(f"unknown landmark finder {name!r}, expected one of {sorted(LANDMARK_FINDERS)}")
    return _open(LANDMARK_FINDERS[name])


def _import_mediapipe() -> Any:
    # Its C++ library reads this when it is loaded; level 2 shows only errors.
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
        raise ImportError("landmarks: face-alignment is not installed: pip install face-alignment") from error
    return face_alignment


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the remarks that mediapipe's C++ library writes to file descriptor 2; exceptions still come through."""
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
