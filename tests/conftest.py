"""Shared fixtures: slow tests are opt-in, every test starts from the same seed, and threads are few."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

# Before torch is loaded: see `s2tf.cli`.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Every worker has a core.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
import torch

os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well")


def pytest_xdist_auto_num_workers(config):
    """Run single files and tests in this process, which starts at once and can be debugged; all else on all cores."""
    named = [word for word in config.args if "::" in word or word.endswith(".py")]
    return 0 if config.option.keyword or named else os.cpu_count()


def pytest_collection_modifyitems(config, items):
    if not torch.cuda.is_available():
        reason = "needs a GPU: torch.cuda.is_available() is False here"
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))
    if config.getoption("--slow") or config.getoption("-m"):
        return
    selected = [item for item in items if not item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("slow")])
    items[:] = selected


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _environment():
    """Libraries leave variables behind, which the programs that a later test starts would be handed."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


class SmallDisk:
    """A disk of its own below a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()

    def mount(self, options: str) -> None:
        """Mount it, or mount it anew with other options; a skip where that is not allowed."""
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            pytest.skip(f"a small disk needs the right to mount (root): {result.stderr.strip()}")

    def resize(self, size: int) -> None:
        """Give it so many bytes."""
        self.mount(f"remount,size={size}")

    def fill(self) -> Path:
        """Leave no room; returns the file that takes it."""
        path = self.folder / "filler"
        with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"0" * 4096)
        return path


@pytest.fixture
def small_disk(tmp_path):
    """A disk of four MiB, which is soon full."""
    disk = SmallDisk(tmp_path / "disk")
    disk.mount("size=4m")
    yield disk
    subprocess.run(["umount", str(disk.folder)], check=True)


@pytest.fixture(scope="session")
def clips_folder() -> Path:
    """The folder of real recordings, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("S2TF_CLIPS", Path(__file__).parents[2] / "shared" / "clips"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings: set S2TF_CLIPS, or put them into {folder}")
    return folder
