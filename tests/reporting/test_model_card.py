"""A model card is filled from files: what is not in them is not in the card."""

import json

import pytest
from small_pipelines import small_portrait_pipeline

from s2tf.errors import UserError
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.scores import Scores
from s2tf.reporting.model_card import CardSources, write_card
from s2tf.runs.training_record import training_record

PROTOCOL = {"how": "by a test"}


@pytest.fixture
def run(tmp_path):
    """A run that was killed once, then trained for two minutes."""
    folder = tmp_path / "runs" / "conre" / "0123abcd"
    (folder / "networks" / "speech_encoder").mkdir(parents=True)
    (folder / "networks" / "speech_encoder" / "config.json").write_text("{}")
    (folder / "config.yaml").write_text("model: {class_path: s2tf.stages.conre.ConReStage}\nseed_everything: 7\n")
    events = [("start", 0, {}), ("start", 500, {}), ("end", 620, {"step": 40, "status": "finished"})]
    lines = [json.dumps({"event": event, "time": time, **facts}) for event, time, facts in events]
    (folder / "attempts.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "git.json").write_text(json.dumps({"commit": "c4e9b2c5356f0011", "dirty": True}))
    return folder


@pytest.fixture
def pipeline(tmp_path):
    small_portrait_pipeline().save_pretrained(tmp_path / "pipeline", precision=16)
    return tmp_path / "pipeline"


def test_the_record_of_a_run_has_its_steps_time_seed_and_code(run):
    found = training_record(run)
    assert (found.experiment, found.stage, found.seed, found.steps) == ("conre", "ConReStage", 7, 40)
    assert (found.seconds, found.attempts, found.commit, found.changed) == (120, 2, "c4e9b2c5356f0011", True)
    assert found.splits == {}


def test_a_card_has_the_trainings_the_networks_and_the_numbers_beside_their_baselines(run, pipeline, tmp_path):
    numbers = [
        Measurement("R@1", 0.25, PROTOCOL, 0.03125, "chance", 0.97, target=0.5, target_rule="given"),
        Measurement("undefined", float("nan"), PROTOCOL),
        Measurement("PSNR, mean code", 1.0, PROTOCOL),
    ]
    Scores("run", "conre", numbers, {"clips": 32}, [], {"FID": "no weights"}).write(tmp_path / "scores")
    card = write_card(CardSources(pipeline, [run], [tmp_path / "scores"]))
    text = card.read_text()
    assert card == pipeline / "MODEL_CARD.md"
    assert "| conre | ConReStage | 40 | 7 | 2.0 | c4e9b2c5356f and changes |" in text
    assert "| R@1 | 0.2500 | 0.03125 (chance) | 0.9700 | 0.5000 (given) | no |" in text
    assert "| undefined | not a number |  |  |  |  |" in text
    assert "PSNR, mean code" not in text
    assert "- Not computed: FID: no weights" in text
    assert "Stored with 16 bits a parameter" in text
    assert "**Never trained: " not in text or json.loads((pipeline / "model_index.json").read_text())["random_weights"]
    for heading in ("Data", "Training", "Measurements", "Limits", "Licence", "What it must not be used for"):
        assert f"## {heading}\n" in text


def test_a_card_without_runs_and_scores_claims_none(pipeline):
    text = write_card(CardSources(pipeline)).read_text()
    assert text.count("Not recorded.") == 2
    assert "\nNone.\n" in text


def test_what_a_card_cannot_be_filled_from_is_named(pipeline, tmp_path):
    (tmp_path / "metrics.json").write_text('{"numbers": 1}')
    with pytest.raises(UserError, match=r"metrics\.json: 'measurements': expected the metrics\.json of an evaluation"):
        write_card(CardSources(pipeline, scores=[tmp_path / "metrics.json"]))
    with pytest.raises(UserError, match="is no finished run"):
        write_card(CardSources(pipeline, runs=[tmp_path]))
    (tmp_path / "card.md").write_text("$dta")
    with pytest.raises(UserError, match=r"card\.md: unknown name or a single \$: 'dta', expected \$summary, \$data"):
        write_card(CardSources(pipeline, template=tmp_path / "card.md"))
    assert not (pipeline / "MODEL_CARD.md").exists()
