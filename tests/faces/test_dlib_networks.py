"""dlib's published networks, where the extra `dlib` is installed."""

import numpy as np
import pytest
from rich.console import Console
from skimage.data import astronaut

from s2tf.errors import UserError
from s2tf.evaluation.check_faces import read_people
from s2tf.evaluation.open_readers import open_faces, open_motion
from s2tf.faces import dlib_networks
from s2tf.faces.crop import CropRule, FaceBox, crop, square_box, to_crop
from s2tf.faces.dlib_networks import DlibCnnFaces, DlibFeatures, DlibLandmarks, detector_box, has_dlib_networks
from s2tf.faces.tracking import FaceSettings, track_face
from s2tf.metrics.identity import cosine_similarities
from s2tf.metrics.verification import PairCosines, summarise

needs_networks = pytest.mark.skipif(not has_dlib_networks(), reason="the extra `dlib` is not installed")


@pytest.fixture(scope="module")
def face():
    """A photo of a face, with its landmarks."""
    settings = FaceSettings(second_chance="", landmarks="dlib")
    return astronaut(), track_face(astronaut()[None], settings).landmarks[0]


@needs_networks
@pytest.mark.slow
def test_landmarks_are_on_the_face_in_the_order_of_ibug(face):
    picture, points = face
    left_eye, right_eye, mouth = (points[part].mean(0) for part in (slice(36, 42), slice(42, 48), slice(48, 68)))
    assert left_eye == pytest.approx((200, 109), abs=8)
    assert right_eye == pytest.approx((244, 109), abs=8)
    assert left_eye[1] < points[30, 1] < mouth[1] < points[8, 1]
    # A part of the picture, since this detector takes long.
    (box,) = DlibCnnFaces().detect(picture[:250, 100:350])
    box = FaceBox(box.left + 100, box.top, box.right + 100, box.bottom)
    assert np.hypot(*np.subtract(detector_box(points).centre, box.centre)) < 0.2 * box.width


@needs_networks
def test_a_moving_face_is_followed_and_a_missing_one_is_not_invented(face):
    picture, points = face
    frames = np.stack([np.roll(picture, 3 * step, axis=1) for step in range(6)])
    frames = np.concatenate([frames, np.full((12, *picture.shape), 90, np.uint8)])
    found = DlibLandmarks().landmarks(frames, detector_box(points)).points
    moved = (found[:6] - points).mean(axis=1)
    assert moved[:, 0] == pytest.approx(3 * np.arange(6), abs=2)
    assert np.isnan(found[6:]).all()


@needs_networks
def test_features_tell_a_face_from_others_and_need_no_face_to_be_found(face):
    picture, points = face
    box = square_box(points, CropRule())
    own = crop(picture, box, 128)
    grey = np.full_like(own, 120)
    features = DlibFeatures()
    found = features.embed(np.stack([own, own[:, ::-1], (own * 0.7).astype(np.uint8), grey]))
    assert found.shape == (4, 128)
    mirrored, darker, other = cosine_similarities(found[1:], found[:1]).tolist()
    assert min(mirrored, darker) > 0.95 > other
    assert features.protocol["network"] == "dlib's face network"
    assert to_crop(points, box, 128).shape == (68, 2)


@needs_networks
@pytest.mark.slow
def test_recordings_of_one_person_are_nearer_than_those_of_others(clips_folder, tmp_path):
    for name in ("Obama", "deepface_C", "deepface_I"):
        for file in sorted((clips_folder / "portrait").glob(f"{name}--*"))[:4]:
            (tmp_path / file.name).symlink_to(file)
    people = read_people(tmp_path)
    pairs = PairCosines.of_features(DlibFeatures().embed(people.pictures), people.people)
    assert summarise(pairs).separation > 3


def test_an_absent_extra_is_one_line_that_names_it(monkeypatch):
    monkeypatch.setattr(dlib_networks, "PACKAGE", "no-such-package")
    dlib_networks._predictor.cache_clear()
    assert not has_dlib_networks()
    console = Console(quiet=True)
    with pytest.raises(UserError, match=r'--faces dlib: .* not installed: pip install "s2tf\[dlib\]"'):
        open_faces("dlib", "cpu", console)
    from s2tf.faces.backends import _open

    _open.cache_clear()
    with pytest.raises(UserError, match=r'not installed: pip install "s2tf\[dlib\]"'):
        open_motion("dlib", console)
