"""Trains the demo: shards, then every step of a system's demo plan, then one pipeline folder."""

import json
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.folder import FolderReader
from datamodules.prepare.prepare import FAILURES, prepare
from datamodules.prepare.recording import Recording
from datamodules.prepare.splits import HeldOut
from datamodules.prepare.synthetic.reader import SyntheticReader
from datamodules.shards.writing import load_manifest
from s2tf.callbacks.progress import LiveProgress
from s2tf.config import EXPERIMENTS, compose
from s2tf.errors import UserError
from s2tf.evaluation.progress import progress
from s2tf.faces.crop import CropRule
from s2tf.faces.tracking import FaceSettings
from s2tf.precompute.copying import ShardCopy
from s2tf.precompute.face_prior import write_priors
from s2tf.precompute.latent_codes import write_codes
from s2tf.runs.assemble import assemble
from s2tf.runs.fit import fit
from s2tf.systems.declaration import DemoStep, System
from s2tf.systems.see_the_speaker import SEE_THE_SPEAKER

DEMO_EXPERIMENTS = EXPERIMENTS / "demo"
DATA_FILE = "demo.json"
"""File in the demo's folder that records the source of its shards."""
FEWEST = 4
NEEDS = "two to train on, one for validation and one for test"
ENOUGH = 10
"""Number of test people beyond which a larger share would only be missing in the training."""
DATA_FIELDS = ("seed", "speakers", "val", "test", "seconds", "max_seconds", "size")
"""Settings that decide the content of the shards."""


@dataclass(frozen=True)
class DemoSettings:
    """The data and the length of a demo."""

    seed: int = 0
    source: Path | None = None
    """Folder of real recordings, or None for synthetic speakers."""
    stretch: int = 1
    """Factor on the training steps of every stage's YAML."""
    steps: int | None = None
    """Training steps of every stage instead of those of its YAML, for short tests."""
    compared: int = 8
    """Unseen speakers whose face also speaks with another person's speech, as the baseline of the mouth's motion."""
    speakers: int = 1000
    val: float = 8 / 1000
    test: float = 32 / 1000
    seconds: float = 2.0
    """Length of each synthetic speaker's clip."""
    max_seconds: float = 8.0
    """Greatest number of seconds that are used of each real recording."""
    size: int = 128
    """Side of the stored frames in pixels."""
    workers: int = 2


@dataclass
class Chain:
    """The results of the training: folders, metrics, times, and the networks that were never trained."""

    shards: Path
    pipeline: Path
    networks: dict[str, Path] = field(default_factory=dict)
    """Folder of networks of each stage."""
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    """Numbers of each stage on the test split."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time of each step."""
    random_weights: list[str] = field(default_factory=list)


def make_shards(settings: DemoSettings, out: Path, console: Console) -> Path:
    """Prepares the speakers, synthetic or from recordings, into `out`/shards; finished shards are kept.

    Raises:
        UserError: The source is not a folder of videos, or too few of its recordings can be used.
    """
    shards = out / "shards"
    _check_same_data(settings, out)
    if (shards / "manifest.json").is_file():
        console.print(f"shards: kept from before, {shards}", highlight=False)
        return shards
    # Prepare the recordings.
    try:
        origin = settings.source or f"{settings.speakers} synthetic speakers"
        with progress(console, f"shards: reading the recordings of {origin}") as report:
            recordings = _recordings(settings)
            summary = prepare(
                recordings,
                shards,
                ClipSettings(CropRule(size=settings.size), max_seconds=settings.max_seconds),
                workers=settings.workers,
                on_progress=lambda done, total, key: report(f"shards: {done} of {total}  {key}"),
            )
    except (ValueError, ImportError) as error:
        raise UserError(str(error)) from error
    # Print what was left out, and refuse to train without people for every split.
    console.print(summary.table())
    if ignored := getattr(recordings, "ignored", ()):
        console.print(f"{len(ignored)} other files ignored: {', '.join(ignored[:5])} ...", highlight=False)
    if summary.failed:
        console.print(f"recordings that could not be used, with the reasons: {shards / FAILURES}", highlight=False)
    people = {split: len(content.identities) for split, content in summary.splits.items()}
    if min(people.values()) < 1 or people["train"] < 2:
        left = ", ".join(f"{count} for {split}" for split, count in people.items())
        raise UserError(
            f"{settings.source}: {summary.written} of {summary.recordings} recordings could be used, which leaves "
            f"people {left}; expected at least {FEWEST}: {NEEDS}"
        )
    return shards


