"""What is measured of a pair, fed in runs of any length."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from s2tf.evaluation.videos.fid_measure import FrechetMeasure
from s2tf.evaluation.videos.measure import GENERATED, REFERENCE, SOURCE_COPY, MeasureError
from s2tf.evaluation.videos.motion_measures import FaceMeasure, SteadinessMeasure
from s2tf.evaluation.videos.pairs import Alignment, ClipPair, PairError, aligned_runs
from s2tf.evaluation.videos.pixel_measures import IdentityMeasure, PerceptualMeasure, PixelMeasure, SharpnessMeasure
from s2tf.evaluation.videos.sync_measure import SyncMeasure
from s2tf.faces.motion import FaceMotion
from s2tf.metrics.frechet import FrechetDistance
from s2tf.metrics.motion_difference import MotionDifference
from s2tf.metrics.perceptual_distance import LPIPS
from s2tf.models.syncnet import SyncNet

SIZE = 64


class Frames:
    """A video in memory."""

    name = version = "frames"

    def digest(self) -> str:
        return self.version

    def __init__(self, frames: np.ndarray) -> None:
        self.array = frames

    def frames(self) -> Iterator[np.ndarray]:
        yield from self.array

    def waveform(self) -> None:
        return None


class StillFlow:
    """Nothing moves."""

    @property
    def protocol(self):
        return {"flow": "none"}

    def flow(self, frames, following):
        return torch.zeros(len(frames), 2, *frames.shape[-2:])


class MeanColours:
    """Three features of a picture."""

    features, protocol = 3, {"network": "mean colours"}

    def read(self, frames):
        return frames.float().mean((2, 3))


class FaceColours:
    """A face is its mean colours."""

    packages = ()

    @property
    def protocol(self):
        return {"network": "mean colours"}

    def embed(self, pictures):
        return torch.from_numpy(pictures[:, ::7, ::5].astype(np.float32).mean(1).reshape(len(pictures), -1))


class BrightMouth:
    """Reads a mouth that is as open as the picture is bright; a black picture has no face."""

    packages = ()

    @property
    def protocol(self):
        return {"landmarks": "brightness"}

    def read(self, frames):
        light = frames.reshape(len(frames), -1).mean(1) / 255
        light[light == 0] = np.nan
        lips = np.broadcast_to(light[:, None, None], (len(frames), 20, 2))
        return FaceMotion(lips, light, 1 - light, np.repeat(light[:, None], 6, axis=1))


def video(seed: int, frames: int = 23) -> np.ndarray:
    rng = np.random.default_rng(seed)
    light = 100 + 60 * np.sin(np.arange(frames) / 3 + seed)[:, None, None, None]
    return (light + rng.uniform(-20, 20, (frames, SIZE, SIZE, 3))).clip(1, 255).astype(np.uint8)


def measured(measure, made: np.ndarray, true: np.ndarray, run: int = 5):
    pair = ClipPair("clip", Frames(made), Frames(true))
    measure.begin(pair)
    for part in aligned_runs(pair, SIZE, run, Alignment()):
        measure.update(part)
    return measure.end()


MEASURES = {
    "pixels": PixelMeasure,
    "sharpness": SharpnessMeasure,
    "mad": lambda: SteadinessMeasure(StillFlow()),
    "fid": lambda: FrechetMeasure(MeanColours()),
    "folded fid": lambda: FrechetMeasure(MeanColours(), block=4),
    "landmarks": lambda: FaceMeasure(BrightMouth()),
    "identity": lambda: IdentityMeasure(FaceColours()),
}


@pytest.mark.parametrize("name", MEASURES)
def test_the_numbers_are_the_same_in_runs_of_any_length(name):
    made, true = video(0), video(1)
    whole = measured(MEASURES[name](), made, true, 100)
    for run in (1, 2, 7, 22):
        parts = measured(MEASURES[name](), made, true, run)
        assert parts.keys() == whole.keys()
        for key, value in whole.items():
            torch.testing.assert_close(parts[key], value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [*MEASURES, "sync", "lpips"])
def test_a_protocol_counts_nothing(name):
    more = {
        "sync": lambda: SyncMeasure(SyncNet(80, 0.1, 16), None),
        "lpips": lambda: PerceptualMeasure(LPIPS("random", allow_random=True)),
    }
    measure = (MEASURES | more)[name]()
    numbers = {key for key, value in measure.protocol.items() if isinstance(value, int)}
    # Of LSE: how many frames the sound is shifted.
    assert numbers <= {"shift"}


@pytest.mark.parametrize("name", MEASURES)
def test_the_clips_merge_to_the_numbers_of_all_frames(name):
    measure = MEASURES[name]()
    clips = [(video(2 * number), video(2 * number + 1)) for number in range(3)]
    for made, true in clips:
        measure.add(measured(measure, made, true))
    found = {one.name: one for one in measure.measurements(failed=1)}
    assert all(one.counts["clips"] == 3 and one.counts["failed"] == 1 for one in found.values())
    for one in found.values():
        assert one.protocol == measure.protocol
        assert None not in (one.baseline, one.truth)
    itself = MEASURES[name]()
    for _, true in clips:
        itself.add(measured(itself, true, true))
    for one in itself.measurements(0):
        # What stands as the truth's row is what the truth gets.
        assert one.value == pytest.approx(found[one.name].truth, abs=1e-6)
    copied = MEASURES[name]()
    for _, true in clips:
        copied.add(measured(copied, np.broadcast_to(true[:1], true.shape), true))
    for one in copied.measurements(0):
        if name != "landmarks":
            assert one.value == pytest.approx(found[one.name].baseline, abs=1e-6)


def test_mad_is_of_all_pairs_after_the_source():
    made = video(0)
    state = measured(SteadinessMeasure(StillFlow()), made, video(1), 4)
    metric = MotionDifference(StillFlow())
    metric.update(torch.from_numpy(made[1:]).permute(0, 3, 1, 2))
    assert int(state[f"{GENERATED}/pairs"]) == len(made) - 2
    torch.testing.assert_close(state[f"{GENERATED}/everywhere"], metric.everywhere)


def test_a_copied_sources_features_count_once_for_each_frame():
    state = measured(FrechetMeasure(MeanColours()), video(0), video(1))
    assert [len(state[f"{row}/features"]) for row in (GENERATED, REFERENCE, SOURCE_COPY)] == [22, 22, 1]


def test_fid_of_a_long_clip_is_that_of_all_its_features_and_its_state_does_not_grow():
    measure = FrechetMeasure(MeanColours(), block=4)
    clips = [(video(2 * number, 23 + number), video(2 * number + 1, 23 + number)) for number in range(2)]
    states = [measured(measure, made, true) for made, true in clips]
    assert max(len(state[f"{row}/features"]) for state in states for row in (GENERATED, REFERENCE)) < 4
    for state in states:
        measure.add(state)
    direct = FrechetDistance(MeanColours())
    for made, true in clips:
        direct.update(*(torch.from_numpy(frames[1:]).permute(0, 3, 1, 2) for frames in (made, true)))
    (found,) = measure.measurements(0)
    assert found.counts["frames"] == 45
    assert found.value == pytest.approx(float(direct.compute()), rel=1e-9)


def test_the_state_of_a_long_clip_is_the_same_bits_whatever_the_runs():
    made, true = video(0), video(1)
    whole = measured(FrechetMeasure(MeanColours(), block=4), made, true, 100)
    for run in (1, 3, 4, 9):
        parts = measured(FrechetMeasure(MeanColours(), block=4), made, true, run)
        assert all(torch.equal(parts[name], value) for name, value in whole.items())


def test_a_face_that_cannot_be_read_is_a_reason_not_a_number():
    dark = np.zeros_like(video(0))
    for made, true, counts in (
        (dark, video(1), "0 of the generated video, 22 of the reference and 0 of both"),
        (video(1), dark, "22 of the generated video, 0 of the reference and 0 of both"),
        # Each has enough by itself.
        (
            without_face(0, 13, 23),
            without_face(1, 1, 6),
            "12 of the generated video, 17 of the reference and 7 of both",
        ),
    ):
        with pytest.raises(MeasureError, match=f"of 22 after the source {counts} at once, expected 10 or more"):
            measured(FaceMeasure(BrightMouth()), made, true)


def without_face(seed: int, first: int, behind: int) -> np.ndarray:
    """A video in some of whose frames `BrightMouth` sees no face."""
    frames = video(seed)
    frames[first:behind] = 0
    return frames


def test_each_number_of_faces_says_what_went_into_it_and_what_did_not():
    measure = FaceMeasure(BrightMouth())
    # 2 frames without a generated face, 1 without a true one, at different times; in the second clip nothing moves.
    grey, frozen = np.full_like(video(0), 90), np.full_like(video(0), 99)
    for made, true in ((without_face(0, 5, 7), without_face(1, 9, 10)), (frozen, video(1)), (video(0), grey)):
        measure.add(measured(measure, made, true))
    found = {one.name: one.counts for one in measure.measurements(failed=1)}
    seen = {"clips": 2, "failed": 1, "frames": 22 - 3 + 22, "frames without a face": 3}
    assert found["mouth correlation"] == {**seen, "still": 1, "undefined": 1}
    # Of all six values of the pose.
    assert found["pose correlation"] == {**seen, "still": 6, "undefined": 6}
    own = {"clips": 3, "failed": 1, "frames": 3 * 22 - 2, "frames without a face": 2}
    assert found["blinks per minute"] == {**own, "frames without a face in the true video": 1}
    # A step is between two frames that were read.
    assert found["pose step: roll"]["steps between frames"] == 3 * 21 - 3


def test_a_tenth_of_the_frames_without_a_face_is_a_warning():
    measure = FaceMeasure(BrightMouth())
    measure.add(measured(measure, without_face(0, 5, 7), video(1)))
    assert measure.warnings == []
    state = measured(measure, video(1), without_face(0, 5, 8))
    assert measure.values(state)["frames without a face"] == 3
    measure.add(state)
    (warning,) = measure.warnings
    assert "in 1 of 2 clips more than 10% of the frames have no face in one of the videos (14% in the worst)" in warning


def test_what_is_best_as_the_truth_has_it_has_no_direction():
    measure = FaceMeasure(BrightMouth())
    measure.add(measured(measure, video(0), video(1)))
    ways = {one.name: one.higher_is_better for one in measure.measurements(0)}
    directed = {name for name, higher in ways.items() if higher}
    assert directed == {f"{what} correlation" for what in ("mouth", "eyes", "pose")}
    assert all(higher is None for name, higher in ways.items() if name not in directed)
    assert measure.measurements(0)[-1].to_json()["higher_is_better"] is None


@pytest.mark.parametrize("kind", [PixelMeasure, SharpnessMeasure])
def test_pixels_are_compared_on_the_device(kind, monkeypatch):
    measure, seen = kind("meta"), []
    for metric in measure.rows.values():
        monkeypatch.setattr(metric, "update", lambda *frames: seen.extend(one.device.type for one in frames))
        assert metric.frames.device.type == "meta"
    pair = ClipPair("clip", Frames(video(0)), Frames(video(1)))
    measure.begin(pair)
    for run in aligned_runs(pair, SIZE, 8, Alignment()):
        measure.update(run)
    assert set(seen) == {"meta"}


def test_lengths_may_differ_by_one_frame():
    pair = ClipPair("clip", Frames(video(0, 10)), Frames(video(1, 11)))
    alignment = Alignment()
    assert sum(len(run.generated) for run in aligned_runs(pair, SIZE, 4, alignment)) == 10
    assert (alignment.frames, alignment.cut) == (10, -1)
    pair = ClipPair("clip", Frames(video(0, 10)), Frames(video(1, 12)))
    with pytest.raises(PairError, match="frames is 2 frames longer than frames, which has 10"):
        list(aligned_runs(pair, SIZE, 4, Alignment()))


def test_a_face_that_is_small_in_the_picture_is_followed_whatever_the_runs(clips_folder):
    pytest.importorskip("mediapipe", reason="landmarks of real faces need the extra `mediapipe`")
    from s2tf.faces.motion import DetectedMotion
    from s2tf.media.video import read_video

    frames = read_video(clips_folder / "video" / "GRID_s1--bbaf2n.mpg", max_seconds=1.6).frames
    states = [measured(FaceMeasure(DetectedMotion()), frames, frames, run) for run in (16, 100)]
    assert int(states[0]["distance/frames"]) == len(frames) - 1
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value)
    assert float(states[0]["distance/sums"].abs().max()) == 0
    # Of the copied source, whose face stays where it was.
    assert float(states[0]["distance of the copy/sums"].min()) > 0


def test_each_face_network_has_its_identity(tmp_path):
    from rich.console import Console

    from s2tf.evaluation.videos.open_measures import MeasureChoices, open_measures
    from s2tf.models.face_encoder import FaceEncoder

    for name in ("one", "two"):
        encoder = FaceEncoder(8, width=1 / 16, image_size=32, hidden=8, pooled=1)
        encoder.mark_trained()
        encoder.save_pretrained(tmp_path / name)
    faces = [f"network={tmp_path / name}" for name in ("one", "two")]
    opened = open_measures(MeasureChoices("identity", faces=faces), Console(quiet=True))
    assert [one.name for one in opened.measures] == ["identity", "identity (two)"]
    assert len({one.protocol["weights"] for one in opened.measures}) == 2
