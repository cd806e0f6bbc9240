"""From finished runs to the paper's tables and figures, at debug width."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tiny_shards import tiny_shards
from video_folders import status

from datamodules.prepare.synthetic.speaker import make_speaker
from s2tf.cli import main
from s2tf.evaluation.stages.changed_faces import with_other_hair, with_other_shape
from s2tf.models.prior_weighting import SampleAdaptiveWeighting
from s2tf.nn.network import load_network
from s2tf.pipelines.portrait import PortraitPipeline
from s2tf.runs.fit import fit

EXPERIMENTS = Path(__file__).parents[3] / "experiments"
PEOPLE = 12


def experiment(name):
    return str(EXPERIMENTS / f"{name}.yaml")


def debug(name):
    return "+" + experiment(f"debug/{name}")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two seeds of one row of Table III and one of another, from shards on."""
    folder = tmp_path_factory.mktemp("study")
    shards = tiny_shards(folder / "shards", people=PEOPLE, seconds=2.0)
    data, runs = f"vars.shards={shards}", folder / "runs"
    conre = fit(experiment("conre"), [debug("conre"), data], runs).run
    parts = [data, f"vars.conre={conre.networks}", f"vars.prior={folder / 'prior'}"]
    prior = ["prior", experiment("prior"), debug("prior"), *parts[:2], "--out", str(folder / "prior")]
    assert main(prior) == 0
    for row, seed in (("both", 0), ("both", 1), ("conre", 0)):
        overrides = [debug("scfp"), *parts, f"seed_everything={seed}"]
        fit(experiment(f"ablations/table3/{row}"), overrides, runs)
    return folder


def run_folders(study, name):
    """By their seeds."""
    folders = (study / "runs" / name).iterdir()
    return sorted(folders, key=lambda folder: yaml.safe_load((folder / "config.yaml").read_text())["seed_everything"])


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def evaluate(run, out, *more):
    encoder = next((run.parents[1] / "conre").iterdir()) / "networks" / "face_encoder"
    arguments = ["--faces", f"network={encoder}", "--out", str(out), "--steps", "3", "--batch", "2"]
    return status(["evaluate", "run", str(run), *arguments, *more])


@pytest.mark.slow
def test_portraits_are_measured_and_do_not_depend_on_the_batch(study, tmp_path, capsys):
    run = run_folders(study, "table3-both")[0]
    assert evaluate(run, tmp_path / "a", "--json", str(tmp_path / "a.json")) == 0
    assert "chance" in capsys.readouterr().out
    record = json.loads((tmp_path / "a.json").read_text())
    assert record == json.loads((tmp_path / "a" / "metrics.json").read_text())
    assert (record["kind"], record["experiment"]) == ("portraits", "table3-both")
    test_people = PEOPLE // 3
    assert record["protocol"]["clips"] == test_people
    assert record["measurements"]["R@1"]["protocol"]["gallery_size"] == test_people
    assert record["measurements"]["cosine_degrees"]["truth"] < record["measurements"]["cosine_degrees"]["value"]
    assert "gender" not in record["measurements"]
    pictures = sorted((tmp_path / "a" / "samples").glob("*.portrait.png"))
    assert len(pictures) == test_people
    assert all((picture.parent / f"{key_of(picture)}.true.png").is_file() for picture in pictures)
    rows = read_csv(tmp_path / "a" / "portraits.csv")
    assert sorted(row["key"] for row in rows) == [key_of(picture) for picture in pictures]
    angles = [float(row["cosine_degrees"]) for row in rows]
    assert np.mean(angles) == pytest.approx(record["measurements"]["cosine_degrees"]["value"], abs=0.01)

    assert evaluate(run, tmp_path / "b", "--batch", "3", "--clips", "3", "--pictures", "2") == 0
    again = sorted((tmp_path / "b" / "samples").glob("*.portrait.png"))
    assert {key_of(path) for path in again} == {row["key"] for row in rows[:2]}
    # Convolutions round differently in batches of another size.
    for path in again:
        other = tmp_path / "a" / "samples" / path.name
        difference = np.asarray(Image.open(path)).astype(int) - np.asarray(Image.open(other))
        assert np.abs(difference).max() <= 1