def _check_same_data(settings: DemoSettings, out: Path) -> None:
    """Records the source of the data in `out`, so that a demo with other data does not continue with these shards.

    Raises:
        UserError: `out` was begun with another source, seed or size.
    """
    source = str(settings.source.resolve()) if settings.source else None
    wanted = {name: getattr(settings, name) for name in DATA_FIELDS} | {"source": source}
    path = out / DATA_FILE
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(wanted, indent=2) + "\n")
        return
    found = json.loads(path.read_text())
    for name, value in wanted.items():
        if found.get(name) != value:
            raise UserError(f"{path}: {name} is {found.get(name)}, expected {value}; choose another folder with --out")


def is_finished(folder: Path) -> bool:
    """True if a copy of a shard folder is complete; an incomplete copy is removed."""
    if (folder / "manifest.json").is_file():
        return True
    if folder.exists():
        shutil.rmtree(folder)
    return False


def _recordings(settings: DemoSettings) -> Iterable[Recording]:
    if settings.source is not None:
        FaceSettings().open()
        found = FolderReader(settings.source, HeldOut(seed=settings.seed))
        try:
            held_out = held_out_of(len({recording.identity for recording in found.recordings}), settings.seed)
        except ValueError as error:
            raise ValueError(f"{settings.source}: {error}") from error
        return FolderReader(settings.source, held_out)
    return SyntheticReader(
        settings.speakers, 1, settings.seconds, settings.size, settings.seed, val=settings.val, test=settings.test
    )


def held_out_of(people: int, seed: int) -> HeldOut:
    """Choose the people held out of a small set: a third for test, at least two, and at least one for validation.

    Two people stay to train on, even if only one is left for test. Of more than thirty people ten are enough for test,
    of more than a hundred a tenth.

    Raises:
        ValueError: There are fewer than four people.

    Example:
        >>> [round(people * held_out_of(people, 0).test) for people in (4, 5, 6, 14, 50, 200)]
        [1, 2, 2, 4, 10, 20]
    """
    if people < FEWEST:
        raise ValueError(f"recordings of {people} people, expected at least {FEWEST}: {NEEDS}")
    tests = min(max(2, min(people // 3, max(ENOUGH, people // 10))), people - FEWEST + 1)
    return HeldOut(val=max(1, people // 10) / people, test=tests / people, seed=seed)


def train_chain(
    settings: DemoSettings, shards: Path, out: Path, console: Console, system: System = SEE_THE_SPEAKER
) -> Chain:
    """Does every step of the system's demo plan and assembles its pipeline; runs that are finished are kept."""
    chain = Chain(shards=shards, pipeline=out / "pipeline")
    results = {"shards": str(shards), "seed": str(settings.seed)}
    for number, step in enumerate(system.demo.steps, start=1):
        console.print(f"step {number} of {len(system.demo.steps)}: {step.name}", highlight=False)
        words = [word.format_map(results) for word in step.words]
        started = time.monotonic()
        results[step.name] = str(_do(step, words, settings, chain, out, console))
        chain.seconds[step.name] = round(time.monotonic() - started, 1)

    # The last pipeline of a system is the whole one.
    runs = {name: chain.networks[name].parent for name in system.pipelines[-1].runs}
    pipeline = assemble(runs, system.demo.settings)
    pipeline.save_pretrained(chain.pipeline)
    chain.random_weights = list(pipeline.random_weights)
    return chain


def _do(step: DemoStep, words: list[str], settings: DemoSettings, chain: Chain, out: Path, console: Console) -> Path:
    """Does one step with its filled-in words; returns the folder of its result."""
    folder = out / step.name
    if step.action == "prior":
        # Recordings without a table name no gender: their prior is one of any faces.
        genders = load_manifest(chain.shards)["splits"]["train"]["genders"]
        unbalanced = [] if min(genders["female"], genders["male"]) else ["prior.female=null"]
        write_priors(DEMO_EXPERIMENTS / f"{step.name}.yaml", [*words, *unbalanced], folder)
        return folder
    if step.action == "codes":
        source, autoencoder = map(Path, words)
        if not is_finished(folder):
            write_codes(ShardCopy(source, folder), autoencoder)
        return folder
    experiment = DEMO_EXPERIMENTS / f"{step.name}.yaml"
    steps = settings.steps or settings.stretch * compose(experiment, words)["trainer"]["max_steps"]
    overrides = [*words, f"seed_everything={settings.seed}", f"trainer.max_steps={steps}"]
    result = fit(experiment, overrides, out / "runs", [LiveProgress(step.name, console)])
    chain.networks[step.name], chain.metrics[step.name] = result.run.networks, result.metrics
    return result.run.networks
