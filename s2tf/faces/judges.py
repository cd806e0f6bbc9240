"""The judges: readers of identity, gender, mouth and pose that measure generated faces and train no stage.

They are trained on pictures of speakers of other seeds (`s2tf judges`). These pictures are blurred, moved and noised,
because generated pictures are softer than rendered ones and must still be read correctly.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.faces.attributes import Attributes
from s2tf.faces.judge_network import JUDGE_SIZE, FaceReader
from s2tf.media.pictures import to_tensor
from s2tf.nn.file_kinds import read_json
from s2tf.nn.half_precision import Precision
from s2tf.nn.lips import mouth_opening

SETTINGS_FILE = "judges.json"
NETWORKS = ("face", "gender", "mouth", "pose")
LIP_VALUES = 40
AGE_CENTRE, AGE_SCALE, AGE_VALUE = 49.0, 18.0, -2
"""Centre and scale of the age, and its index among the face judge's values: the last but one is (age - 49) / 18."""

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class JudgeExamples:
    """Pictures with their labels, one per row.

    Give several pictures of each speaker with other hair, background and light, so that the face tells the identity.
    """

    images: Tensor
    """(N, 64, 64, 3) uint8."""
    identity: Tensor
    """(N, P) float: the parameters of the face that determine its identity; the dimensions of the embedding."""
    gender: Tensor
    """(N,) int64: 0 female, 1 male."""
    lips: Tensor
    """(N, 20, 2) canonical lip landmarks (`s2tf.faces.lips`)."""
    pose: Tensor
    """(N, 7): `head_pose` and the opening of the eyes (`s2tf.faces.lips`)."""

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class JudgeTraining:
    """Settings of the training of judges; epochs are passes over the examples."""

    face_epochs: int = 10
    gender_epochs: int = 2
    mouth_epochs: int = 6
    pose_epochs: int = 6
    batch_size: int = 64
    lr: float = 3e-3
    width: int = 16
    seed: int = 0


class Judges:
    """Four readers of faces, each its own network.

    Every method takes frames (N, H, W, 3) uint8 RGB of any size and scales them to 64 x 64 first.
    """

    def __init__(
        self, face: FaceReader, gender: FaceReader, mouth: FaceReader, pose: FaceReader, settings: dict[str, Any]
    ) -> None:
        self.networks = {"face": face.eval(), "gender": gender.eval(), "mouth": mouth.eval(), "pose": pose.eval()}
        self.settings = settings

    def embed(self, frames: np.ndarray) -> Tensor:
        """(N, P) parameters of the face in standard deviations over people, to compare by cosine."""
        return self._apply(frames, self.networks["face"])

    def gender(self, frames: np.ndarray) -> Tensor:
        """(N,) probability of male."""
        return self._apply(frames, self.networks["gender"])[:, 0].sigmoid()

    def age(self, frames: np.ndarray) -> Tensor:
        """(N,) apparent age in years, an output of the face judge."""
        return AGE_CENTRE + AGE_SCALE * self._apply(frames, self.networks["face"].read)[:, AGE_VALUE]

    def lips(self, frames: np.ndarray) -> Tensor:
        """(N, 20, 2) canonical lip landmarks."""
        return self._apply(frames, self.networks["mouth"].read)[:, 1:].reshape(-1, 20, 2)

    def opening(self, frames: np.ndarray) -> Tensor:
        """(N,) opening of the mouth in outer-eye distances, an output of its own."""
        return self._apply(frames, self.networks["mouth"].read)[:, 0]

    def pose(self, frames: np.ndarray) -> Tensor:
        """(N, 6) `s2tf.faces.lips.head_pose`."""
        return self._apply(frames, self.networks["pose"].read)[:, :-1]

    def eye_opening(self, frames: np.ndarray) -> Tensor:
        """(N,) opening of the eyes in outer-eye distances."""
        return self._apply(frames, self.networks["pose"].read)[:, -1]

    def save(self, folder: str | Path, precision: Precision = 32) -> Path:
        """Writes one subfolder per network and the settings; returns the folder.

        Args:
            folder: Folder of the judges.
            precision: Bits of each stored parameter.
        """
        folder = Path(folder)
        for name, network in self.networks.items():
            network.save_pretrained(folder / name, precision)
        (folder / SETTINGS_FILE).write_text(json.dumps(self.settings, indent=2) + "\n")
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> "Judges":
        """Loads judges that `save` has written.

        Raises:
            FileNotFoundError: A file does not exist; the message names it.
        """
        folder = Path(folder)
        if not (folder / SETTINGS_FILE).is_file():
            raise FileNotFoundError(f"{folder / SETTINGS_FILE} is missing: expected judges written by `s2tf judges`")
        networks = {name: FaceReader.from_pretrained(folder / name) for name in NETWORKS}
        return cls(**networks, settings=read_json(folder / SETTINGS_FILE))

    @torch.no_grad()
    def _apply(self, frames: np.ndarray, read: Callable[[Tensor], Tensor], batch: int = 256) -> Tensor:
        frames = np.asarray(frames)
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
            raise ValueError(f"frames {frames.dtype} {frames.shape}: expected (N, H, W, 3) uint8")
        parts = [frames[start : start + batch] for start in range(0, len(frames), batch)]
        return torch.cat([read(to_tensor(part)) for part in parts])


