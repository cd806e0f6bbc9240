"""The skeleton of the stages' evaluations: progress, random weights and the written record."""

import json
from dataclasses import fields

import pytest
import torch

from s2tf.errors import UserError
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.stages.evaluate_run import EVALUATIONS, RunOptions, stage_of
from s2tf.evaluation.stages.stage_run import StageRun
from s2tf.nn.network import Network


class Part(torch.nn.Module):
    is_random = True


class Whole(Network):
    def __init__(self, random: bool = False):
        super().__init__()
        self.inner = torch.nn.Sequential(torch.nn.Identity(), Part() if random else torch.nn.Identity())


def test_a_network_with_a_part_that_was_never_trained_is_named_in_the_record(tmp_path):
    run = StageRun(tmp_path / "conre" / "1234", {}, {"trained": Whole(), "random": Whole(random=True)})
    run = run.with_network("codes", Whole(random=True))
    run.write("alignment", [Measurement("R@1", 0.5, {"clips": 2})], {"clips": 2}, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert record["random_weights"] == ["random", "codes"]
    assert (record["kind"], record["experiment"]) == ("alignment", "conre")


def test_progress_is_reported_once_an_item_is_measured(tmp_path):
    lines = []
    run = StageRun(tmp_path / "conre" / "1234", {}, {}, lines.append)
    for letter in run.each("ab", 2):
        lines.append(letter)
    assert lines == ["a", "conre: 1 of 2 clips", "b", "conre: 2 of 2 clips"]
    run.count(3, what="pairs of people")
    assert lines[-1] == "conre: 3 pairs of people"


def test_a_folder_without_the_network_is_refused(tmp_path):
    with pytest.raises(UserError, match="no finished run of lip_landmarks"):
        StageRun.open(tmp_path, ("lip_landmarks",), "cpu")


def test_every_stage_takes_options_that_exist():
    options = {field.name for field in fields(RunOptions)}
    assert all(evaluation.takes <= options for evaluation in EVALUATIONS.values())


def test_a_run_of_a_stage_without_an_evaluation_is_refused(tmp_path):
    (tmp_path / "networks" / "net").mkdir(parents=True)
    (tmp_path / "networks" / "net" / "config.json").write_text("{}")
    (tmp_path / "config.yaml").write_text("model:\n  class_path: s2tf.stages.lip_sync.LipSyncStage\n")
    with pytest.raises(UserError, match="is a run of LipSyncStage, expected a run of ConReStage, SCFPStage"):
        stage_of(tmp_path)
