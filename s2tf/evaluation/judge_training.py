"""Training and caching of the judges: small networks that read faces of synthetic speakers."""

import hashlib
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from datamodules.prepare.synthetic.speaker import make_speaker
from datamodules.prepare.synthetic.stills import render_stills
from s2tf.evaluation.progress import progress
from s2tf.faces.crop import CropRule, crop, square_box, to_crop
from s2tf.faces.judge_network import JUDGE_SIZE
from s2tf.faces.judges import AGE_CENTRE, AGE_SCALE, SETTINGS_FILE, JudgeExamples, Judges, JudgeTraining, train_judges
from s2tf.faces.lips import POSE, canonical_face, head_pose, to_picture_units
from s2tf.metrics.correlation import pearson
from s2tf.metrics.retrieval import RecallAtK, gallery_embeddings
from s2tf.nn.file_kinds import read_json
from s2tf.nn.half_precision import Precision, with_precision
from s2tf.nn.lips import eye_opening, mouth_opening
from s2tf.packaged.files import packaged_judges

SEED_BASE = 9_000_000
"""Seed of the judges' first population, far above the seeds of the demo and of the tests."""
VERSION = 5
"""Version of the judges; raise it whenever their pictures, networks or class paths change, so that they train again."""
CACHE_VARIABLE = "S2TF_CACHE"
CHUNK = 50
"""Speakers that one process renders at a time."""
GALLERY = 32
"""People of a gallery of the accuracy test."""
UNSEEN_GALLERIES = 2
STILLS_OF_UNSEEN = 9
"""Pictures of each person of the accuracy test."""


@dataclass(frozen=True)
class JudgeData:
    """The pictures that judges are trained on."""

    speakers: int = 800
    days: int = 2
    """Days on which each speaker is rendered: the same face with other hair colour, clothes, background and light."""
    stills: int = 2
    """Pictures of each day."""
    drawn_size: int = 96
    blinks: float = 0.25
    """Share of the pictures with lids anywhere between open and closed, so that the reader of the eyes knows blinks."""
    seed: int = 0
    workers: int = 2


def load_judges(data: JudgeData, console: Console) -> Judges:
    """Load the packaged judges if they are those of `data`, else those in the cache, which are trained if absent."""
    if holds_judges(packaged_judges(), data):
        return Judges.load(packaged_judges())
    folder = cache_folder(data)
    if (folder / SETTINGS_FILE).is_file():
        return Judges.load(folder)
    return make_judges(data, folder, console)


def holds_judges(folder: Path, data: JudgeData) -> bool:
    """Return True if a folder holds the judges of `data`, of this version and with the default training."""
    path = folder / SETTINGS_FILE
    return path.is_file() and read_json(path).get("fingerprint") == fingerprint_of(data)


def fingerprint_of(data: JudgeData, training: JudgeTraining | None = None) -> str:
    """Hash the version and the settings of judges; the number of workers does not change the pictures."""
    settings = [VERSION, {**asdict(data), "workers": 0}, asdict(training or JudgeTraining(seed=data.seed))]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def cache_folder(data: JudgeData) -> Path:
    """Return the folder of these judges in the cache."""
    return cache_root() / "judges" / fingerprint_of(data)


def cache_root() -> Path:
    """Return the folder of files that all runs share: `S2TF_CACHE`, else ~/.cache/s2tf."""
    return Path(os.environ.get(CACHE_VARIABLE, Path.home() / ".cache" / "s2tf"))


def make_judges(
    data: JudgeData,
    folder: Path,
    console: Console,
    training: JudgeTraining | None = None,
    precision: Precision = 32,
) -> Judges:
    """Render speakers, train the judges, measure them on unseen speakers and save them in `folder`.

    Args:
        data: The speakers.
        folder: Folder of the judges.
        console: Console that shows the progress.
        training: Settings of the training, or None for the default ones.
        precision: Bits of each stored parameter.

    Returns:
        The judges as they are stored.
    """
    training = training or JudgeTraining(seed=data.seed)
    with progress(console, "judges: rendering the speakers") as report:
        examples = judge_examples(data, SEED_BASE + data.seed, data.speakers)
        judges = train_judges(examples, training, lambda name, done: report(f"judges: {name} {done:.0%}"))
    # Measured as they are stored, so that the rounding is in the numbers.
    networks = {name: with_precision(network, precision).float() for name, network in judges.networks.items()}
    judges = Judges(**networks, settings=judges.settings)
    about = {"version": VERSION, "fingerprint": fingerprint_of(data, training), "data": asdict(data)}
    judges.settings |= {**about, "accuracy": judge_accuracy(judges, unseen_examples(data))}
    judges.save(folder, precision)
    return judges


