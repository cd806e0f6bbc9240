"""Records of every stage's run besides its losses, through `s2tf.runs.fit.fit` and W&B's own files."""

import json

import av
import numpy as np
import pytest
import torch
from narrow_autoencoder import narrow_autoencoder
from PIL import Image
from tiny_shards import tiny_shards
from wandb_run_files import read_run

from datamodules.shards.add_member import NewMember, add_member
from datamodules.shards.samples import MOTION
from s2tf.cli import main
from s2tf.config import EXPERIMENTS
from s2tf.provenance.facts import manifest_hash
from s2tf.reporting.dashboards import CURVES, SAMPLES
from s2tf.runs.fit import fit

pytestmark = pytest.mark.slow
STEPS = 4
WANDB = ("trainer.logger.class_path=lightning.pytorch.loggers.WandbLogger", "trainer.logger.init_args.project=p")
STAGES = {
    "conre": "debug",
    "scfp": "debug",
    "motion_autoencoder": "debug",
    "lip_landmarks": "small",
    "motion_diffusion": "debug",
    "syncnet": "debug",
}
"""Stage -> the widths that go on top."""
SHOWN = {
    "conre": {"true", "reconstructed", "from_speech", "sheet", "spectrogram", "sound-0", "sound-1"},
    "scfp": {"true", "reconstructed", "generated", "mean_face", "sheet", "spectrogram", "sound-0", "sound-1"},
    "motion_autoencoder": {"source", "target", "rebuilt", "sheet", "video-0", "video-1"},
    "lip_landmarks": {"opening-true", "opening-predicted", "video-0", "video-1"},
    "motion_diffusion": {"codes-true", "codes-generated", "sound-0", "sound-1"},
    "syncnet": {"distances"},
}


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Shards of 128 px, with motion codes."""
    folder = tmp_path_factory.mktemp("data")
    plain = tiny_shards(folder / "plain", size=128, people=9)
    codes = NewMember(MOTION, {"dim": 4}, lambda clip: np.random.default_rng(0).normal(size=(clip.record.frames, 4)))
    add_member(plain, folder / "faces", codes)
    return folder / "faces"


@pytest.fixture(scope="module")
def conre(shards, tmp_path_factory):
    """A run of the first stage, tracked by W&B."""
    return fitted("conre", shards, tmp_path_factory.mktemp("conre"), *WANDB)


@pytest.fixture(scope="module")
def prior(conre, shards, tmp_path_factory):
    """Computed by the command, tracked by W&B."""
    out = tmp_path_factory.mktemp("prior") / "face_prior"
    overlay = f"+{EXPERIMENTS / 'debug' / 'prior.yaml'}"
    given = [overlay, f"vars.shards={shards}", f"vars.conre={conre.networks}", "prior.faces=2"]
    assert main(["prior", str(EXPERIMENTS / "prior.yaml"), *given, "--out", str(out), "--wandb", "p"]) == 0
    return out


@pytest.fixture(scope="module")
def earlier(conre, prior):
    """Variables of the portrait diffusion."""
    return [f"vars.conre={conre.networks}", f"vars.prior={prior}"]


def fitted(stage, shards, runs, *overrides, samples_every=2):
    overlay = EXPERIMENTS / STAGES[stage] / f"{stage}.yaml"
    settings = [
        *(f"+{overlay}", f"vars.shards={shards}", f"trainer.max_steps={STEPS}", "trainer.log_every_n_steps=2"),
        *("data.init_args.batch_size=2", f"tracking.samples_every={samples_every}", "tracking.samples=2"),
    ]
    return fit(EXPERIMENTS / f"{stage}.yaml", [*settings, *overrides], runs).run


def weights(run):
    return torch.load(run.last_checkpoint, weights_only=False)["state_dict"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_shows_what_it_has_learned_and_learns_the_same(stage, shards, earlier, tmp_path):
    """With throughput, samples and W&B, and with none of them: the weights are equal to the bit."""
    given = earlier if stage == "scfp" else []
    tracked = fitted(stage, shards, tmp_path / "tracked", *given, *WANDB)
    off = ("tracking.throughput=false", "tracking.artifacts=false")
    plain = fitted(stage, shards, tmp_path / "plain", *given, *off, samples_every=0)
    states = weights(tracked), weights(plain)
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not (plain.folder / "samples").exists()
    folders = sorted((tracked.folder / "samples").iterdir())
    assert [folder.name for folder in folders] == ["step-00000002", "step-00000004"]
    for folder in folders:
        assert {path.stem for path in folder.iterdir()} == SHOWN[stage]
        assert all(is_whole(path) for path in folder.iterdir())
    logged = {name for row in read_run(tracked.folder).history for name in row}
    assert shown_by_dashboards(stage) <= logged


def shown_by_dashboards(stage):
    """Names that the dashboards of a stage's tables ask of its training."""
    kinds = {"scfp": "portraits", "motion_autoencoder": "reconstruction", "motion_diffusion": "motion"}
    if stage not in kinds:
        return set()
    lines = {key for _, keys in CURVES[kinds[stage]] for key in keys if key.startswith("train/")}
    # The narrow autoencoder has no codebook.
    codebook = {"train/codebook", "train/commitment", "train/perplexity"}
    return lines - codebook | {f"samples/{key}" for key in SAMPLES[kinds[stage]]}


