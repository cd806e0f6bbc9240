"""`s2tf report`: the paper's numbers beside ours."""

import json

import pytest

from s2tf.cli import main
from s2tf.commands.report_parameters import EXPERIMENTS, PAPER


@pytest.mark.slow
def test_both_stages_have_the_papers_parameters_within_five_per_cent(tmp_path, capsys):
    assert main(["report", "parameters", "--json", str(tmp_path / "parameters.json")]) == 0
    assert "640 M" in capsys.readouterr().out
    counts = json.loads((tmp_path / "parameters.json").read_text())
    assert counts.keys() == PAPER.keys()
    for stage, networks in counts.items():
        assert networks["total"] == sum(count for name, count in networks.items() if name != "total")
        assert networks["total"] == pytest.approx(PAPER[stage], rel=0.05)
    # HuBERT-large as it is published.
    assert counts["stage_two"]["speech_features"] == pytest.approx(315e6, rel=0.005)
    wide = [
        "report",
        "parameters",
        "--scfp",
        str(EXPERIMENTS / "scfp_sd15.yaml"),
        "--json",
        str(tmp_path / "wide.json"),
    ]
    assert main(wide) == 0
    assert json.loads((tmp_path / "wide.json").read_text())["stage_one"]["denoiser"] == pytest.approx(860e6, rel=0.005)
