import json
import weakref
from typing import ClassVar

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_lip_sync import tracked_crops
from scipy.signal import medfilt

from s2tf.faces.backends import DETECTORS
from s2tf.faces.crop import FaceBox
from s2tf.faces.track_settings import TrackSettings
from s2tf.faces.tracks import FaceTracker, crop_face, whole_frames
from s2tf.media.video import read_video

SMALL = TrackSettings(min_track=13, min_face=20, size=32)


def noise(count, height=120, width=160):
    """One picture with noise of its own in every frame: no cut, but no two frames alike."""
    random = np.random.default_rng(0)
    picture = random.integers(60, 160, (height, width, 3))
    return [(picture + random.integers(0, 40, (height, width, 3))).astype(np.uint8) for _ in range(count)]


def run(frames, boxes, track_settings=SMALL):
    """(start, crops) of every track, and the tracker; `boxes` by frame."""
    tracker = FaceTracker(track_settings)
    chunks = [chunk for index, frame in enumerate(frames) for chunk in tracker.add(frame, boxes.get(index, []))]
    chunks += tracker.finish()
    tracks = {}
    for chunk in chunks:
        start, crops, ended = tracks.get(chunk.track, (chunk.start, [], False))
        assert not ended
        assert chunk.start == start + len(crops)
        tracks[chunk.track] = start, [*crops, *chunk.crops], chunk.last
    assert all(ended for _, _, ended in tracks.values())
    return [(start, np.stack(crops)) for start, crops, _ in tracks.values()], tracker


def offline(frames, boxes, size):
    """The crops of one face by its boxes (frame -> edges), all at once, from whole padded pictures."""
    known = sorted(boxes)
    times = np.arange(known[0], known[-1] + 1)
    left, top, right, bottom = (np.interp(times, known, [boxes[k][edge] for k in known]) for edge in range(4))
    s = medfilt(np.maximum(bottom - top, right - left) / 2, 13)
    y, x = medfilt((top + bottom) / 2, 13), medfilt((left + right) / 2, 13)
    crops = []
    for place, index in enumerate(times):
        border = int(s[place] * 1.8)
        padded = np.pad(frames[index], ((border, border), (border, border), (0, 0)), constant_values=110)
        row, column, half = y[place] + border, x[place] + border, s[place]
        cut = padded[int(row - half) : int(row + 1.8 * half), int(column - 1.4 * half) : int(column + 1.4 * half)]
        crops.append(cv2.resize(cut, (size, size)))
    return np.stack(crops)


def edges(x, y, side):
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(20, 70))
def test_a_wandering_face_with_gaps_is_cut_out_as_from_all_frames_at_once(seed, count):
    random = np.random.default_rng(seed)
    x, y = np.array([[80.0], [60.0]]) + random.uniform(-1.5, 1.5, (2, count)).cumsum(axis=1)
    side = 50 + random.uniform(-1, 1, count).cumsum()
    seen = np.flatnonzero(random.uniform(size=count) < 0.6)
    seen = np.unique(np.concatenate([[2], seen[seen > 2], [count - 1]]))
    boxes = {int(index): edges(x[index], y[index], side[index]) for index in seen}
    frames = noise(count)
    tracks, tracker = run(frames, {index: [FaceBox(*box)] for index, box in boxes.items()})
    assert tracker.refused == []
    assert [start for start, _ in tracks] == [2]
    np.testing.assert_array_equal(tracks[0][1], offline(frames, boxes, SMALL.size))


def test_two_faces_that_cross_and_a_third_stay_who_they_are():
    frames = noise(60)
    paths = [
        {index: edges(50 + index, 50, 40) for index in range(60)},
        {index: edges(110 - index, 62, 40) for index in range(60)},
        {index: edges(80, 95, 30) for index in range(60)},
    ]
    # The detector names them in another order in every frame.
    boxes = {index: [FaceBox(*paths[(index + turn) % 3][index]) for turn in range(3)] for index in range(60)}
    tracks, _ = run(frames, boxes)
    assert len(tracks) == 3
    for path, (_, crops) in zip(paths, tracks, strict=True):
        np.testing.assert_array_equal(crops, offline(frames, path, SMALL.size))


@pytest.mark.parametrize(("missing", "tracks"), [(24, 1), (25, 2)])
def test_a_face_is_the_same_after_a_step_of_25_frames_and_another_after_more(missing, tracks):
    seen = [*range(20), *range(20 + missing, 40 + missing)]
    found, tracker = run(noise(40 + missing), {index: [FaceBox(*edges(80, 60, 50))] for index in seen})
    assert len(found) == tracks
    assert sum(len(crops) for _, crops in found) == (40 + missing if tracks == 1 else 40)
    assert tracker.refused == []


def test_a_box_that_overlaps_too_little_begins_a_track():
    half = FaceBox(*edges(80 + 50 / 3, 60, 50))
    tracks, _ = run(noise(40), {index: [FaceBox(*edges(80, 60, 50)) if index < 20 else half] for index in range(40)})
    assert [(start, len(crops)) for start, crops in tracks] == [(0, 20), (20, 20)]