def judge_examples(data: JudgeData, seed: int, speakers: int) -> JudgeExamples:
    """Render pictures of `speakers` synthetic people of the population `seed`, with their labels."""
    chunks = [(data, seed, start, min(start + CHUNK, speakers)) for start in range(0, speakers, CHUNK)]
    if data.workers > 1 and len(chunks) > 1:
        with ProcessPoolExecutor(data.workers, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(_render, chunks))
    else:
        parts = [_render(chunk) for chunk in chunks]
    frames, landmarks, identity, gender = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    points = to_picture_units(landmarks, JUDGE_SIZE)
    face = canonical_face(points)
    return JudgeExamples(
        images=torch.from_numpy(frames),
        identity=torch.from_numpy(identity),
        gender=torch.from_numpy(gender),
        lips=torch.from_numpy(face.lips),
        pose=torch.from_numpy(np.concatenate([head_pose(points), eye_opening(face.eyes)[:, None]], axis=1)),
    )


def unseen_examples(data: JudgeData) -> JudgeExamples:
    """Render people whom the judges of `data` have not seen, nor have those of any lower seed."""
    unseen = JudgeData(days=1, stills=STILLS_OF_UNSEEN, drawn_size=data.drawn_size, workers=data.workers)
    return judge_examples(unseen, SEED_BASE + data.seed + 1, GALLERY * UNSEEN_GALLERIES)


def judge_accuracy(judges: Judges, examples: JudgeExamples) -> dict[str, float]:
    """Measure the judges on `unseen_examples`; no number by them is more accurate than this."""
    frames = examples.images.numpy()
    videos = frames.reshape(UNSEEN_GALLERIES, GALLERY, STILLS_OF_UNSEEN, *frames.shape[1:])
    recalls: dict[str, list[float]] = {}
    for people in videos:
        gallery, queries = gallery_embeddings(judges.embed, list(people))
        metric = RecallAtK((1, 5))
        metric.add_gallery(gallery, torch.arange(GALLERY))
        metric.update(queries, torch.arange(GALLERY))
        for name, value in metric.compute().items():
            recalls.setdefault(name, []).append(value.item())
    read = judges.opening(frames), judges.eye_opening(frames), judges.pose(frames)
    opening, eyes, pose = (values.numpy() for values in read)
    labels = examples.pose.numpy()
    correct = ((judges.gender(frames) > 0.5).long() == examples.gender).float().mean().item()
    return {
        "gender accuracy": correct,
        **{f"{name} among {GALLERY}": float(np.mean(values)) for name, values in recalls.items()},
        "mouth opening correlation": pearson(opening, mouth_opening(examples.lips.numpy())),
        "eye opening correlation": pearson(eyes, labels[:, -1]),
        **{f"{name} correlation": pearson(pose[:, index], labels[:, index]) for index, name in enumerate(POSE)},
    }


def _render(chunk: tuple[JudgeData, int, int, int]) -> tuple[np.ndarray, ...]:
    """Render speakers `start` to `stop`: frames, landmarks, face parameters and gender (0 female, 1 male)."""
    data, seed, start, stop = chunk
    rule = CropRule(size=JUDGE_SIZE)
    frames, landmarks, identity, gender = [], [], [], []
    for index in range(start, stop):
        for day in range(data.days):
            speaker = make_speaker(seed, index, day)
            stills = render_stills(speaker, data.stills, data.drawn_size, day, data.blinks)
            box = square_box(stills.landmarks, rule)
            frames.append(crop(stills.frames, box, JUDGE_SIZE))
            landmarks.append(to_crop(stills.landmarks, box, JUDGE_SIZE))
            man = speaker.gender == "male"
            face = [*asdict(speaker.face).values(), (speaker.age - AGE_CENTRE) / AGE_SCALE, float(man)]
            identity.append(np.repeat(np.array(face, np.float32)[None], data.stills, axis=0))
            gender.append(np.full(data.stills, int(man)))
    return tuple(np.concatenate(rows) for rows in (frames, landmarks, identity, gender))