def is_whole(path):
    """A picture that is not of one colour, a video of frames with sound, or a sound."""
    if path.suffix == ".png":
        return np.asarray(Image.open(path)).std() > 0
    with av.open(str(path)) as file:
        frames = sum(1 for _ in file.decode(video=0)) if file.streams.video else 40
        return frames >= 40 and len(file.streams.audio) == 1 and file.duration >= 0.8 * av.time_base


def test_where_a_run_is_to_be_seen_is_noted_when_it_begins(conre):
    assert (conre.folder / "wandb_page").read_text() == "offline\n"


def test_wandb_has_names_steps_media_and_config(conre, shards):
    logged = read_run(conre.folder)
    assert (logged.group, logged.job_type, logged.name) == ("conre", "conre", f"conre-{conre.folder.name}")
    assert logged.tags == ("conre", "debug/conre", "seed-0")
    rows = [row for row in logged.history if "train/loss" in row]
    assert [row["trainer/global_step"] for row in rows] == [1, 3]
    for row in rows:
        assert row["throughput/samples_per_second"] == pytest.approx(2 * row["throughput/steps_per_second"], rel=1e-4)
        assert 0 <= row["throughput/data_wait_share"] <= 1
        assert row["throughput/tflops_per_second"] > 0
        assert "throughput/mfu" not in row
    shown = [row for row in logged.history if "samples/sheet" in row]
    assert [row["trainer/global_step"] for row in shown] == [1, 3]
    assert {name for name in shown[0] if name.startswith("samples/")} == {f"samples/{name}" for name in SHOWN["conre"]}
    assert shown[0]["samples/sheet"]["_type"] == "image-file"
    assert shown[0]["samples/sound-0"]["_type"] == "audio-file"
    assert all(path.is_file() for path in logged.media)
    assert logged.config["config"]["model"]["class_path"] == "s2tf.stages.conre.ConReStage"
    assert logged.config["data"] == {str(shards): manifest_hash(json.loads((shards / "manifest.json").read_text()))}
    counts = logged.config["parameters"]
    parts = counts["speech_encoder"] + counts["face_encoder"] + counts["face_decoder"]
    # The temperature of the contrastive loss is trained, LPIPS is not.
    assert counts["trained"] == parts + 1 < counts["total"]


def test_videos_with_sound_reach_wandb(shards, tmp_path):
    run = fitted("motion_autoencoder", shards, tmp_path, *WANDB)
    row = next(row for row in read_run(run.folder).history if "samples/video-0" in row)
    assert row["samples/video-0"]["_type"] == "video-file"
    path = next(path for path in read_run(run.folder).media if path.suffix == ".mp4")
    with av.open(str(path)) as file:
        # True and rebuilt beside each other, at 64 px.
        assert (file.streams.video[0].width, file.streams.video[0].height) == (128, 64)
        assert file.streams.video[0].average_rate == 25
        assert len(file.streams.audio) == 1


