"""The paper's chain runs to its last page at debug width, on miniature trees of the data sets with their known defects.

The steps are forks of a process that has imported everything (`forked_steps`): 60 starts of `s2tf` would take
minutes. Each has its own command line, log and exit status, as when `s2tf chain` starts it.
"""

import json
import tarfile

import pytest
import torch
from forked_steps import fork_steps
from paper_trees import write_networks, write_trees

from s2tf.cli import main
from s2tf.reporting.paper import TABLES
from s2tf.runs.chain_file import load_chain

pytest.importorskip("mediapipe", reason="faces are found by the extra `mediapipe`")
pytestmark = pytest.mark.slow
REHEARSAL = "chains/rehearsal.yaml"
FIGURES = ["figure3", "figure10", "figure11", "figure12", "portraits"]


def damage(shard):
    """Overwrite the pictures of a shard's first clip, as a disk does; returns the clip's key."""
    with tarfile.open(shard) as tar:
        member = next(one for one in tar if one.name.endswith(".frames.mjpeg"))
    with open(shard, "r+b") as file:
        file.seek(member.offset_data)
        file.write(bytes(member.size))
    return member.name.partition(".")[0]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """The report of a finished rehearsal as JSON, the text of its page, the exit status, and the damaged clips."""
    folder = tmp_path_factory.mktemp("paper")
    torch.manual_seed(0)
    settings = [*write_trees(folder / "data").settings(), *write_networks(folder / "networks")]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fork_steps(patch)
        words = ["chain", REHEARSAL, *settings, "--out", "out", "--jobs", "2"]
        # One clip that the trainings read, and one that is measured, are damaged after they were prepared.
        assert main([*words, "--to", "portraits", "--to", "wild_clips"]) == 0
        steps = {step.name: step for step in load_chain(REHEARSAL, settings, folder / "out")}
        damaged = [
            damage(sorted(steps[name].folder.glob(f"{split}-*.tar"))[0])
            for name, split in (("portraits", "train"), ("wild_clips", "test"))
        ]
        status = main(words)
    report = steps["report"].folder
    return json.loads((report / "report.json").read_text()), (report / "report.html").read_text(), status, damaged


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_our_numbers(rehearsal, name):
    report, text, *_ = rehearsal
    assert name not in report["left out"], report["left out"][name]
    ours = [line for line in report["tables"][name]["lines"] if line["source"] == "ours"]
    # Every row of the paper's own system, and each with a number.
    wanted = {row.label for row in TABLES[name].rows if row.runs and not row.optional}
    assert {line["method"] for line in ours} >= wanted
    assert all(any(cell is not None for cell in line["cells"].values()) for line in ours)
    assert f"Table {TABLES[name].number}: " in text


def test_the_figures_are_on_the_page(rehearsal):
    report, text, *_ = rehearsal
    assert report["figures"] == FIGURES, report["left out"]
    assert text.count('src="data:image/png') >= len(FIGURES)


def test_what_is_broken_is_named_and_holds_nothing_up(rehearsal):
    report, text, status, (trained, measured) = rehearsal
    # Every step has a result; a part is missing from the one that measures the damaged clip, and so from the page.
    assert status == 3
    partial = {name for name, end in report["steps"].items() if end["state"] != "done"}
    assert partial == {"videos_of_wild-seed0"}
    assert any(measured in reason for reason in report["steps"]["videos_of_wild-seed0"]["reasons"])
    # What the trainings passed over.
    for name in ("conre-seed0", "prior-seed0", "scfp-seed0"):
        assert trained in " ".join(report["steps"][name]["reasons"])
    # Recordings that could not be prepared, by data set and reason.
    expected = {
        "avspeech_clips": ("absent00000", "small000000", "broken00000"),
        "voxceleb_clips": ("id10001-vvvvvvvvvvv-00009",),
        "talking": ("Absent", "Small", "Broken"),
        "sharp": ("video000004",),
        "wild_clips": ("broken",),
    }
    for name, clips in expected.items():
        reasons = " ".join(report["steps"][name]["reasons"])
        assert all(clip in reasons for clip in clips), (name, reasons)
        assert name in text
    assert "7 left out, absent: " in " ".join(report["steps"]["avspeech_clips"]["reasons"])


def test_random_weights_are_said(rehearsal):
    report, text, *_ = rehearsal
    assert "RANDOM WEIGHTS" in text
    assert any("RANDOM WEIGHTS" in note for note in report["tables"]["table8"]["notes"])
