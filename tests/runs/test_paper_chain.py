"""The paper's chain runs to its last page at debug width, on miniature trees of the data sets with their known defects.

The steps are forks of a process that has imported everything (`forked_steps`): 60 starts of `s2tf` import torch for
five minutes. Each has its own command line, log and exit status, as when `s2tf chain` starts it.
"""

import json
import os

import pytest
import torch
from forked_steps import fork_steps
from paper_trees import write_classifiers, write_trees

from s2tf.cli import main
from s2tf.reporting.paper import TABLES
from s2tf.runs.chain_file import load_chain

pytest.importorskip("mediapipe", reason="faces are found by the extra `mediapipe`")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("S2TF_REHEARSAL" not in os.environ, reason="takes long: set S2TF_REHEARSAL=1"),
]
REHEARSAL = "chains/rehearsal.yaml"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of a finished rehearsal as JSON, the text of its page, and the exit status of the chain."""
    folder = tmp_path_factory.mktemp("paper")
    torch.manual_seed(0)
    settings = [*write_trees(folder / "data").settings(), f"attributes={write_classifiers(folder / 'classifiers')}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fork_steps(patch)
        words = ["chain", REHEARSAL, *settings, "--out", str(folder / "out"), "--jobs", "2"]
        status = main(words)
        report = load_chain(REHEARSAL, settings, folder / "out", to=["report"])[-1]
    written = report.folder / "report.html"
    return json.loads((report.folder / "report.json").read_text()), written.read_text(), status


def numbers_of(table):
    """The numbers of our own lines, by label."""
    ours = [line for line in table["lines"] if line["source"] == "ours"]
    return {line["label"]: [cell for cell in line["cells"] if cell is not None] for line in ours}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_its_numbers(page, name):
    report, text, _ = page
    assert name not in report["left out"], report["left out"][name]
    assert all(numbers_of(report["tables"][name]).values())
    assert f"Table {TABLES[name].number}: " in text
