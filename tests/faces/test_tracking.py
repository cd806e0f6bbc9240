import numpy as np
import pytest

from datamodules.prepare.synthetic.clip import render_clip
from datamodules.prepare.synthetic.speaker import make_speaker
from s2tf.faces import tracking
from s2tf.faces.tracking import FaceSettings, follow_face

pytest.importorskip("mediapipe", reason="landmarks need the extra `mediapipe`")
SETTINGS = FaceSettings()
OUTER_EYES = [36, 45]


@pytest.fixture(scope="module")
def speaker():
    return render_clip(make_speaker(3, 0), 2.4, 160, 0)


def distance(points):
    return float(np.median(np.linalg.norm(points[:, 45] - points[:, 36], axis=1)))


def test_a_long_video_is_followed_in_blocks_as_a_short_one_is_at_once(speaker, monkeypatch):
    monkeypatch.setattr(tracking, "BLOCK", len(speaker.frames))
    whole = follow_face(iter(speaker.frames), SETTINGS)
    monkeypatch.setattr(tracking, "BLOCK", 16)
    blocks = follow_face(iter(speaker.frames), SETTINGS)
    assert whole.shape == blocks.shape == (60, 68, 2)
    # Nearer than a pixel to each other, and both on the drawn face.
    assert np.abs(blocks - whole).max() < 1.0
    assert np.abs(blocks - whole).mean() < 0.005 * distance(whole)
    assert np.abs(whole[:, OUTER_EYES] - speaker.landmarks[:, OUTER_EYES]).mean() < 0.1 * distance(whole)


def test_a_face_that_goes_is_not_invented_and_is_found_again_elsewhere(speaker, monkeypatch):
    monkeypatch.setattr(tracking, "BLOCK", 20)
    wide = np.zeros((60, 160, 400, 3), np.uint8)
    wide[:20, :, :160] = speaker.frames[:20]
    wide[40:, :, 240:] = speaker.frames[40:]
    points = follow_face(iter(wide), SETTINGS)
    seen = np.isfinite(points).all(axis=(1, 2))
    assert seen.tolist() == [True] * 20 + [False] * 20 + [True] * 20
    assert points[:20].max() < 160
    assert points[40:, :, 0].min() > 240


def test_a_video_without_a_face_or_a_frame_gives_none(speaker):
    assert np.isnan(follow_face(iter(np.zeros((3, 64, 64, 3), np.uint8)), SETTINGS)).all()
    assert follow_face(iter(()), SETTINGS).shape == (0, 68, 2)
