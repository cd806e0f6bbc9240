"""Hints of Lightning that a user need not act on stay out of the output of a fit."""

import subprocess
import sys

import pytest
from tiny_shards import tiny_shards


@pytest.mark.slow
def test_a_fit_prints_its_own_lines_and_no_hints(tmp_path):
    shards = tiny_shards(tmp_path / "shards")
    words = ["fit", "conre.yaml", "+debug/conre.yaml", f"vars.shards={shards}", "trainer.max_steps=1"]
    command = [sys.executable, "-m", "s2tf.cli", *words, "--runs", str(tmp_path / "runs")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    printed = result.stdout + result.stderr
    assert "run folder: " in printed
    hints = ("litlogger", "weights_only", "LeafSpec", "srun", "eval mode")
    assert [hint for hint in hints if hint in printed] == []
