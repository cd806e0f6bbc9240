"""The demo's targets on signals and pictures whose numbers are known."""

import numpy as np
import pytest
import torch

from s2tf.demo.results import Results, UnseenSpeaker, _mouths
from s2tf.demo.targets import gender_targets, mouth_target, reconstruction_targets, retrieval_targets
from s2tf.faces.motion import FaceMotion
from s2tf.metrics.image import FrameQuality


class ColourJudges:
    """Reads a face's identity off its colour and its gender off the red channel."""

    def embed(self, frames):
        return torch.from_numpy(frames.reshape(len(frames), -1, 3).mean(1)).float() - 127.5

    def gender(self, frames):
        return torch.from_numpy(frames[..., 0].reshape(len(frames), -1).mean(1) / 255)


def faces(*colours):
    return np.stack([np.full((8, 8, 3), colour, np.uint8) for colour in colours])


COLOURS = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (250, 250, 10)]
VIDEOS = [faces(colour, colour) for colour in COLOURS]


def test_portraits_of_the_right_speakers_are_retrieved_and_swapped_ones_are_not():
    right, swapped = (retrieval_targets(ColourJudges(), faces(*COLOURS[::step]), VIDEOS)[0] for step in (1, -1))
    assert right.name == "portrait retrieval R@1"
    assert (right.value, right.baseline, right.target, right.reached) == (1.0, 0.25, 0.75, True)
    assert (swapped.value, swapped.truth, swapped.reached) == (0.0, 1.0, False)
    with pytest.raises(ValueError, match="3 portraits of 4 speakers"):
        retrieval_targets(ColourJudges(), faces(*COLOURS[:3]), VIDEOS)


def test_gender_is_measured_on_speakers_of_known_gender_only():
    (accuracy,) = gender_targets(ColourJudges(), faces(*COLOURS), VIDEOS, [1, 0, 1, -1])
    assert accuracy.value == pytest.approx(2 / 3)
    assert accuracy.baseline == pytest.approx(2 / 3)
    assert accuracy.counts == {"portraits": 3, "unknown gender": 1}
    assert gender_targets(ColourJudges(), faces(*COLOURS), VIDEOS, [-1] * 4) == []


def test_a_mouth_must_follow_its_own_speech_better_than_another():
    rng = np.random.default_rng(0)
    reference, wrong = ([rng.normal(size=60) for _ in range(4)] for _ in range(2))
    assert mouth_target(reference, wrong, reference, reference).reached
    assert not mouth_target(wrong, wrong, reference, reference).reached


def test_without_another_speaker_the_wrong_speech_is_not_measured():
    reference = [np.random.default_rng(0).normal(size=60)]
    mouth = mouth_target(reference, None, reference, reference)
    assert mouth.value == pytest.approx(1)
    assert (mouth.baseline, mouth.target, mouth.reached) == (None, None, None)
    assert mouth.baseline_name == "wrong speech: not measured, only one person is left for test"


@pytest.mark.parametrize(("people", "baseline"), [(1, None), (2, pytest.approx(-1))])
def test_the_only_speaker_has_no_baseline_of_its_own_speech(people, baseline):
    """The mouth is read off the first pixel; the wrong speech moves it the other way."""
    path = np.linspace(60, 180, 50).astype(np.uint8)
    frames = np.broadcast_to(path[:, None, None, None], (50, 8, 8, 3)).copy()
    landmarks = np.random.default_rng(0).uniform(0, 8, (50, 68, 2))
    speakers = [
        UnseenSpeaker("a", 0, np.zeros(1), frames, landmarks, frames[0], frames, frames[::-1] if people > 1 else None)
        for _ in range(people)
    ]
    reads = []

    def read(video):
        reads.append(video)
        return FaceMotion.of_landmarks(landmarks, 8).mouth * (1 if video[0, 0, 0, 0] == 60 else -1)

    (mouth,) = _mouths(Results(None, speakers), read, "first pixel", compared=8)
    assert mouth.value == pytest.approx(1)
    assert mouth.baseline == baseline
    assert reads


def test_reconstruction_must_be_two_decibels_above_the_copied_source():
    reference = torch.full((2, 3, 16, 16), 100, dtype=torch.uint8)
    near, far = FrameQuality(), FrameQuality()
    near.update(reference + 2, reference)
    far.update(reference + 40, reference)
    psnr, ssim = reconstruction_targets(near, far)
    assert psnr.reached
    assert psnr.target == pytest.approx(psnr.baseline + 2)
    assert ssim.truth == 1.0
    assert not reconstruction_targets(far, far)[0].reached
