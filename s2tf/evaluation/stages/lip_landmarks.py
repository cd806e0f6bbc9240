"""Evaluation of lip landmarks on whole clips: following of the speech, and closing in silence."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from datamodules.shards.face import face_of
from datamodules.shards.samples import Sample
from s2tf.evaluation.clips_of_run import another, datasets_of, first_test_clips, shards_of, shards_protocol, speech_for
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.stages.lip_scores import LipClip, lip_scores
from s2tf.evaluation.stages.stage_run import Report, StageRun, check_counts, silent
from s2tf.faces.lips import FacePose, to_canonical
from s2tf.media.audio import FPS, SAMPLE_RATE
from s2tf.models.audio_to_mesh import AudioToMesh
from s2tf.models.lips_from_speech import lips_from_speech
from s2tf.models.speech_features import SpeechFeatures
from s2tf.nn.lips import place_lips
from s2tf.nn.network import Network, load_network
from s2tf.runs.finished import finished_config

KIND = "lips"
LIPS, FEATURES = "lip_landmarks", "speech_features"
SILENCE_SECONDS = 1.0
"""Length of the silence after the speech; its first `SETTLING` seconds are not measured."""
SETTLING = 0.2


@dataclass(frozen=True)
class LipNetwork:
    """The network of a finished run of the lip landmarks, with its speech features if it reads them."""

    network: Network
    features: SpeechFeatures | None
    device: str

    @classmethod
    def open(cls, run: Path, device: str) -> "LipNetwork":
        """Load the networks of a run.

        Raises:
            UserError: The run is not finished.
        """
        finished_config(run, LIPS)
        folder = run / "networks"
        features = SpeechFeatures.from_pretrained(folder / FEATURES) if (folder / FEATURES).is_dir() else None
        network = load_network(str(folder / LIPS))
        return cls(network.to(device), None if features is None else features.to(device), device)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the networks in the run."""
        return (LIPS,) if self.features is None else (LIPS, FEATURES)

    @property
    def space(self) -> bool:
        """True if its lips are in space."""
        return isinstance(self.network, AudioToMesh)

    def lips(self, waveform: np.ndarray, frames: int, first: np.ndarray) -> np.ndarray:
        """Generate lips (T, 20, D) for a speech as long as the frames; they begin at the lips `first` (20, D)."""
        still = torch.tensor(first, dtype=torch.float32, device=self.device)[None]
        sound = speech_for(waveform, frames).to(self.device)
        with torch.no_grad():
            return lips_from_speech(self.network, self.features, sound, frames, still)[0].double().cpu().numpy()


@dataclass(frozen=True)
class LipTest:
    """Choice of the clips for whose speech lips are generated."""

    shards: str | None = None
    """Shards to use instead of the run's own data."""
    clips: int | None = None
    """Number of the first clips to take, or None for all."""
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to measure.

        Raises:
            ValueError: A number is below 1.
        """
        check_counts(self, "clips")


def evaluate_lips(run: Path, test: LipTest, out: Path, report: Report = silent) -> Scores:
    """Generate the lips of the test clips, measure them and write `metrics.json` into `out`.

    Args:
        run: A finished run of the lip landmarks.
        test: The clips.
        out: Folder of the results.
        report: Function that is called with a line about the progress.

    Raises:
        UserError: The run is not finished, or there is no clip.
    """
    network = LipNetwork.open(run, test.device)
    stage_run = StageRun.open(run, network.names, test.device, report)
    shards = shards_of(stage_run.config, run, test.shards)
    samples = first_test_clips(shards, test.clips)
    clips = [
        _clip(sample, another(samples, index), network)
        for index, sample in enumerate(stage_run.each(samples, len(samples)))
    ]
    protocol = {
        **shards_protocol(shards, len(samples)),
        "reference": "the lips of frame 0",
        "silence": f"{SILENCE_SECONDS} s of zeros behind the speech, the first {SETTLING} s left out",
    }
    return stage_run.write(KIND, lip_scores(clips, protocol), protocol, out, datasets=datasets_of([shards]))


def _clip(sample: Sample, other: Sample | None, network: LipNetwork) -> LipClip:
    """Generate a clip's lips for its own speech followed by silence, and for another person's speech."""
    plane = face_of(sample)
    pose = face_of(sample, space=True) if network.space else plane
    speech, frames = sample.waveform(), len(plane.lips)
    with_silence = np.concatenate([speech, np.zeros(round(SILENCE_SECONDS * SAMPLE_RATE), np.float32)])
    silent_frames = round(SILENCE_SECONDS * FPS)
    generated = network.lips(with_silence, frames + silent_frames, pose.lips[0])
    wrong = None if other is None else network.lips(other.waveform(), frames, pose.lips[0])
    return LipClip(
        reference=plane.lips,
        generated=_shown(generated[:frames], pose, plane),
        silent=_shown(generated[frames + round(SETTLING * FPS) :], pose, plane, frame=-1),
        wrong=None if wrong is None else _shown(wrong, pose, plane),
    )


def _shown(lips: np.ndarray, pose: FacePose, plane: FacePose, frame: int | None = None) -> np.ndarray:
    """Return lips as the clip's picture would show them under its own head, in the frame of the plane.

    Args:
        lips: (T, 20, D) generated lips.
        pose: The clip's faces, in the plane or in space.
        plane: The clip's faces in the plane.
        frame: The frame whose head all lips get, or None for each its own.
    """
    if lips.shape[-1] == 2:
        return lips
    chosen = slice(None) if frame is None else [frame]
    return to_canonical(place_lips(lips, pose.placement[chosen]), plane.placement[chosen])