@pytest.mark.slow
def test_parts_of_a_runs_portraits_write_what_one_process_writes(study, tmp_path, capsys):
    run, whole, parts = run_folders(study, "table3-both")[0], tmp_path / "whole", tmp_path / "parts"
    assert evaluate(run, whole) == 0
    # Results of an earlier evaluation stay neither beside the records of a part nor in the second file.
    shutil.copytree(whole, parts, ignore=shutil.ignore_patterns("clips"))
    numbers = tmp_path / "numbers.json"
    numbers.write_text("{}")
    assert evaluate(run, parts, "--part", "2/2", "--json", str(numbers)) == 0
    said = capsys.readouterr().out
    assert f"part 2 of 2 is done; clips of other parts are still missing in {parts}" in said
    assert not any((parts / name).exists() for name in ("metrics.json", "portraits.csv"))
    assert not numbers.exists()
    assert evaluate(run, parts, "--part", "1/2") == 0
    # Records, results and pictures, to the last byte.
    assert files_of(parts) == files_of(whole)


@pytest.mark.slow
def test_portraits_whose_readings_are_there_are_not_generated_again(study, tmp_path, monkeypatch):
    run, generated = run_folders(study, "table3-both")[0], []
    generate = PortraitPipeline.generate
    monkeypatch.setattr(PortraitPipeline, "generate", lambda self, *a: generated.append(1) or generate(self, *a))
    once = ("--varied", "0", "--clips", "3")
    assert evaluate(run, tmp_path, *once) == 0
    before = files_of(tmp_path)
    pictures = sorted((tmp_path / "samples").iterdir())
    for change, batches in (
        (lambda: None, 0),
        # A record that is cut off, a picture that is gone.
        (lambda: (tmp_path / "clips" / "portraits" / "000000.safetensors").write_bytes(b"cut"), 1),
        (lambda: pictures[-1].unlink(), 1),
        # The picture of an evaluation with other settings.
        (lambda: pictures[-1].write_bytes(pictures[0].read_bytes()), 1),
    ):
        generated.clear()
        change()
        assert evaluate(run, tmp_path, *once) == 0
        assert len(generated) == batches
        assert files_of(tmp_path) == before
    # Another clip changes only the batch that it is in; other noise changes all.
    for more, batches in ((["--clips", "4"], 1), (["--clips", "4", "--seed", "1"], 2)):
        generated.clear()
        assert evaluate(run, tmp_path, "--varied", "0", *more) == 0
        assert len(generated) == batches


