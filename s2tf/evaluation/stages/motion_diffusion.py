"""A finished motion diffusion, measured by what its codes show when the motion reader reads them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.shards.samples import Sample
from datamodules.shards.sources import ShardSource
from datamodules.shards.writing import load_manifest, read_split
from s2tf.diffusion.samplers import Sampler
from s2tf.diffusion.windows import Windows
from s2tf.errors import UserError
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.stages.motion_scores import MotionClip, MotionScores, Signals, frame_steps
from s2tf.evaluation.test_clips import another, clip_seed, manifests_fingerprint, name_of, shards_of, speech_for
from s2tf.faces import lips as face_lips
from s2tf.faces.crop import resize
from s2tf.faces.lips import canonical_face, to_picture_units
from s2tf.models.motion_autoencoder import MotionAutoencoder
from s2tf.nn.lips import eye_opening, mouth_opening
from s2tf.nn.network import load_network
from s2tf.runs.finished import check_codes

KIND = "motion"
AUTOENCODER = "autoencoder"
"""In the protocol: whose codes these are; runs of other seeds have other ones."""


@dataclass(frozen=True)
class MotionTest:
    """What is drawn, and for which speech."""

    autoencoder: Path | None
    """The motion autoencoder whose codes these are."""
    shards: str | None = None
    """Other data than the run's own."""
    clips: int | None = None
    """The first so many; all where None."""
    seed: int = 0
    seeds: int = 4
    steps: int = 50
    sampler: Sampler = "ddim"
    guidance: float = 1.0
    temperature: float = 1.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to measure.

        Raises:
            ValueError: a number is below 1.
        """
        for name in ("clips", "seeds", "steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} {value}: expected 1 or more")


def evaluate_motion(
    run: Path, test: MotionTest, out: Path, report: Callable[[str], None] = lambda text: None
) -> "Scores":
    """Draw motion for the speech of the test clips, measure it and write `metrics.json` into `out`.

    Raises:
        UserError: the run is not finished, there is no clip, or the codes are of another autoencoder.
    """
    drawer = _Drawer.open(run, test)
    samples = list(islice(read_split(drawer.shards, "test"), test.clips))
    if not samples:
        raise UserError(f"{drawer.shards.shards}: no clip in its split test")
    scores = MotionScores()
    for index, sample in enumerate(samples):
        scores.clips.append(drawer.clip(sample, another(samples, index)))
        report(f"{run.parent.name}: {index + 1} of {len(samples)} clips")
    protocol: dict[str, Any] = {
        "clips": len(samples),
        "shards": name_of(drawer.shards),
        "data": manifests_fingerprint([load_manifest(drawer.shards)]),
        "start": "the code of frame 0",
        "read by": "the motion reader of the codes' autoencoder",
        AUTOENCODER: drawer.autoencoder.fingerprint(),
        **{name: getattr(test, name) for name in ("seed", "seeds", "steps", "sampler", "guidance", "temperature")},
    }
    random = [name for name, network in drawer.networks.items() if getattr(network, "is_random", False)]
    result = Scores(KIND, run.parent.name, scores.measurements(protocol), protocol, random)
    result.write(out)
    return result


@dataclass
class _Drawer:
    """The networks of a run, and where its test clips are."""

    networks: dict[str, Any]
    autoencoder: "MotionAutoencoder"
    shards: "ShardSource"
    test: MotionTest

    @classmethod
    def open(cls, run: Path, test: MotionTest) -> "_Drawer":
        shards = shards_of(run, "motion_diffusion", test.shards)
        if test.autoencoder is None:
            raise UserError(
                f"{run}: --autoencoder must be given: the folder of the network whose codes {shards.shards} has"
            )
        autoencoder = MotionAutoencoder.from_pretrained(test.autoencoder)
        check_codes(load_manifest(shards), autoencoder, f"--autoencoder {test.autoencoder}", shards.shards)
        networks: dict[str, Any] = {
            name: load_network(str(run / "networks" / name)).to(test.device)
            for name in ("speech_features", "motion_diffusion")
        }
        return cls(networks, autoencoder.to(test.device), shards, test)

    def clip(self, sample: "Sample", other: "Sample | None") -> "MotionClip":
        """One clip with its draws, and one draw for another clip's speech."""
        true = sample.motion()
        assert true is not None
        codes = torch.tensor(true, dtype=torch.float32, device=self.test.device)
        z_id = self._identity(sample)
        speech = sample.waveform()
        seeds = [clip_seed(self.test.seed + number, sample.key) for number in range(self.test.seeds)]
        draws = [self._draw(speech, codes, seed) for seed in seeds]
        wrong = None
        if other is not None:
            wrong = self._read(self._draw(other.waveform(), codes, seeds[0]), z_id)
        return MotionClip(
            _true_signals(sample),
            self._read(codes, z_id),
            [self._read(draw, z_id) for draw in draws],
            wrong,
            self._steps(torch.stack(draws)),
            self._steps(codes[None]),
            self._borders(len(codes)),
        )

    def _borders(self, frames: int) -> list[int]:
        """The frames before those where windows of the diffusion begin, and with which they end."""
        diffusion = self.networks["motion_diffusion"]
        windows = Windows(frames, diffusion.window, diffusion.overlap)
        begins = (start - 1 for start in windows.starts[1:])
        ends = (start + windows.length - 1 for start in windows.starts[:-1])
        return sorted({*begins, *ends})

    def _steps(self, codes: "Tensor") -> "np.ndarray":
        return frame_steps(self.networks["motion_diffusion"].statistics.normalise(codes).cpu().numpy())

    def _identity(self, sample: "Sample") -> "Tensor":
        frame = resize(sample.frames(0, 1)[0], self.autoencoder.input_size)
        picture = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))[None].to(self.test.device)
        with torch.no_grad():
            return self.autoencoder.encode_source(picture.float() / 127.5 - 1).z_id

    def _draw(self, waveform: "np.ndarray", codes: "Tensor", seed: int) -> "Tensor":
        """Codes (T, m) for a speech brought to the clip's length."""
        frames, test = len(codes), self.test
        with torch.no_grad():
            features = self.networks["speech_features"](speech_for(waveform, frames).to(test.device), frames)
        return self.networks["motion_diffusion"].sample(
            features,
            steps=test.steps,
            kind=test.sampler,
            generator=torch.Generator().manual_seed(seed),
            start=codes[:1],
            guidance=test.guidance,
            temperature=test.temperature,
        )[0]

    def _read(self, codes: "Tensor", z_id: "Tensor") -> "Signals":
        with torch.no_grad():
            face = self.autoencoder.motion_reader(z_id.expand(len(codes), -1), codes)
        values = (mouth_opening(face.lips), eye_opening(face.eyes), face.placement)
        return Signals(*(value.double().cpu().numpy() for value in values))


def _true_signals(sample: "Sample") -> "Signals":
    face = canonical_face(to_picture_units(sample.landmarks(), sample.record.size))
    return Signals(face_lips.mouth_opening(face.lips), face_lips.eye_opening(face.eyes), face.placement)