class JudgeReader:
    """The judges behind the interfaces `FaceFeatures` and `AttributeReader`."""

    packages = ()

    def __init__(self, judges: Judges) -> None:
        self.judges = judges

    @property
    def protocol(self) -> dict[str, Any]:
        """The judges' weights and the size of their pictures."""
        fingerprints = [network.fingerprint() for network in self.judges.networks.values()]
        return {"network": "judges of synthetic faces", "weights": " ".join(fingerprints), "size": JUDGE_SIZE}

    def embed(self, pictures: np.ndarray) -> Tensor:
        """See `Judges.embed`."""
        return self.judges.embed(pictures)

    def read(self, pictures: np.ndarray) -> list[Attributes | None]:
        """Gender and age; judges always find a face."""
        males, ages = self.judges.gender(pictures).tolist(), self.judges.age(pictures).tolist()
        return [Attributes(int(p > 0.5), age, max(p, 1 - p)) for p, age in zip(males, ages, strict=True)]


def train_judges(
    examples: JudgeExamples,
    training: JudgeTraining | None = None,
    report: Callable[[str, float], None] | None = None,
) -> Judges:
    """Trains the judges; the result depends only on the examples and the settings.

    Args:
        examples: Pictures of speakers that no stage sees.
        training: Settings.
        report: Function that is called with a judge's name and the finished share of its training, in 0..1.
    """
    training = training or JudgeTraining()
    opening = torch.from_numpy(mouth_opening(examples.lips.numpy()))[:, None]
    lips = examples.lips.reshape(len(examples), LIP_VALUES)
    jobs: dict[str, tuple[Tensor, int, Loss]] = {
        "face": (examples.identity.float(), training.face_epochs, F.smooth_l1_loss),
        "gender": (examples.gender.float()[:, None], training.gender_epochs, F.binary_cross_entropy_with_logits),
        "mouth": (torch.cat([opening, lips], dim=1).float(), training.mouth_epochs, _mouth_loss),
        "pose": (examples.pose.float(), training.pose_epochs, F.smooth_l1_loss),
    }
    networks = {}
    with torch.random.fork_rng(devices=[]):
        for name, (targets, epochs, loss) in jobs.items():
            torch.manual_seed(training.seed)
            network = FaceReader(targets.shape[1], training.width)
            if name != "gender":
                network.fit_units(targets)
            moved = moved_pose if name == "pose" else None
            _fit(network, examples.images, targets, epochs, loss, training, _reporter(report, name), moved)
            networks[name] = network
    settings = {"training": asdict(training), "examples": len(examples), "size": JUDGE_SIZE}
    return Judges(**networks, settings=settings)


