"""A real SLURM of two nodes for the session, and jobs that find this checkout's s2tf."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("cluster.sh")
ROOT = Path(__file__).parents[2]


def cluster(*words):
    # Into no pipe: the daemons would hold it open.
    subprocess.run([str(SCRIPT), *map(str, words)], check=True, timeout=90, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """The folder of a running cluster, whose commands work in this process and in those that it starts."""
    missing = [name for name in ("slurmctld", "slurmd", "sbatch", "munged") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not found: apt-get install slurm-wlm munge")
    folder = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        try:
            cluster("start", folder)
            yield folder
        finally:
            cluster("stop", folder)