@pytest.mark.slow
def test_alignment_is_measured_against_speakers_and_changed_faces(study, tmp_path, capsys):
    run = run_folders(study, "conre")[0]
    assert status(["evaluate", "run", str(run), "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert record["kind"] == "alignment"
    pairs = {name: one["counts"] for name, one in record["measurements"].items() if name.startswith("choice")}
    people = PEOPLE // 3
    against = pairs["choice against the other gender"]["choices"] + pairs["choice against the same gender"]["choices"]
    assert against == people * (people - 1)
    assert pairs["choice against another voice-linked shape"]["choices"] == people
    assert pairs["choice against another hair colour"]["choices"] == people
    for arguments, message in (
        (["--clips", "0"], "argument --clips: '0', expected a whole number of at least 1"),
        (
            ["--faces", "judges"],
            "--faces has no effect on a run of ConReStage; it applies to: SCFPStage",
        ),
    ):
        assert status(["evaluate", "run", str(run), "--out", str(tmp_path), *arguments]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_part_that_was_never_trained_is_named_by_both_stages(study, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Linear, "is_random", True, raising=False)
        assert main(["evaluate", "run", str(run_folders(study, "conre")[0]), "--out", str(tmp_path / "conre")]) == 0
    # Not a layer of the face encoder, which is refused where it has random weights.
    monkeypatch.setattr(SampleAdaptiveWeighting, "is_random", True, raising=False)
    assert evaluate(run_folders(study, "table3-both")[0], tmp_path / "scfp", "--clips", "1", "--seeds", "1") == 0
    conre, scfp = (
        json.loads((tmp_path / name / "metrics.json").read_text())["random_weights"] for name in ("conre", "scfp")
    )
    assert "speech_encoder" in conre
    assert "portrait_diffusion" in scfp


def test_a_face_is_changed_to_that_of_another_person_though_clips_share_one():
    speakers = [make_speaker(0, index) for index in (0, 0, 1, 1, 2, 2, 3, 3)]
    for speaker in speakers:
        shape, hair = with_other_shape(speaker, speakers), with_other_hair(speaker, speakers)
        assert shape.gender == speaker.gender
        assert shape.face.jaw_width != speaker.face.jaw_width
        assert shape.face.eye_spacing == speaker.face.eye_spacing
        assert hair.appearance.hair != speaker.appearance.hair
        assert replace(hair.appearance, hair=speaker.appearance.hair) == speaker.appearance
    assert with_other_shape(speakers[0], speakers[:2]) is None


@pytest.mark.slow
def test_runs_become_the_papers_table(study, tmp_path, capsys):
    for name in ("table3-both", "table3-conre"):
        for run in run_folders(study, name):
            assert evaluate(run, run, "--seeds", "1") == 0
    capsys.readouterr()
    arguments = ["report", "table", "table3", "--runs", str(study / "runs"), "--out", str(tmp_path)]
    assert main([*arguments, "--json", str(tmp_path / "t.json")]) == 0
    text = (tmp_path / "table3.md").read_text()
    assert "| + ConRe + SAW | ours (2 seeds), on synthetic |" in text
    assert "| + ConRe | ours (1 run), on synthetic |" in text
    assert "No finished run yet: baseline, + SAW" in text
    found = json.loads((tmp_path / "t.json").read_text())
    both = [json.loads((run / "metrics.json").read_text()) for run in run_folders(study, "table3-both")]
    angles = [one["measurements"]["cosine_degrees"]["value"] for one in both]
    line = next(line for line in found["lines"] if line["source"] == "ours" and line["method"] == "+ ConRe + SAW")
    assert line["cells"]["cos ↓ (degrees)"]["mean"] == pytest.approx(np.mean(angles))
    assert line["cells"]["cos ↓ (degrees)"]["deviation"] == pytest.approx(np.std(angles, ddof=1))


@pytest.mark.slow
def test_table_five_counts_the_flops_of_the_runs_own_network(study, tmp_path):
    run = run_folders(study, "table3-both")[0]
    copy = tmp_path / "runs" / "table5-linear" / run.name
    shutil.copytree(run, copy)
    assert evaluate(run, copy, "--seeds", "1") == 0
    assert (
        main(["report", "table", "table5", "--runs", str(tmp_path / "runs"), "--json", str(tmp_path / "t.json")]) == 0
    )
    lines = json.loads((tmp_path / "t.json").read_text())["lines"]
    dim = load_network(str(run / "networks" / "portrait_diffusion")).prior.z_p.numel()
    ours = next(line for line in lines if line["source"] == "ours")
    assert ours["cells"]["FLOPs ↓ (G)"]["mean"] == pytest.approx(4 * dim**2 / 1e9)


@pytest.mark.slow
def test_runs_that_cannot_stand_beside_each_other_are_refused(study, tmp_path, capsys):
    one, other = run_folders(study, "table3-both")
    for run in (one, other):
        copy = tmp_path / "runs" / "table3-both" / run.name
        shutil.copytree(run, copy)
        assert evaluate(run, copy, "--seeds", "1", *(("--temperature", "0.5") if run == other else ())) == 0
    arguments = ["report", "table", "table3", "--runs", str(tmp_path / "runs")]
    assert main(arguments) == 2
    assert "temperature: 1.0 and 0.5" in capsys.readouterr().err
    config = tmp_path / "runs" / "table3-both" / other.name / "config.yaml"
    tree = yaml.safe_load(config.read_text())
    stage = tree["model"]["init_args"]
    networks = Path(stage["face_encoder"]["init_args"]["folder"]).parent
    elsewhere = tmp_path / "conre" / "1234"
    shutil.copytree(networks, elsewhere / "networks")
    before = yaml.safe_load((networks.parent / "config.yaml").read_text())
    (elsewhere / "config.yaml").write_text(yaml.safe_dump({**before, "trainer": {**before["trainer"], "max_steps": 9}}))
    moved = {**stage, "face_encoder": {"init_args": {"folder": str(elsewhere / "networks" / "face_encoder")}}}
    autoencoder = tmp_path / "autoencoder" / "1234"
    shutil.copytree(networks, autoencoder / "networks")
    model = {**before["model"], "init_args": {**before["model"]["init_args"], "contrastive_weight": 0.0}}
    (autoencoder / "config.yaml").write_text(yaml.safe_dump({**before, "model": model}))
    alone = {**stage, "face_encoder": {"init_args": {"folder": str(autoencoder / "networks" / "face_encoder")}}}
    for changed, message in (
        ({**tree, "trainer": {**tree["trainer"], "max_steps": 7}}, "trainer.max_steps: 2 and 7"),
        ({**tree, "seed_everything": 0}, "both have the seed 0"),
        ({**tree, "model": {**tree["model"], "init_args": moved}}, "max_steps: 2 and 9"),
        ({**tree, "model": {"init_args": {**stage, "train_speech_encoder": True}}}, "no run of row '+ ConRe + SAW'"),
        ({**tree, "model": {"init_args": alone}}, "ConRe's contrastive loss: True and False"),
    ):
        config.write_text(yaml.safe_dump(changed))
        assert main(arguments) == 2
        assert message in capsys.readouterr().err
    assert main(["report", "table", "table4", "--runs", str(tmp_path / "nothing")]) == 2
    assert "table4-beta0" in capsys.readouterr().err


@pytest.mark.slow
def test_what_cannot_be_evaluated_is_refused_by_name(study, tmp_path, capsys):
    run = run_folders(study, "table3-both")[0]
    for arguments, message in (
        (["--faces", "facenet"], "--faces facenet: expected"),
        ([], "--faces must be given"),
        (["--faces", f"network={run / 'nothing'}"], "nothing"),
        (["--faces", "judges", "--clips", "0"], "argument --clips: '0'"),
    ):
        assert status(["evaluate", "run", str(run), "--out", str(tmp_path), *arguments]) == 2
        assert message in capsys.readouterr().err
    assert status(["evaluate", "run", str(tmp_path), "--faces", "judges"]) == 2
    assert "is no finished run, expected networks in" in capsys.readouterr().err


def key_of(picture):
    return picture.name.removesuffix(".portrait.png")


def read_csv(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def png_size(path):
    with Image.open(path) as picture:
        return picture.size


@pytest.mark.slow
def test_priors_of_many_sizes_and_shares_become_figures(study, tmp_path, capsys):
    networks = next((study / "runs" / "conre").iterdir()) / "networks"
    given = [debug("prior"), f"vars.shards={study / 'shards'}", f"vars.conre={networks}"]
    sizes, shares = "prior.faces=[2,4]", "prior.female=[1.0,0.5,0.0]"
    for figure, name, change in (("figure10", "sizes", [sizes]), ("figure11", "genders", [shares, "prior.faces=2"])):
        out, priors = tmp_path / figure, tmp_path / f"priors-{figure}"
        yaml_file = experiment(f"ablations/{figure}/{name}")
        assert main(["prior", yaml_file, *given, *change, "--out", str(priors)]) == 0
        decoder = ["--decoder", str(networks / "face_decoder")]
        assert main(["report", "figure", figure, "--priors", str(priors), "--out", str(out), *decoder]) == 0
        assert min(png_size(out / f"{figure}.png")) > 200
    rows = read_csv(tmp_path / "figure10" / "figure10.csv")
    small, large = (load_network(str(tmp_path / "priors-figure10" / f"n0000{n}-female0.50")).z_p for n in (2, 4))
    assert [row["prior"] for row in rows] == ["2 - 4"]
    assert float(rows[0]["l1"]) == pytest.approx((small - large).abs().sum().item(), rel=1e-5)
    rows = read_csv(tmp_path / "figure11" / "figure11.csv")
    assert [row["prior"] for row in rows] == ["100:0", "50:50", "0:100"]
    assert float(rows[1]["l1"]) == 0.0
    assert float(rows[0]["l1"]) > 0
    out = ["--out", str(tmp_path / "out")]
    assert main(["report", "figure", "figure11", "--priors", str(tmp_path / "priors-figure10" / "none"), *out]) == 2
    assert "0 priors" in capsys.readouterr().err
    assert main(["report", "figure", "figure11", "--priors", str(tmp_path / "priors-figure10"), *out]) == 2
    assert "priors of different n: [2, 4]" in capsys.readouterr().err
    # Of two men and two women, four women cannot be taken: what can is written.
    more = ["prior", experiment("ablations/figure11/genders"), *given, shares, "prior.faces=4"]
    assert main([*more, "--out", str(tmp_path / "some")]) == 2
    message = capsys.readouterr().err
    assert "1 of 3 priors are written" in message
    assert "needs 4 female and 0 male faces, but the data set has 2 female" in message
    assert (tmp_path / "some" / "n00004-female0.50" / "config.json").is_file()


@pytest.mark.slow
def test_the_weights_of_saw_are_drawn(study, tmp_path):
    run = run_folders(study, "table3-both")[0]
    arguments = ["report", "figure", "figure12", "--run", str(run), "--clips", "3", "--out", str(tmp_path)]
    assert main([*arguments, "--json", str(tmp_path / "f.json")]) == 0
    rows = read_csv(tmp_path / "figure12.csv")
    assert len(rows) == 3
    # After two steps of training β is still about 0.01.
    assert all(float(row["mean"]) == pytest.approx(0.01, abs=0.005) for row in rows)
    assert png_size(tmp_path / "figure12.png")[0] > 300
    assert torch.isfinite(torch.tensor([float(row["std"]) for row in rows])).all()


@pytest.mark.slow
def test_portraits_of_several_seeds_are_shown_by_weight_of_the_prior(study, tmp_path, capsys):
    for name in ("table3-both", "table3-conre"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "0").symlink_to(run_folders(study, name)[0])
    arguments = ["report", "figure", "figure3", "--runs", str(tmp_path / "runs"), "--clips", "2", "--seeds", "2"]
    arguments += ["--steps", "2", "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "no finished run of table4-beta0, expected one for β⁰" in capsys.readouterr().err
    (tmp_path / "runs" / "table4-beta0").mkdir()
    (tmp_path / "runs" / "table4-beta0" / "0").symlink_to(run_folders(study, "table3-both")[1])
    assert main(arguments) == 0
    rows = read_csv(tmp_path / "out" / "figure3.csv")
    assert [row["weight"] for row in rows] == ["no prior", "β⁰", "β"] * 2
    assert all(float(row["between seeds"]) > 0 for row in rows)
    # A reference, and two seeds for each of three weights, 96 pixels wide each.
    assert png_size(tmp_path / "out" / "figure3.png")[0] > 7 * 96


@pytest.mark.slow
def test_speakers_are_shown_by_variant(study, tmp_path, capsys):
    for name in ("table3-both", "table3-conre"):
        assert evaluate(run_folders(study, name)[0], tmp_path / "runs" / name / "1234", "--seeds", "1") == 0
    arguments = [
        "report",
        "figure",
        "portraits",
        "--runs",
        str(tmp_path / "runs"),
        "--out",
        str(tmp_path),
        "--clips",
        "3",
    ]
    assert main(arguments) == 0
    width, height = png_size(tmp_path / "portraits.png")
    # Three speakers beside each other; the true face and two variants below each other.
    assert 3 * 96 < width < 4.5 * 96
    assert 3 * 96 < height < 4 * 96
    assert main([*arguments[:4], str(tmp_path / "nothing"), "--out", str(tmp_path)]) == 2
    assert "table3-both" in capsys.readouterr().err
