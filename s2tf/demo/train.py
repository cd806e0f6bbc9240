"""The training half of the demo: shards, then every stage on its own experiment YAML, then one pipeline folder."""

import json
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from datamodules.prepare.clip import ClipSettings
from datamodules.prepare.folder import FolderReader
from datamodules.prepare.prepare import FAILURES, prepare
from datamodules.prepare.recording import Recording
from datamodules.prepare.splits import HeldOut
from datamodules.prepare.synthetic.reader import SyntheticReader
from s2tf.callbacks.progress import LiveProgress
from s2tf.config import compose
from s2tf.errors import UserError
from s2tf.faces.crop import CropRule
from s2tf.faces.tracking import FaceSettings
from s2tf.precompute.copying import ShardCopy
from s2tf.precompute.face_prior import write_priors
from s2tf.precompute.latent_codes import write_codes
from s2tf.runs.assemble import assemble
from s2tf.runs.fit import fit
from s2tf.systems.see_the_speaker import SEE_THE_SPEAKER

EXPERIMENTS = Path(__file__).parents[2] / "experiments" / "demo"
DATA_FILE = "demo.json"
"""In the demo's folder: what its shards were made of."""
DATA_FIELDS = ("seed", "speakers", "val", "test", "seconds", "max_seconds", "size")


@dataclass(frozen=True)
class DemoPlan:
    """How large a demo is."""

    seed: int = 0
    source: Path | None = None
    stretch: int = 1
    """Every stage trains `stretch` times the steps of its YAML."""
    steps: int | None = None
    """Steps of every stage instead of those of its YAML; the project's own tests take few."""
    compared: int = 8
    """Unseen speakers whose face also speaks with another's speech, the baseline of the mouth's movement."""
    speakers: int = 680
    val: float = 8 / 680
    test: float = 32 / 680
    seconds: float = 2.0
    """Of each synthetic speaker's clip."""
    max_seconds: float = 8.0
    """Of each real recording."""
    size: int = 128
    """Side of the stored frames, pixels."""
    workers: int = 2


@dataclass
class Chain:
    """What training leaves: where each part is, how long it took, and which networks are random."""

    shards: Path
    pipeline: Path
    networks: dict[str, Path] = field(default_factory=dict)
    """Stage -> its folder of networks."""
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    """Stage -> its numbers on the test split."""
    seconds: dict[str, float] = field(default_factory=dict)
    random_weights: list[str] = field(default_factory=list)


def make_shards(plan: DemoPlan, out: Path, console: "Console") -> Path:
    """Prepare the plan's speakers, synthetic or from recordings, into `out`/shards; finished shards are kept.

    Raises:
        UserError: the source is no folder of videos, or too few of its recordings can be used.
    """
    shards = out / "shards"
    _check_same_data(plan, out)
    if (shards / "manifest.json").is_file():
        console.print(f"shards: kept from before, {shards}", highlight=False)
        return shards
    try:
        recordings = _recordings(plan)
        with console.status("") as status:
            summary = prepare(
                recordings,
                shards,
                ClipSettings(CropRule(size=plan.size), max_seconds=plan.max_seconds),
                workers=plan.workers,
                on_progress=lambda done, total, key: status.update(f"shards: {done} of {total}  {key}"),
            )
    except (ValueError, ImportError) as error:
        raise UserError(str(error)) from error
    console.print(summary.table())
    if ignored := getattr(recordings, "ignored", ()):
        console.print(f"{len(ignored)} other files ignored: {', '.join(ignored[:5])} ...", highlight=False)
    if summary.failed:
        console.print(f"what could not be used, and why: {shards / FAILURES}", highlight=False)
    empty = [split for split, content in summary.splits.items() if not content.clips]
    if empty:
        raise UserError(
            f"{plan.source}: {summary.written} of {summary.recordings} recordings could be used, which leaves nothing "
            f"for {', '.join(empty)}: expected recordings of at least three people"
        )
    return shards


