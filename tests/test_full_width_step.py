"""One training step of a stage at the paper's size, each alone in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_shards import tiny_shards

SCRIPT = Path(__file__).parent / "support" / "full_width_step.py"
TRAINED = {"scfp": 695, "syncnet": 60}
"""Trained tensors of the stages whose step takes less than two minutes of a CPU and 16 GiB."""
ON_A_GPU = ("conre", "motion_autoencoder", "codebook", "scfp_sd15")
"""Larger ones; those of the second stage are also computed without values by test_step_memory.py."""
LIMIT = 16 * 2**30


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return tiny_shards(tmp_path_factory.mktemp("full") / "shards", people=3, seconds=2.0, size=512)


def step(name: str, shards: Path, device: str) -> dict[str, object]:
    """What a step took."""
    command = [sys.executable, str(SCRIPT), name, str(shards), device]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, cwd=shards.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_a_step_at_full_width_trains_within_memory(name, shards):
    found = step(name, shards, "cpu")
    assert found["peak"] < LIMIT
    assert found["loss"] == found["loss"]
    # Every tensor moves, also those behind layers that start at zero.
    assert (found["still"], found["trained"]) == ([], TRAINED[name])


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.parametrize("name", ON_A_GPU)
def test_a_larger_step_at_full_width_trains(name, shards):
    found = step(name, shards, "gpu")
    assert found["loss"] == found["loss"]
    assert len(found["still"]) < found["trained"]
