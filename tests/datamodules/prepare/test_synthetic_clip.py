import json

import cv2
import numpy as np
import pytest

from datamodules.prepare.synthetic.clip import render_clip
from datamodules.prepare.synthetic.phonemes import CLOSED, PHONEMES
from datamodules.prepare.synthetic.speaker import make_speaker

SYMBOLS_CLOSED = {phoneme.symbol for phoneme, closed in zip(PHONEMES, CLOSED, strict=True) if closed}


@pytest.fixture(scope="module")
def clip():
    return render_clip(make_speaker(1, 2), 6.0, 128, 0)


def inner_gap(landmarks):
    """Inner-lip gap in units of the distance of the outer corners of the eyes, (T,)."""
    gap = np.linalg.norm(landmarks[:, [61, 62, 63]] - landmarks[:, [67, 66, 65]], axis=2).mean(1)
    return gap / np.linalg.norm(landmarks[:, 36] - landmarks[:, 45], axis=1)


def eye_gap(landmarks):
    gap = np.linalg.norm(landmarks[:, [37, 38, 43, 44]] - landmarks[:, [41, 40, 47, 46]], axis=2).mean(1)
    return gap / np.linalg.norm(landmarks[:, 36] - landmarks[:, 45], axis=1)


def at_frames(clip, symbols, margin):
    """Frames whose moment lies inside one of the phonemes, `margin` seconds away from its ends."""
    moments = (np.arange(len(clip.frames)) + 0.5) / 25
    inside = np.zeros(len(moments), bool)
    for row in clip.truth["phonemes"]:
        if row["phoneme"] in symbols:
            inside |= (moments > row["start"] + margin) & (moments < row["end"] - margin)
    return inside


def test_same_arguments_give_the_same_clip():
    first, again = (render_clip(make_speaker(4, 1), 0.4, 64, 7) for _ in range(2))
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.waveform, again.waveform)
    assert first.truth == again.truth
    other = render_clip(make_speaker(4, 1), 0.4, 64, 8)
    assert not np.array_equal(first.waveform, other.waveform)