def test_motion_is_shown_driven_by_speech_where_an_autoencoder_is_at_hand(shards, tmp_path):
    autoencoder = tmp_path / "motion_autoencoder"
    narrow_autoencoder().save_pretrained(autoencoder)
    run = fitted("motion_diffusion", shards, tmp_path, f"tracking.autoencoder={autoencoder}")
    plain = fitted("motion_diffusion", shards, tmp_path / "plain", samples_every=0)
    assert weights(run).keys() == weights(plain).keys()
    assert all(torch.equal(value, weights(plain)[name]) for name, value in weights(run).items())
    folder = run.folder / "samples" / "step-00000004"
    assert {path.stem for path in folder.iterdir()} == SHOWN["motion_diffusion"] | {"video-0", "video-1"}
    with av.open(str(folder / "video-0.mp4")) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert len(file.streams.audio) == 1
    # The clip of 1.6 s at 32 px, and beside it what the speech has made of its first frame.
    assert (len(frames), frames[0].shape) == (40, (32, 64, 3))


def test_a_chain_is_followed_from_the_shards_to_the_last_stage(conre, prior, earlier, shards, tmp_path):
    """By name and digest, which are what W&B knows an artifact by."""
    scfp = fitted("scfp", shards, tmp_path, *earlier, *WANDB)
    first, between, second = (
        {one.name: one for one in read_run(folder).artifacts} for folder in (conre.folder, prior, scfp.folder)
    )
    assert {name: one.use_after_commit for name, one in first.items()} == {"faces": True, "conre": False}
    used = {"faces": True, "conre": True, "face_prior": False}
    assert {name: one.use_after_commit for name, one in between.items()} == used
    used = {"faces": True, "conre": True, "face_prior": True, "scfp": False}
    assert {name: one.use_after_commit for name, one in second.items()} == used
    known = {name: (one.type, one.digest) for name, one in second.items()}
    assert all(known[name] == (one.type, one.digest) for name, one in (first | between).items())
    assert read_run(prior).job_type == "prior"
    # References with checksums: nothing would be uploaded.
    contents = [entry for one in second.values() for entry in one.manifest.contents]
    assert all(entry.ref.startswith("file:///") and not entry.local_path for entry in contents)
    noted = json.loads((scfp.folder / "lineage.json").read_text())
    made_of = {item["name"]: item["made_of"] for item in noted["inputs"]}
    assert [item["name"] for item in made_of["conre"]] == ["faces"]
    assert [item["name"] for item in made_of["face_prior"]] == ["faces", "conre"]
    assert [item["name"] for item in noted["outputs"]] == ["scfp"]


def test_files_are_uploaded_only_where_that_is_asked(shards, tmp_path):
    run = fitted("syncnet", shards, tmp_path, *WANDB, "tracking.upload=true")
    made = next(one for one in read_run(run.folder).artifacts if one.name == "syncnet")
    assert {entry.path for entry in made.manifest.contents} == {"syncnet/config.json", "syncnet/weights.safetensors"}
    assert all(entry.local_path and not entry.ref for entry in made.manifest.contents)


def test_csv_is_one_line(shards, tmp_path):
    run = fitted("syncnet", shards, tmp_path, "trainer.logger.class_path=lightning.pytorch.loggers.CSVLogger")
    table = next(run.folder.rglob("metrics.csv")).read_text()
    assert "throughput/samples_per_second" in table.splitlines()[0]
    assert "syncnet: " in next(run.folder.rglob("hparams.yaml")).read_text()
    assert (run.folder / "samples" / "step-00000004" / "distances.png").is_file()


def test_tensorboard_is_one_line(shards, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = fitted("syncnet", shards, tmp_path, "trainer.logger.class_path=lightning.pytorch.loggers.TensorBoardLogger")
    events = accumulator.EventAccumulator(str(next(run.folder.rglob("events.out*")).parent))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 3]
    assert [event.step for event in events.Images("samples/distances")] == [1, 3]
    assert events.Scalars("throughput/steps_per_second")
