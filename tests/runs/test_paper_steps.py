"""Steps of the paper's chain as they compose at the paper's size; none is run."""

import itertools
from pathlib import Path

import pytest

from s2tf.cli import parse
from s2tf.config import find_experiment
from s2tf.runs.chain_file import load_chain, read_variables
from s2tf.runs.chain_yaml import read_chain

CHAIN, CONTROLS = Path("chains/paper.yaml"), Path("chains/paper/controls.yaml")
TRAININGS = ["motion", "motion_plain", "motion_wav2vec"]
VIDEOS = {"voxceleb", "hdtf", "wild", "parts", "features"}
PORTRAITS = 9
"""Steps that measure portraits: the rows of Tables I to VI, each once."""


@pytest.mark.slow
def test_motion_is_trained_on_the_experiments_features_of_whole_recordings(tmp_path):
    settings = [f"{name}=given/{name}" for name, value in read_variables(CHAIN).items() if value == "???"]
    steps = load_chain(CHAIN, settings, tmp_path, to=TRAININGS)
    folders, found = {str(step.folder): step for step in steps}, {step.name: step for step in steps}
    for name in TRAININGS:
        config = found[f"{name}-seed0"].run.config
        assert config["data"]["init_args"]["features"] is True
        weights = config["model"]["init_args"]["speech_features"]["init_args"]["weights"]
        for source in config["data"]["init_args"]["shards"]:
            # Back over the motion codes to the step that stored the features: `features SHARDS --hubert FOLDER`.
            step = folders[source["shards"]]
            while step.arguments[0] != "features":
                step = folders[step.arguments[1]]
            assert weights in step.arguments


def test_generated_videos_and_portraits_are_measured_by_arrays_of_gpus():
    jobs = {entry.name: entry.options["job"] for entry in read_chain(find_experiment(CHAIN, "chain")).entries.values()}
    assert {name.removeprefix("videos_of_") for name in jobs if name.startswith("videos_of_")} == VIDEOS
    assert all(jobs[f"videos_of_{name}"]["gpus"] == 1 and jobs[f"videos_of_{name}"]["parts"] > 1 for name in VIDEOS)
    portraits = [name for name in jobs if name.startswith("portraits_of_")]
    assert len(portraits) == PORTRAITS
    assert all(jobs[name]["gpus"] == 1 and jobs[name]["parts"] > 1 for name in portraits)


@pytest.mark.slow
def test_controls_at_the_papers_size_share_their_first_steps_with_the_paper(tmp_path):
    settings = [f"{name}=given/{name}" for name, value in read_variables(CONTROLS).items() if value == "???"]
    steps = {step.name: step for step in load_chain(CONTROLS, settings, tmp_path)}
    for step in steps.values():
        parse([*step.arguments, *(["--part", "1/2"] if "parts" in step.job else [])])
    runs = {name: steps[f"{name}-seed0"].run for name in ("baseline_unread", "baseline_longer", "motion_wav2vec_large")}
    assert [run.experiment for run in runs.values()] == [
        "table10-baseline_unread",
        "table10-baseline_longer",
        "table11-wav2vec_large",
    ]
    # On the data of the rows beside which they stand, and for as long.
    plain, codebook = (steps[f"{name}-seed0"].run.config for name in ("plain", "codebook"))
    assert runs["baseline_unread"].config["data"] == plain["data"]
    assert runs["baseline_longer"].config["data"]["init_args"]["shards"] == codebook["data"]["init_args"]["shards"]
    assert runs["baseline_longer"].config["trainer"]["max_steps"] == codebook["trainer"]["max_steps"]
    # What the paper's chain has done in this folder is not done again.
    given = [one for one in settings if one.partition("=")[0] in read_variables(CHAIN)]
    more = [f"{name}=given" for name in ("avspeech", "wild")]
    paper = {step.name: step for step in load_chain(CHAIN, [*given, *more], tmp_path, to=["videos_of_parts"])}
    assert {"plain-seed0", "faces_heard", "videos_of_parts-seed0"} <= paper.keys() & steps.keys()
    assert all(paper[name].folder == steps[name].folder for name in paper.keys() & steps.keys())


def pairs_of(words: list[str]) -> list[dict[str, str]]:
    """The networks of each arm: its own, and those that a command gives all of them."""
    names = ("motion-autoencoder", "motion-diffusion")
    shared = {name: words[words.index(f"--{name}") + 1] for name in names if f"--{name}" in words}
    at = [index for index, word in enumerate(words) if word == "--arm"]
    own = [itertools.takewhile(lambda word: "=" in word, words[index + 2 :]) for index in at]
    return [shared | dict(word.split("=", 1) for word in one) for one in own]


@pytest.mark.slow
@pytest.mark.parametrize("chain", ["chains/paper.yaml", "chains/paper/controls.yaml", "chains/talking_faces.yaml"])
def test_each_arm_speaks_by_motion_on_the_codes_of_its_own_encoders(chain, tmp_path):
    """A phase that trains the encoders along has codes of its own: its arm would be refused after hours of training."""
    settings = [f"{name}=given/{name}" for name, value in read_variables(Path(chain)).items() if value == "???"]
    steps = load_chain(Path(chain), settings, tmp_path, seeds=[0])
    runs = {step.result: step for step in steps if step.run is not None}
    folders = {str(step.folder): step for step in steps}
    arms = [step.arguments for step in steps if step.arguments[:2] == ["evaluate", "arms"]]
    pairs = [pair for words in arms for pair in pairs_of(words)]
    assert len(pairs) >= 4
    for pair in pairs:
        shards = runs[pair["motion-diffusion"]].run.config["data"]["init_args"]["shards"]
        step = folders[shards if isinstance(shards, str) else shards[0]["shards"]]
        while step.arguments[0] != "codes":
            step = folders[step.arguments[1]]
        autoencoder = runs[pair["motion-autoencoder"]].run.config
        if pair["motion-autoencoder"] not in " ".join(step.arguments):
            # The later phase of the autoencoder whose codes they are, with the encoders as they were.
            assert autoencoder["model"]["init_args"]["trained"] == ["codebook"]
            assert autoencoder["model"]["init_args"]["autoencoder"]["init_args"]["folder"] in step.arguments