def _mouth_loss(output: Tensor, target: Tensor) -> Tensor:
    # The opening, which is reported, is one value of 41, so it gets the same weight as the whole outline.
    opening = F.smooth_l1_loss(output[:, :1], target[:, :1])
    return opening + F.smooth_l1_loss(output[:, 1:], target[:, 1:])


def _fit(
    network: FaceReader,
    images: Tensor,
    targets: Tensor,
    epochs: int,
    loss: Loss,
    training: JudgeTraining,
    report: Callable[[float], None],
    moved: "Callable[[Tensor, Move], Tensor] | None" = None,
) -> None:
    """Trains one judge; `moved` adapts targets that depend on the place of the face in the picture."""
    steps = max(1, epochs * (len(images) // training.batch_size))
    optimizer = torch.optim.AdamW(network.parameters(), lr=training.lr, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.lr, total_steps=steps + 1, pct_start=0.15)
    network.train()
    for step, rows in enumerate(_batches(len(images), training.batch_size, steps)):
        move = Move.draw(len(rows))
        wanted = targets[rows] if moved is None else moved(targets[rows], move)
        value = loss(network(augment(to_tensor(images[rows]).contiguous(), move)), network.standardise(wanted))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        report((step + 1) / steps)
    network.eval()


@dataclass(frozen=True)
class Move:
    """A shift and scaling of pictures: point p of a new picture shows point `scale` p + `offset` of the old one."""

    scale: Tensor
    """(B,) scale of the picture."""
    offset: Tensor
    """(B, 2) shift in picture units."""

    @classmethod
    def draw(cls, count: int) -> "Move":
        """Samples shifts by up to 4 % of the side, and scales within 4 %."""
        return cls(1 + 0.04 * _symmetric(count), 0.08 * _symmetric(count, 2))


def moved_pose(pose: Tensor, move: Move) -> Tensor:
    """The values (B, 7) of `JudgeExamples.pose` in moved pictures, where only centre and size differ."""
    centre = (pose[:, :2] - move.offset) / move.scale[:, None]
    return torch.cat([centre, pose[:, 2:3] - move.scale.log()[:, None], pose[:, 3:]], dim=1)


def augment(images: Tensor, move: Move) -> Tensor:
    """Blurs, moves and tints pictures (B, 3, H, W) and adds noise, as faults of generated faces, by torch's generator.

    A whole batch is scaled down and up again by one random factor, since blur is the most frequent fault of generated
    faces.
    """
    size = images.shape[-1]
    count = len(images)
    transform = torch.zeros(count, 2, 3)
    transform[:, 0, 0] = transform[:, 1, 1] = move.scale
    transform[:, :, 2] = move.offset
    grid = F.affine_grid(transform, [count, 3, size, size], align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    small = int(torch.randint(size // 3, size + 1, ()))
    if small < 0.95 * size:
        images = F.interpolate(images, size=(small, small), mode="bilinear", antialias=True)
        images = F.interpolate(images, size=(size, size), mode="bilinear")
    contrast = 1 + 0.15 * _symmetric(count, 1, 1, 1)
    tint = 0.08 * _symmetric(count, 3, 1, 1)
    noise = 0.04 * torch.rand(count, 1, 1, 1) * torch.randn_like(images)
    return (images * contrast + tint + noise).clamp(-1, 1)


def _symmetric(*shape: int) -> Tensor:
    return torch.rand(*shape) * 2 - 1


def _batches(count: int, batch_size: int, steps: int) -> Iterator[Tensor]:
    done = 0
    while True:
        order = torch.randperm(count)
        for start in range(0, max(1, count - batch_size + 1), batch_size):
            if done == steps:
                return
            yield order[start : start + batch_size]
            done += 1


def _reporter(report: Callable[[str, float], None] | None, name: str) -> Callable[[float], None]:
    return (lambda share: report(name, share)) if report else (lambda share: None)
