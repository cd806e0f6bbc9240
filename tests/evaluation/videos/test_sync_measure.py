"""Lip sync of a pair, with a small SyncNet of random weights: which sound, which face, what beside it."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch
from video_files import cut_between_keyframes, number_of, numbered_frame, write_video

from s2tf.evaluation.sources import VideoFile
from s2tf.evaluation.videos.measure import GENERATED, REFERENCE, SOURCE_COPY, MeasureError
from s2tf.evaluation.videos.pairs import Alignment, ClipPair, aligned_runs
from s2tf.evaluation.videos.sync_measure import SyncMeasure
from s2tf.faces.track_settings import TrackSettings
from s2tf.faces.tracks import whole_frames
from s2tf.metrics.lip_sync import LipSyncReader
from s2tf.models.syncnet import SyncNet

SIZE, FRAMES = 80, 30


class Clip:
    """A video in memory."""

    name = version = "clip"

    def digest(self) -> str:
        return self.version

    def __init__(self, frames: np.ndarray, sound: np.ndarray | None) -> None:
        self.array, self.sound = frames, sound

    def frames(self) -> Iterator[np.ndarray]:
        yield from self.array

    def waveform(self) -> np.ndarray | None:
        return self.sound


def frames(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (FRAMES, SIZE, SIZE, 3), np.uint8)


def sound(seed: int, count: int = FRAMES) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, count * 640).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> SyncNet:
    torch.manual_seed(3)
    return SyncNet(SIZE, 0.1, 16).eval()


def measured(measure: SyncMeasure, made: Clip, true: Clip):
    pair = ClipPair("clip", made, true)
    measure.begin(pair)
    for run in aligned_runs(pair, 32, 7, Alignment()):
        measure.update(run)
    return measure.end()


def score(network: SyncNet, video: np.ndarray, speech: np.ndarray):
    reader = LipSyncReader(network, speech)
    for piece in whole_frames(video, SIZE):
        reader.update(piece.crops)
    return reader.score()


def test_each_row_is_its_own_videos_score(network):
    measure = SyncMeasure(network, None)
    made, true = Clip(frames(0), sound(0)), Clip(frames(1), sound(1))
    state = measured(measure, made, true)
    still = np.repeat(true.array[:1], FRAMES, axis=0)
    for row, video, speech in (
        (GENERATED, made.array, made.sound),
        (REFERENCE, true.array, true.sound),
        (SOURCE_COPY, still, true.sound),
    ):
        wanted = score(network, video, speech)
        assert float(state[f"{row}/lse_d_sum"]) == pytest.approx(wanted.lse_d, rel=1e-5)
        assert float(state[f"{row}/lse_c_sum"]) == pytest.approx(wanted.lse_c, rel=1e-4, abs=1e-5)
        assert float(state[f"{row}/offset_sum"]) == abs(wanted.offset)
    assert measure.values(state)["AV offset"] == score(network, made.array, made.sound).offset
    measure.add(state)
    found = {one.name: one for one in measure.measurements(failed=2)}
    assert list(found) == ["LSE-D", "LSE-C", "AV offset"]
    assert found["LSE-D"].value == pytest.approx(float(state["made/lse_d_sum"]))
    assert found["LSE-D"].counts == {
        "clips": 1,
        "failed": 2,
        "true videos failed": 0,
        "heard with the true sound": 0,
    }
    assert not found["LSE-D"].higher_is_better
    assert found["LSE-C"].higher_is_better
    assert measure.protocol["crop"] == {"crop": "whole frame"}
    assert "size (absolute value)" in measure.protocol["AV offset"]


def test_a_silent_file_is_heard_with_the_true_sound(network):
    measure = SyncMeasure(network, None)
    state = measured(measure, Clip(frames(0), None), Clip(frames(1), sound(1)))
    assert float(state["made/lse_d_sum"]) == pytest.approx(score(network, frames(0), sound(1)).lse_d, rel=1e-5)
    measure.add(state)
    assert measure.measurements(0)[0].counts["heard with the true sound"] == 1
    with pytest.raises(MeasureError, match="no sound in either video"):
        measured(measure, Clip(frames(0), None), Clip(frames(1), None))
    with pytest.raises(MeasureError, match="3 frames of sound beside a face"):
        measured(measure, Clip(frames(0), sound(0, 3)), Clip(frames(1), sound(1)))


@pytest.mark.slow
def test_without_a_face_the_clip_fails_and_a_true_video_without_one_is_counted(network, clips_folder):
    from s2tf.media.video import read_video

    # Small enough to be found at once: 80 pixels are below the least face.
    real = read_video(clips_folder / "video" / "GRID_s1--bbaf2n.mpg", max_seconds=2.4).frames[:58]
    noise = np.random.default_rng(0).integers(0, 256, real.shape, np.uint8)
    speech = sound(0, 58)
    measure = SyncMeasure(network, TrackSettings(size=SIZE, min_track=20))
    with pytest.raises(MeasureError, match="no face found"):
        measured(measure, Clip(noise, speech), Clip(real, speech))
    measure.add(measured(measure, Clip(real, speech), Clip(noise, speech)))
    counts = measure.measurements(1)[0].counts
    assert (counts["clips"], counts["failed"], counts["true videos failed"]) == (1, 1, 1)
    assert measure.protocol["crop"]["detector"] == "dlib"


def test_the_sound_of_a_file_cut_between_keyframes_is_heard_from_its_first_picture_on(tmp_path):
    """Its pictures begin at the next keyframe, its sound where it was cut."""
    times = [Fraction(index, 25) for index in range(50)]
    click = np.zeros(50 * 640, np.float32)
    click[30 * 640 : 30 * 640 + 80] = 0.9
    pictures = [numbered_frame(index) for index in range(50)]
    whole = write_video(tmp_path / "whole.mkv", pictures, times=times, waveform=click, keyframes=20)
    cut = VideoFile(cut_between_keyframes(whole, 11 / 25, tmp_path / "cut.mkv"))
    assert number_of(next(cut.frames())) == 20
    assert np.abs(cut.waveform()).argmax() / 640 == pytest.approx(30 - 20, abs=0.3)


def test_a_track_of_zeros_is_no_sound_that_lips_could_be_compared_with(network):
    measure, zeros = SyncMeasure(network, None), np.zeros(FRAMES * 640, np.float32)
    with pytest.raises(MeasureError, match="silent: the sound of the generated video is zeros"):
        measured(measure, Clip(frames(0), zeros), Clip(frames(1), sound(1)))
    with pytest.raises(MeasureError, match="silent: the sound of the reference is zeros"):
        measured(measure, Clip(frames(0), None), Clip(frames(1), zeros))
    measure.add(measured(measure, Clip(frames(0), sound(0)), Clip(frames(1), zeros)))
    assert measure.measurements(0)[0].counts["true videos failed"] == 1


def test_a_still_face_is_looked_at_once(network, monkeypatch):
    seen = []
    read = network.consecutive_lips
    monkeypatch.setattr(network, "consecutive_lips", lambda frames: seen.append(len(frames) - 4) or read(frames))
    measured(SyncMeasure(network, None), Clip(frames(0), sound(0)), Clip(frames(1), sound(1)))
    assert sum(seen) == 2 * (FRAMES - 5) + 1
