"""A disk of four MiB."""

import subprocess

import pytest


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own, which is soon full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    result = subprocess.run(mount, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip(f"a small disk needs the right to mount (root): {result.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