@pytest.mark.parametrize(
    ("seconds", "frames", "samples"),
    [(0.04, 1, 640), (0.2, 5, 3200), (0.05, 1, 800), (0.93, 23, 14880), (1.01, 25, 16160)],
)
def test_lengths_follow_the_seconds(seconds, frames, samples):
    clip = render_clip(make_speaker(0, 0), seconds, 64, 0)
    assert clip.frames.shape == (frames, 64, 64, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.waveform.shape == (samples,)
    assert clip.landmarks.shape == (frames, 68, 2)
    assert clip.landmarks.dtype == np.float32
    assert len(clip.truth["frames"]["blink"]) == frames


@pytest.mark.parametrize(
    ("seconds", "size", "seed", "message"),
    [(1.0, 63, 0, "size"), (1.0, 513, 0, "size"), (0.01, 64, 0, "seconds"), (1.0, 64, -1, "seed")],
)
def test_impossible_clips_are_refused(seconds, size, seed, message):
    with pytest.raises(ValueError, match=message):
        render_clip(make_speaker(0, 0), seconds, size, seed)


def test_the_size_changes_only_the_resolution():
    small, large = (render_clip(make_speaker(4, 1), 0.12, size, 7) for size in (64, 256))
    np.testing.assert_allclose(small.landmarks * 4, large.landmarks, atol=1e-3)
    np.testing.assert_array_equal(small.waveform, large.waveform)
    for few, many in zip(small.frames, large.frames, strict=True):
        reduced = cv2.resize(many, (64, 64), interpolation=cv2.INTER_AREA)
        assert np.abs(reduced.astype(float) - few).mean() < 4


def test_truth_is_json_with_everything_per_frame(clip):
    truth = json.loads(json.dumps(clip.truth))
    assert truth["identity"] == "synthetic-s1-00002"
    assert {"gender", "age", "voice", "voice_linked", "voice_independent", "appearance", "phonemes"} <= set(truth)
    assert set(truth["frames"]["viseme"]) == {"opening", "width", "rounding", "teeth"}
    assert len(truth["frames"]["pose"]["yaw"]) == len(clip.frames)


def test_the_face_fills_the_picture_as_a_talking_head_and_stays_inside(clip):
    low, high = clip.landmarks.min(axis=1), clip.landmarks.max(axis=1)
    assert 0.5 < np.median((high - low).max(axis=1)) / 128 < 0.66
    assert low.min() > 0
    assert high.max() < 128
    assert 0.5 < (0.5 * (low + high)[:, 1]).mean() / 128 < 0.6


def test_the_head_moves_within_its_range():
    poses = [render_clip(make_speaker(6, index), 3.0, 64, 0).truth["frames"]["pose"] for index in range(4)]
    for name, limit in (("yaw", 20), ("pitch", 10), ("roll", 8)):
        angles = np.array([pose[name] for pose in poses])
        assert np.abs(angles).max() <= limit
        assert angles.std() > limit / 10


def test_the_mouth_is_closed_in_pauses_and_bilabials_and_open_in_vowels(clip):
    gap = inner_gap(clip.landmarks)
    closed = at_frames(clip, SYMBOLS_CLOSED, 0.02)
    assert closed.sum() > 10
    assert gap[closed].max() < 0.03
    assert gap[at_frames(clip, {"a", "E", "V"}, 0.03)].min() > 0.08


def test_landmarks_follow_the_mouth_opening_of_the_truth(clip):
    assert np.corrcoef(inner_gap(clip.landmarks), clip.truth["frames"]["viseme"]["opening"])[0, 1] > 0.98


def test_blinks_close_the_eyes_of_the_landmarks_for_a_short_time(clip):
    blink, gap = np.array(clip.truth["frames"]["blink"]), eye_gap(clip.landmarks)
    assert (blink > 0.99).any()
    assert gap[blink > 0.99].max() < 0.01
    assert gap[blink == 0].min() > 0.06
    assert (blink > 0.5).mean() < 0.2


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_lip_landmarks_lie_on_the_drawn_lips(index):
    clip = render_clip(make_speaker(8, index), 2.0, 256, 1)
    frame_index = int(np.argmax(clip.truth["frames"]["viseme"]["opening"]))
    frame, points = clip.frames[frame_index].astype(float), clip.landmarks[frame_index]

    def colour(point):
        x, y = np.floor(point).astype(int)
        return frame[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1))

    for outer, inner in ((50, 61), (52, 63), (58, 67), (56, 65)):
        lip, outside = (points[outer] + share * (points[inner] - points[outer]) for share in (0.3, -0.4))
        assert np.abs(colour(lip) - colour(outside)).sum() > 12
    # Whatever the skin, the open mouth shows teeth or the dark behind them, never the skin.
    mouth = 0.4 * points[62] + 0.6 * points[66]
    assert np.abs(colour(mouth) - colour(points[8] + 0.4 * (points[57] - points[8]))).sum() > 40


def test_women_and_men_and_days_look_different():
    pictures = [render_clip(make_speaker(5, 0, day), 0.04, 64, 0).frames[0].astype(float) for day in (0, 1)]
    assert np.abs(pictures[0] - pictures[1]).mean() > 5


def test_copying_the_first_frame_is_a_weak_but_meaningful_baseline():
    psnr = []
    for index in range(6):
        frames = render_clip(make_speaker(12, index), 4.0, 64, 0).frames.astype(float)
        error = ((frames[1:] - frames[:1]) ** 2).mean(axis=(1, 2, 3))
        psnr.append(10 * np.log10(255**2 / np.maximum(error, 1e-3)).mean())
    assert 18 < np.mean(psnr) < 25


def test_drawing_leaves_the_threads_of_opencv_alone():
    before = cv2.getNumThreads()
    render_clip(make_speaker(0, 0), 0.04, 64, 0)
    assert cv2.getNumThreads() == before


def test_a_blink_covers_the_eyeballs_with_skin(clip):
    blink = np.array(clip.truth["frames"]["blink"])

    def least_colourful(index, corners):
        x, y = np.floor(clip.landmarks[index][corners].mean(axis=0)).astype(int)
        eye = clip.frames[index][y - 4 : y + 2, x - 4 : x + 5].astype(int)
        return np.ptp(eye, axis=2).min()

    for corners in ([36, 39], [42, 45]):
        # White, pupil and reflection are grey; lid and lashes are not.
        assert least_colourful(int(np.argmin(blink)), corners) < 4
        assert least_colourful(int(np.argmax(blink)), corners) > 8


@pytest.mark.parametrize("index", range(4))
def test_faces_at_512_pixels_have_no_flat_areas(index):
    frame = render_clip(make_speaker(2, index), 0.04, 512, 0).frames[0].astype(int)
    same = np.abs(np.diff(frame, axis=1)).max(axis=2) == 0
    flat = same[:, :-1] & same[:, 1:]
    assert flat[140:400, 180:330].mean() < 0.12
