"""A SLURM of two nodes for the tests of this folder."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLUSTER = Path(__file__).parent / "cluster.sh"


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """The environment in which `srun` finds it."""
    if not shutil.which("slurmctld"):
        pytest.skip("no SLURM here: Debian's slurm-wlm and munge are needed")
    folder = tmp_path_factory.mktemp("slurm")
    subprocess.run([CLUSTER, "start", folder], check=True, timeout=60)
    yield {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    subprocess.run([CLUSTER, "stop", folder], check=True, timeout=60)
