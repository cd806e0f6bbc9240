"""The chain of the pipeline that ships, at debug width: from nothing to a pipeline folder with its card."""

import json
from pathlib import Path

import pytest
from forked_steps import fork_steps
from packaged_files import judges_stand_in

import s2tf
from s2tf.cli import main
from s2tf.runs.chain_file import load_chain

pytestmark = pytest.mark.slow
DEBUG = """
base: chains/shipped.yaml
vars:
  {speakers: 8, val: 0.25, test: 0.25, seconds: 3, size: 64, unseen: 3, unseen_seconds: 2, portrait_steps: 1,
  conre_steps: 2, scfp_steps: 2, autoencoder_steps: 2, lip_steps: 2, motion_steps: 2}
change:
  shards: --workers 1
  unseen_speakers: --workers 1
  conre: +debug/conre.yaml data.init_args.num_workers=0
  prior: +debug/prior.yaml data.init_args.num_workers=0
  scfp: +debug/scfp.yaml data.init_args.num_workers=0
  autoencoder: >-
    +debug/motion_autoencoder.yaml model.init_args.autoencoder.init_args.codebook=null data.init_args.num_workers=0
  lips: data.init_args.num_workers=0
  motion: +debug/motion_diffusion.yaml data.init_args.num_workers=0
  score_scfp: --steps 2 --varied 0
  score_motion: --steps 2
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """The words that start the chain, and the folder of its pipeline once it has ended."""
    folder = tmp_path_factory.mktemp("shipped")
    (folder / "debug.yaml").write_text(DEBUG)
    words = ["chain", str(folder / "debug.yaml"), "--out", str(folder / "out"), "--jobs", "2"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in judges_stand_in(folder / "packaged").items():
            patch.setenv(name, value)
        fork_steps(patch)
        assert main(words) == 0
    steps = {step.name: step for step in load_chain(folder / "debug.yaml", [], folder / "out")}
    return words, Path(steps["pipeline-seed0"].result) / "speech_to_talking_face"


def test_the_pipeline_is_stored_at_half_precision_and_opens(chain):
    _, pipeline = chain
    assert json.loads((pipeline / "model_index.json").read_text())["precision"] == 16
    assert s2tf.load_pipeline(pipeline).random_weights == ()
    assert {path.name for path in pipeline.iterdir() if path.is_file()} == {"model_index.json", "MODEL_CARD.md"}


def test_the_card_has_the_data_the_trainings_and_the_numbers_beside_their_baselines(chain):
    _, pipeline = chain
    rows = [line.split(" | ") for line in (pipeline / "MODEL_CARD.md").read_text().splitlines() if line[:2] == "| "]
    table = {row[0].removeprefix("| "): row[1:] for row in rows}
    assert table["train"][:2] == ["4", "4"]
    for stage in ("conre", "scfp", "motion_autoencoder", "lip_landmarks", "motion_diffusion"):
        assert table[f"demo-{stage}"][1:3] == ["2", "0"]
    assert table["portrait retrieval R@1"][1] == "0.3333 (chance)"
    assert "wrong speech" in table["mouth opening correlation"][1]
    names = {"portrait gender accuracy", "blinks per minute", "head spectrum's difference, of the true power"}
    assert names <= set(table)


def test_the_same_command_does_nothing_twice(chain, capsys):
    words, _ = chain
    assert main(words) == 0
    assert "begins" not in capsys.readouterr().out
