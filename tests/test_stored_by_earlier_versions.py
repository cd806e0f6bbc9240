"""What an earlier version has written loads, goes on and is measured as by that version (`tests/fixtures/commit_*`).

Weights, hashes and what a checkpoint restores are compared exactly; what is computed from them, within the rounding of
another processor.
"""

import csv
import hashlib
import json
import lzma
import math
import os
import shlex
import shutil
import tarfile
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from datamodules.shards.sources import ShardSource
from datamodules.shards.writing import read_split
from s2tf import load_pipeline
from s2tf.callbacks.ema import ExponentialMovingAverage
from s2tf.cli import main
from s2tf.config import EXPERIMENTS, compose, identity_hash
from s2tf.fault_tolerance.journal import read_journal
from s2tf.media.sound import read_audio
from s2tf.nn.network import load_network
from s2tf.runs.chain_file import load_chain
from s2tf.runs.fit import evaluate, fit
from s2tf.runs.folder import find_run

STORED = Path(__file__).parent / "fixtures" / "commit_2474bd0"
EXPECTED = json.loads((STORED / "expected.json").read_text())
LIPS = "trained/lip_landmarks/b7b8c2f7"
QUEUED = "trained/lip_landmarks/9f690092"
INTERRUPTED = "trained/table10-lip_refiner/261cf70b"
FINISHED = "finished/table10-lip_refiner/261cf70b"
VIDEOS_WRITTEN = 1767225600
"""When the videos were: the records of their measurements name them by size and time."""
SEED = 7
ROUNDING = 1e-4
# Lightning says that the folder of the best checkpoint has another name, and that a measurement needs no callbacks.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The dirpath has changed from:UserWarning"),
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`:UserWarning"),
]


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A copy, as its user has it, who works in its folder."""
    folder = tmp_path / "stored"
    shutil.copytree(STORED, folder)
    for path in folder.rglob("*.xz"):
        path.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))
        path.unlink()
    for path in folder.rglob("*.mp4"):
        os.utime(path, (VIDEOS_WRITTEN, VIDEOS_WRITTEN))
    monkeypatch.chdir(folder)
    return folder


def on_this_machine(words):
    """An experiment and its overrides with the paths of their YAMLs."""
    experiment, *overrides = words
    return EXPERIMENTS / experiment, [f"+{EXPERIMENTS / word[1:]}" if word[0] == "+" else word for word in overrides]


def command_of(run):
    """A run's own config, with no override: the experiments that it came from have changed since."""
    return f"{run}/config.yaml", []


def digest(tensor):
    return hashlib.sha256(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes()).hexdigest()[:16]


def digests(tensors):
    return {name: digest(tensor) for name, tensor in sorted(tensors.items())}


def tensors_of(tree, name=""):
    """The tensors of an optimiser's state by their place in it."""
    if isinstance(tree, torch.Tensor):
        return {name: tree}
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list | tuple) else ()
    return {
        key: tensor
        for place, entry in entries
        for key, tensor in tensors_of(entry, f"{name}/{place}" if name else str(place)).items()
    }


def assert_close(found, expected, place=""):
    """Equal trees, but for the rounding of numbers and the versions of other software."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for key in expected.keys() - {"software"}:
            assert_close(found[key], expected[key], f"{place}/{key}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=10 * ROUNDING, abs=1e-7), place
    else:
        assert found == expected, place


def assert_same_weights(found, expected):
    """Networks of two folders, within the rounding of another processor's training."""
    for path in Path(expected).rglob("weights.safetensors"):
        weights = load_file(path)
        again = load_file(found / path.relative_to(expected))
        torch.testing.assert_close(again, weights, rtol=ROUNDING, atol=ROUNDING / 10)


def test_the_config_of_every_experiment_has_its_hash():
    hashes = json.loads((STORED / "config_hashes.json").read_text())
    commands = {words: on_this_machine(shlex.split(words)) for words in hashes}
    found = {
        words: identity_hash(compose(experiment, overrides, missing="random"))
        for words, (experiment, overrides) in commands.items()
    }
    assert found == hashes


@pytest.mark.parametrize("name", ["portraits", "talking_faces"])
def test_the_steps_of_a_chain_are_found_in_their_folders(name, monkeypatch):
    monkeypatch.chdir(EXPERIMENTS.parent)
    path = next(EXPERIMENTS.rglob(f"{name}.yaml")).relative_to(Path.cwd())
    steps = {step.name: step for step in load_chain(path, [], Path("/study"), seeds=[0])}
    for step, place in json.loads((STORED / "chain_steps.json").read_text())[name].items():
        assert str(steps[step].folder) == f"/study/{place['folder']}"
        assert steps[step].result == f"/study/{place.get('result', place['folder'])}"


def test_shards_are_read(stored, capsys):
    assert main(["shards", "shards", "--verify"]) == 0
    for split in ("train", "val", "test"):
        samples = {sample.key: sample for sample in read_split(ShardSource("shards"), split)}
        clips = {key: clip for key, clip in EXPECTED["shards"].items() if clip["split"] == split}
        assert samples.keys() == clips.keys()
        for key, clip in clips.items():
            landmarks = samples[key].landmarks()
            assert samples[key].record.frames == clip["frames"] == len(landmarks)
            assert [landmarks.mean(), landmarks.std()] == pytest.approx(clip["landmarks"], rel=1e-5)


@pytest.mark.parametrize("folder", EXPECTED["networks"])
def test_networks_load_with_their_weights(folder):
    for name, fingerprint in EXPECTED["networks"][folder].items():
        network = load_network(str(STORED / folder / name))
        weights = load_file(STORED / folder / name / "weights.safetensors")
        assert digests(network.state_dict()) == digests(weights)
        # Stored codes and statistics name the network that they are of by it.
        assert network.fingerprint() == fingerprint


def test_a_finished_run_is_found_measured_and_exported_again(stored):
    experiment, overrides = command_of(LIPS)
    found = find_run(experiment, overrides, "trained")
    assert found.folder == Path(LIPS).resolve()
    assert found.last_checkpoint == found.folder / "checkpoints" / "last.ckpt"
    assert evaluate(experiment, "validate", overrides, "trained") == pytest.approx(
        EXPECTED["validate"][LIPS], rel=ROUNDING
    )
    shutil.rmtree(stored / LIPS / "networks")
    result = fit(experiment, overrides, "trained")
    assert result.step == 4
    for name, fingerprint in EXPECTED["networks"][f"{LIPS}/networks"].items():
        assert load_network(str(result.run.networks / name)).fingerprint() == fingerprint


@pytest.mark.parametrize(("run", "options"), [(LIPS, []), (FINISHED, ["--size", "32"])], ids=["lips", "autoencoder"])
def test_a_finished_run_is_evaluated_to_its_numbers(stored, run, options):
    assert main(["evaluate", "run", run, *options, "--out", "again"]) == 0
    # With the same protocol: numbers of both versions stand in one table.
    again = json.loads(Path("again/metrics.json").read_text())
    assert again.pop("datasets") == ["synthetic"]
    expected = json.loads(Path(run, "metrics.json").read_text())
    # Later versions measure more.
    again["measurements"] = {
        name: one for name, one in again["measurements"].items() if name in expected["measurements"]
    }
    assert_close(again, expected)


class Loaded(L.Callback):
    """What stands in the trainer before the first step."""

    def on_train_start(self, trainer, pl_module):
        averages = [one.state_dict() for one in trainer.callbacks if isinstance(one, ExponentialMovingAverage)]
        states = [digests(tensors_of(optimizer.state_dict())) for optimizer in trainer.optimizers]
        self.found = {
            "step": trainer.global_step,
            "weights": digests(pl_module.state_dict()),
            "optimizers": [hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16] for state in states],
            "averages": [{"batches": one["batches"], "weights": digests(one["averages"])} for one in averages],
        }


def losses_of(run):
    """What the journal says of a training, without times."""
    rows = [(row.row, row.step, row.metrics) for row in read_journal(run)]
    return {
        f"{row}/{step}/{name}": value
        for row, step, metrics in rows
        for name, value in metrics.items()
        if name.startswith("train/")
    }


def test_an_interrupted_run_goes_on_to_the_weights_that_it_had_before(stored):
    """With its optimisers, the moving averages of its weights, and a journal without a gap."""
    loaded = Loaded()
    experiment, overrides = command_of(INTERRUPTED)
    result = fit(experiment, overrides, "trained", [loaded])
    assert result.run.folder == Path(INTERRUPTED).resolve()
    assert loaded.found == EXPECTED["loaded"][INTERRUPTED]
    assert result.step == 8
    assert_same_weights(Path(INTERRUPTED), Path(FINISHED))
    assert losses_of(Path(INTERRUPTED)) == pytest.approx(losses_of(Path(FINISHED)), rel=ROUNDING)


def test_a_queued_run_is_trained_in_its_folder(stored):
    run = find_run(f"{QUEUED}/train.yaml")
    assert (run.experiment, run.folder.relative_to(stored.resolve()), run.tags) == (
        "lip_landmarks",
        Path(QUEUED),
        ("lip_landmarks", "small/lip_landmarks", "seed-1"),
    )
    assert math.isfinite(fit(f"{QUEUED}/train.yaml").metrics["val/loss"])
    assert sorted(path.name for path in Path(QUEUED, "networks").iterdir()) == ["lip_landmarks", "speech_features"]


def test_a_pipeline_generates_what_it_generated(stored):
    sound = Path("synthetic-s0-00003-00.wav")
    with tarfile.open("shards/test-000000.tar") as shard:
        sound.write_bytes(shard.extractfile(sound.name).read())
    speech = read_audio(sound)
    pipeline = load_pipeline("pipeline")
    assert pipeline.random_weights == ("speech_encoder", "portrait_diffusion", "face_decoder")
    latent = pipeline.portrait(speech, seed=SEED).latent
    output = pipeline(speech, seed=SEED)
    portrait, frames = output.portrait, np.stack(list(output))
    talking_face = pipeline.talking_face
    motion = talking_face.sample_motion(talking_face.encode_portrait(portrait), speech, seed=SEED)
    with np.load("generated.npz") as generated:
        np.testing.assert_allclose(latent, generated["latent"], rtol=ROUNDING)
        np.testing.assert_allclose(motion.codes, generated["codes"], rtol=ROUNDING)
        np.testing.assert_allclose(motion.lips[:, ::5], generated["lips"], rtol=ROUNDING, atol=1e-6)
        # A number at the edge of two grey values may fall to either side.
        np.testing.assert_allclose(portrait.astype(int), generated["portrait"], atol=1)
        np.testing.assert_allclose(frames[:, ::4, ::4].astype(int), generated["frames"], atol=1)
    words = [str(sound), "--pipeline", "pipeline", "--seed", str(SEED)]
    assert main(["generate", *words, "--out", "video.mp4", "--portrait", "portrait.png"]) == 0
    np.testing.assert_array_equal(np.asarray(Image.open("portrait.png")), portrait)


def test_videos_are_evaluated_to_their_numbers_beside_the_records_of_before(stored):
    before = Path("videos/generated-evaluation/metrics.json").read_text()
    words = ["videos/generated", "videos/reference", "--metrics", "pixels", "--size", "32", "--name", "HRTF"]
    assert main(["evaluate", "videos", *words]) == 0
    again = Path("videos/generated-evaluation/metrics.json").read_text()
    assert_close(json.loads(again), json.loads(before))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("table10", ["--runs", "finished"]),
        ("table8", ["--runs", "none", "--results", "HRTF=videos/generated-evaluation"]),
    ],
)
def test_a_report_has_the_numbers_that_it_had(stored, table, words):
    assert main(["report", "table", table, *words, "--out", "again"]) == 0
    rows, before = (numbers_of(Path(folder, f"{table}.md")) for folder in ("again", "report"))
    assert rows == before
    again, stored = (rows_of(Path(folder, f"{table}.csv")) for folder in ("again", "report"))
    assert again == stored


def numbers_of(table):
    """Each row's method and numbers: what they are called may become clearer, but not what they are."""
    lines = [line for line in table.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return [(method, *numbers) for method, _, *numbers in cells]


def rows_of(table):
    """Each row of a CSV without its source, whose words may become clearer."""
    with table.open(newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "source"} for row in csv.DictReader(file)]


class Malicious:
    """Writes a file where it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch ran",)


def test_nothing_that_a_checkpoint_holds_is_run(stored, capsys):
    experiment, overrides = command_of(LIPS)
    path = Path(LIPS, "checkpoints", "last.ckpt")
    torch.save({**torch.load(path, weights_only=True), "malicious": Malicious()}, path)
    for command in ("fit", "validate"):
        assert main([command, str(experiment), *overrides, "--runs", "trained"]) == 2
        assert f"{path}: refused, since it holds {os.system.__module__}.system" in capsys.readouterr().err
    assert not Path("ran").exists()
