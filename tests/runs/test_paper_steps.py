"""Steps of the paper's chain as they compose at the paper's size; none is run."""

from pathlib import Path

import pytest

from s2tf.config import find_experiment
from s2tf.runs.chain_file import load_chain, read_variables
from s2tf.runs.chain_yaml import read_chain

CHAIN = Path("chains/paper.yaml")
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