def _check_same_data(plan: DemoPlan, out: Path) -> None:
    """Note in `out` which data it is made of; a demo of other data must not go on with these shards.

    Raises:
        UserError: `out` was begun with another source, seed or size.
    """
    source = str(plan.source.resolve()) if plan.source else None
    wanted = {name: getattr(plan, name) for name in DATA_FIELDS} | {"source": source}
    path = out / DATA_FILE
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(wanted, indent=2) + "\n")
        return
    found = json.loads(path.read_text())
    for name, value in wanted.items():
        if found.get(name) != value:
            raise UserError(f"{path}: {name} is {found.get(name)}, expected {value}: give another folder to --out")


def is_finished(folder: Path) -> bool:
    """Whether a copy of a shard folder is complete; one that was left half written is removed."""
    if (folder / "manifest.json").is_file():
        return True
    if folder.exists():
        shutil.rmtree(folder)
    return False


def _recordings(plan: DemoPlan) -> "Iterable[Recording]":
    if plan.source is not None:
        FaceSettings().open()
        return FolderReader(plan.source, HeldOut(seed=plan.seed))
    return SyntheticReader(plan.speakers, 1, plan.seconds, plan.size, plan.seed, val=plan.val, test=plan.test)


def train_chain(plan: DemoPlan, shards: Path, out: Path, console: "Console") -> Chain:
    """Train every stage in the paper's order, each on `experiments/demo/<stage>.yaml`; runs that are done are kept."""
    chain = Chain(shards=shards, pipeline=out / "pipeline")
    runs, prior, codes = out / "runs", out / "prior", out / "codes"
    data = f"vars.shards={shards}"
    _train("conre", [data], plan, chain, runs, console)
    conre = f"vars.conre={chain.networks['conre']}"
    with _timed(chain, "prior", console):
        write_priors(EXPERIMENTS / "prior.yaml", [data, conre, f"prior.seed={plan.seed}"], prior)
    _train("scfp", [data, conre, f"vars.prior={prior}"], plan, chain, runs, console)
    _train("motion_autoencoder", [data], plan, chain, runs, console)
    _train("lip_landmarks", [data], plan, chain, runs, console)
    with _timed(chain, "codes", console):
        if not is_finished(codes):
            write_codes(ShardCopy(shards, codes), chain.networks["motion_autoencoder"] / "motion_autoencoder")
    _train("motion_diffusion", [f"vars.shards={codes}"], plan, chain, runs, console)
    _assemble(plan, chain)
    return chain


def _assemble(plan: DemoPlan, chain: Chain) -> None:
    """Put the stages' networks together into the pipeline folder `chain.pipeline`."""
    stages = ("scfp", "motion_autoencoder", "lip_landmarks", "motion_diffusion")
    pipeline = assemble({stage: chain.networks[stage].parent for stage in stages}, SEE_THE_SPEAKER.demo.settings)
    pipeline.save_pretrained(chain.pipeline)
    chain.random_weights = list(pipeline.random_weights)


def _train(stage: str, overrides: list[str], plan: DemoPlan, chain: Chain, runs: Path, console: "Console") -> None:
    with _timed(chain, stage, console):
        result = fit(
            EXPERIMENTS / f"{stage}.yaml",
            _overrides(stage, overrides, plan),
            runs,
            [LiveProgress(stage, console)],
        )
    chain.networks[stage] = result.run.networks
    chain.metrics[stage] = result.metrics


def _overrides(stage: str, overrides: list[str], plan: DemoPlan) -> list[str]:
    steps = plan.steps or plan.stretch * compose(EXPERIMENTS / f"{stage}.yaml", overrides)["trainer"]["max_steps"]
    return [*overrides, f"seed_everything={plan.seed}", f"trainer.max_steps={steps}"]


@contextmanager
def _timed(chain: Chain, step: str, console: "Console") -> Iterator[None]:
    started = time.monotonic()
    yield
    chain.seconds[step] = round(time.monotonic() - started, 1)
