import numpy as np
import pytest
import torch

from s2tf.evaluation.stages.lip_refiner import refiner_change
from s2tf.evaluation.stages.reconstruction_scores import ReconstructedClip, ReconstructionScores
from s2tf.evaluation.stages.transfer_scores import Transfer, transfer_measurements
from s2tf.faces.judge_network import FaceReader
from s2tf.faces.motion import FaceMotion
from s2tf.metrics.perceptual_distance import JudgeDistance
from s2tf.metrics.sharpness import gradient_energy

FRAMES = 12


@pytest.fixture
def landmarks():
    """Faces (T, 68, 2) of 64 pixels that move, turn and speak."""
    rng = np.random.default_rng(0)
    face = rng.uniform(20, 44, size=(68, 2))
    face[36], face[45] = (18, 26), (46, 27)
    return face + 0.5 * rng.normal(size=(FRAMES, 68, 2)) + 3 * np.sin(np.arange(FRAMES))[:, None, None]


def pictures(seed, count=FRAMES):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 64, 64), generator=generator, dtype=torch.uint8)


def measured(clip):
    scores = ReconstructionScores(JudgeDistance(FaceReader(3, width=8)))
    own = scores.update(clip)
    return scores, own, {one.name: one for one in scores.measurements({"clips": 1})}


def test_the_reference_itself_is_perfect_and_the_source_copy_is_the_baseline(landmarks):
    reference, motion = pictures(0), FaceMotion.of_landmarks(landmarks, 64)
    still = FaceMotion(motion.lips[:1], motion.mouth[:1], motion.eyes[:1], motion.pose[:1])
    scores, own, rows = measured(ReconstructedClip(reference, reference[:1], reference, motion, motion, still, motion))
    for name, best in (("PSNR", 100), ("SSIM", 1), ("sharpness", 1), ("lip landmark error", 0)):
        assert rows[name].value == pytest.approx(best, abs=1e-6)
    assert rows["feature distance (face judge)"].value == 0
    assert rows["feature distance (face judge)"].baseline > 0
    assert rows["PSNR"].baseline < 20
    assert rows["lip landmark error"].baseline > 0.01
    for name in ("mouth", "eyes", "pose"):
        assert rows[f"{name} correlation"].value == pytest.approx(1)
    assert len(scores.readable_pose()) == 6
    assert own["psnr"] == pytest.approx(100)


def test_blur_is_less_sharp_and_further_away():
    reference = pictures(1)
    blurred = torch.nn.functional.avg_pool2d(reference.float(), 3, 1, 1).round().byte()
    _, _, rows = measured(ReconstructedClip(reference, reference[:1], blurred))
    assert rows["sharpness"].value < 0.5
    assert rows["feature distance (face judge)"].value > 0
    assert "lip landmark error" not in rows
    ramp = torch.arange(64, dtype=torch.float32).expand(1, 3, 64, 64) / 63 * 2 - 1
    assert gradient_energy(ramp).item() == pytest.approx((1 / 63) ** 2, rel=1e-3)


def test_frames_without_a_face_are_left_out_and_counted(landmarks):
    reference = pictures(2)
    motion, hidden = FaceMotion.of_landmarks(landmarks, 64), landmarks.copy()
    hidden[3:5] = np.nan
    unread = FaceMotion.of_landmarks(hidden, 64)
    assert unread.known.sum() == FRAMES - 2
    still = FaceMotion(motion.lips[:1], motion.mouth[:1], motion.eyes[:1], motion.pose[:1])
    _, _, rows = measured(ReconstructedClip(reference, reference[:1], reference, motion, motion, still, unread))
    assert rows["lip landmark error"].counts == {"frames": FRAMES - 2, "frames without a face": 2}
    assert rows["lip landmark error"].value == pytest.approx(0)


def test_what_the_refiner_changes_is_told_by_place():
    lips = 0.2 * torch.rand(2, 20, 2)
    plain, refined = torch.zeros(2, 3, 64, 64), torch.zeros(2, 3, 64, 64)
    refined[:, :, 34:36, 34:36] = 1.0
    assert refiner_change(refined, plain, lips).outside.max() == 0
    assert refiner_change(refined, plain, lips).inside.min() > 0
    refined[:, :, :4] = 0.5
    elsewhere = refiner_change(refined, plain, lips).outside
    assert elsewhere.mean() == pytest.approx(0.25 * 4 / 64, rel=0.1)
    clip = ReconstructedClip(
        pictures(0, 2), pictures(1, 1), pictures(0, 2), refiner_change=refiner_change(refined, plain, lips)
    )
    row = {one.name: one for one in measured(clip)[2].values()}["refiner's change outside the mouth, of that inside"]
    assert row.value == pytest.approx(float(elsewhere.mean() / clip.refiner_change.inside.mean()))


def test_a_transfer_must_be_nearer_to_b_and_move_as_a(landmarks):
    motion = FaceMotion.of_landmarks(landmarks, 64)
    backwards = FaceMotion.of_landmarks(landmarks[::-1], 64)
    pairs = [Transfer(0.9, 0.1, motion, motion), Transfer(0.2, 0.3, motion, motion), Transfer(0.9, 0.1, motion, motion)]
    rows = {one.name: one for one in transfer_measurements(pairs, {"clips": 3}, ["centre x", "roll"])}
    assert rows["transfer: identity kept"].value == pytest.approx(2 / 3)
    assert rows["transfer: mouth correlation"].value == pytest.approx(1)
    assert rows["transfer: pose correlation"].value == pytest.approx(1)
    wrong = transfer_measurements([Transfer(0.9, 0.1, motion, backwards)], {"clips": 1}, ["centre x"])
    assert {one.name: one.value for one in wrong}["transfer: mouth correlation"] < 0.9