def test_a_cut_ends_the_track_where_the_next_face_is_in_the_same_place():
    frames = noise(40)
    frames[20:] = [frame // 4 for frame in frames[20:]]
    boxes = {index: [FaceBox(*edges(80, 60, 50))] for index in range(40)}
    tracks, _ = run(frames, boxes)
    assert [(start, len(crops)) for start, crops in tracks] == [(0, 20), (20, 20)]


def test_short_and_small_faces_are_refused_with_the_reason():
    # The small one grows after it was judged.
    boxes = {index: [FaceBox(*edges(100, 60, 18 + max(0, index - 13)))] for index in range(30)}
    for index in range(5, 17):
        boxes[index].append(FaceBox(*edges(40, 60, 50)))
    tracks, tracker = run(noise(50), boxes)
    assert tracks == []
    reasons = {(track.start, track.frames): track.reason for track in tracker.refused}
    assert reasons == {
        (0, 30): "faces of 18 pixels, expected at least 20",
        (5, 12): "seen for 12 frames, expected at least 13",
    }


def test_beyond_the_border_is_grey_110_and_the_crop_reaches_where_it_should():
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[:, 40:] = 200
    rule = TrackSettings(size=140)
    # Columns 20 - 70 to 20 + 70, rows 60 - 50 to 60 + 90.
    crop = crop_face(frame, 20, 60, 50, rule)
    assert crop.shape == (140, 140, 3)
    assert (crop[:90, 50:90] == 0).all()
    assert (crop[:90, 90:] == 200).all()
    assert (crop[90:] == 110).all()
    assert (crop[:, :50] == 110).all()
    assert (crop_face(frame, 300, 60, 50, rule) == 110).all()


def test_memory_does_not_grow_with_the_clip():
    tracker = FaceTracker(SMALL)
    alive = []
    most = 0
    picture = noise(1)[0]
    for index in range(300):
        frame = picture.copy()
        alive.append(weakref.ref(frame))
        tracker.add(frame, [] if 100 < index < 120 or index > 250 else [FaceBox(*edges(80, 60, 50))])
        del frame
        most = max(most, sum(reference() is not None for reference in alive))
    assert most <= SMALL.max_gap + SMALL.smoothing
    assert sum(reference() is not None for reference in alive) <= 1


def test_whole_frames_are_squashed_and_the_last_is_known():
    frames = noise(3, 60, 100)
    chunks = list(whole_frames(iter(frames), size=48))
    assert [(chunk.track, chunk.start, chunk.last) for chunk in chunks] == [(0, 0, False), (0, 1, False), (0, 2, True)]
    for chunk, frame in zip(chunks, frames, strict=True):
        np.testing.assert_array_equal(chunk.crops, cv2.resize(frame, (48, 48))[None])
    assert list(whole_frames([])) == []


def test_settings_are_plain_numbers_and_refuse_what_is_wrong():
    assert TrackSettings(**json.loads(json.dumps(SMALL.to_json()))) == SMALL
    for wrong, message in [({"smoothing": 12}, "odd"), ({"every": 0}, "every is 0"), ({"min_track": 5}, "min_track")]:
        with pytest.raises(ValueError, match=message):
            TrackSettings(**wrong)


class StillFace:
    """Sees the same face in every picture, and remembers the pictures' brightness."""

    looked: ClassVar[list[int]] = []

    def detect(self, frame):
        self.looked.append(int(frame[0, 0, 0]))
        return [FaceBox(*edges(80, 60, 50))]


def test_faces_are_looked_for_in_every_fifth_frame_and_the_last_and_all_frames_are_cut(monkeypatch):
    monkeypatch.setitem(DETECTORS, "still", StillFace)
    frames = [np.full((120, 160, 3), index, np.uint8) for index in range(34)]
    tracker = FaceTracker(TrackSettings(detector="still", min_track=13, min_face=20, size=32))
    chunks = list(tracked_crops(iter(frames), tracker))
    assert StillFace.looked == [0, 5, 10, 15, 20, 25, 30, 33]
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert [int(crop[0, 16, 0]) for chunk in chunks for crop in chunk.crops] == list(range(34))


@pytest.mark.parametrize("detector", ["dlib", "mediapipe"])
def test_the_one_speaker_of_a_recording_is_one_track_of_all_frames(clips_folder, detector):
    if detector == "mediapipe":
        pytest.importorskip("mediapipe", reason="this detector needs the extra `mediapipe`")
    clip = read_video(clips_folder / "video" / "GRID_s2--id2_vcd_swwp2s.mpg")
    tracker = FaceTracker(TrackSettings(detector=detector))
    chunks = list(tracked_crops(iter(clip.frames), tracker))
    assert {chunk.track for chunk in chunks} == {0}
    assert tracker.refused == []
    crops = np.concatenate([chunk.crops for chunk in chunks])
    assert crops.shape == (len(clip.frames), 224, 224, 3)
    # Faces stay in their place: neighbouring crops differ less than those of any two frames shifted by a tenth.
    still = np.abs(np.diff(crops.astype(np.int16), axis=0)).mean()
    moved = np.abs(crops[1:, :, 22:].astype(np.int16) - crops[:-1, :, :-22]).mean()
    assert still < moved / 3
