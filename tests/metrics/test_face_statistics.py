import numpy as np
import pytest

from s2tf.faces.lips import POSE
from s2tf.faces.motion import FaceMotion
from s2tf.metrics.face_statistics import FaceStatistics, MotionCorrelation

FRAMES = 100
READ = {"landmarks": "some"}


def clip(seed=0, *, frames=FRAMES, blinks=(), pose=None, mouth=None):
    rng = np.random.default_rng(seed)
    eyes = np.full(frames, 0.2)
    for start in blinks:
        eyes[start : start + 4] = 0.02
    mouth = rng.uniform(0, 0.3, frames) if mouth is None else mouth
    pose = rng.normal(size=(frames, 6)) if pose is None else pose
    return FaceMotion(np.zeros((frames, 20, 2)), mouth, eyes, pose)


def without(motion, *frames):
    """As where no face was found in these frames."""
    for values in (motion.lips, motion.mouth, motion.eyes, motion.pose):
        values[list(frames)] = np.nan
    return motion


def statistics(*clips):
    metric = FaceStatistics(READ)
    for one in clips:
        metric.update(one)
    return metric


def test_blinks_are_per_minute_over_all_clips():
    values = statistics(clip(blinks=(10, 40, 80)), clip(blinks=())).compute()
    # Eight seconds.
    assert values["blinks per minute"].item() == pytest.approx(3 / 8 * 60)


def test_the_pose_has_the_steps_and_the_deviation_that_it_was_given():
    pose = np.zeros((FRAMES, 6))
    pose[:, POSE.index("roll")] = 0.02 * np.arange(FRAMES)
    pose[:, POSE.index("centre x")] = np.where(np.arange(FRAMES) % 2, 0.1, -0.1)
    values = statistics(clip(pose=pose)).compute()
    assert values["pose step: roll"].item() == pytest.approx(0.02)
    assert values["pose step: centre x"].item() == pytest.approx(0.2)
    assert values["pose step: nose y"].item() == 0
    assert values["pose deviation: roll"].item() == pytest.approx(0.02 * np.sqrt((FRAMES**2 - 1) / 12))
    assert values["pose deviation: centre x"].item() == pytest.approx(0.1)


def test_where_a_clip_is_is_no_motion_within_it():
    moved = [clip(1, pose=np.random.default_rng(1).normal(size=(FRAMES, 6)) + offset) for offset in (0, 5)]
    values = statistics(*moved).compute()
    assert values["pose deviation: roll"].item() == pytest.approx(moved[0].pose[:, 3].std())


def test_the_range_of_the_mouth_is_of_its_percentiles():
    mouth = np.linspace(0.0, 0.4, 101)
    mouth[50] = 9.0
    values = statistics(clip(frames=101, mouth=mouth)).compute()
    assert values["mouth range"].item() == pytest.approx(0.9 * 0.4, rel=0.02)


def test_frames_that_were_not_read_are_left_out_and_counted():
    pose = np.zeros((FRAMES, 6))
    pose[50:] = 1.0
    metric = statistics(without(clip(pose=pose, blinks=(10,)), 49, 50), without(clip(), *range(5, FRAMES)))
    values = metric.compute()
    # The jump lies between frames that were not read; the second clip has five frames only.
    assert values["pose step: roll"].item() == 0
    assert values["blinks per minute"].item() == pytest.approx(1 / 98 * 25 * 60)
    assert metric.protocol["frames"] == 98
    assert metric.protocol["frames without a face"] == 2 + 95
    assert metric.protocol["clips"] == 1
    assert metric.protocol["clips with fewer than 10 frames read"] == 1


def test_motion_that_is_the_true_one_correlates_and_another_does_not():
    metric = MotionCorrelation(READ)
    for seed in range(8):
        true = clip(seed, blinks=(20,))
        other = clip(seed + 100, blinks=(60,))
        metric.update(FaceMotion(true.lips, 2 * true.mouth + 1, true.eyes, other.pose), true)
    values = metric.compute()
    assert values["mouth"].item() == pytest.approx(1)
    assert values["eyes"].item() == pytest.approx(1)
    assert abs(values["pose"].item()) < 0.1
    assert values["pose"].item() == pytest.approx(np.mean([values[name].item() for name in POSE]))


def test_still_motion_counts_as_nothing_and_a_still_truth_does_not_count():
    moving, still = clip(0), clip(1, mouth=np.full(FRAMES, 0.1))
    metric = MotionCorrelation(READ)
    metric.update(moving, moving)
    metric.update(still, moving)
    metric.update(moving, still)
    assert metric.compute()["mouth"].item() == pytest.approx(0.5)
    assert metric.protocol["still"]["mouth"] == 1
    assert metric.protocol["undefined"]["mouth"] == 1
    # Eyes that never close in any of the clips.
    assert metric.compute()["eyes"].isnan()
    assert metric.protocol["undefined"]["eyes"] == 3


def test_frames_read_on_one_side_only_are_in_no_correlation():
    true = clip(0)
    made = without(clip(0), 3, 4)
    made.mouth[7] = true.mouth[7]
    metric = MotionCorrelation(READ)
    metric.update(made, without(clip(0), 50))
    metric.update(without(clip(0), *range(95)), true)
    assert metric.compute()["mouth"].item() == pytest.approx(1)
    assert metric.protocol["frames without a face"] == 3 + 95
    assert metric.protocol["clips with fewer than 10 frames read"] == 1
    with pytest.raises(ValueError, match="100 generated frames against 90 reference frames"):
        metric.update(true, clip(0, frames=90))


def test_clips_in_any_split_are_the_whole():
    clips = [clip(seed, blinks=(10 * seed,)) for seed in range(5)]
    whole, one, other = statistics(*clips), statistics(*clips[:2]), statistics(*clips[2:])
    one.merge_state(other)
    pairs = [MotionCorrelation(READ) for _ in range(3)]
    for index, (made, true) in enumerate(zip(clips[1:], clips[:-1], strict=True)):
        pairs[0].update(made, true)
        pairs[1 + index % 2].update(made, true)
    pairs[1].merge_state(pairs[2])
    for merged, all_at_once in ((one, whole), (pairs[1], pairs[0])):
        assert merged.protocol == all_at_once.protocol
        for name, value in all_at_once.compute().items():
            assert merged.compute()[name].item() == pytest.approx(value.item(), rel=1e-12)
