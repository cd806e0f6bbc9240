"""Checkpoint files: whole ones are found, and a full disk costs none."""

import os

import pytest
import torch

from s2tf.errors import UserError
from s2tf.fault_tolerance.checkpoint_files import CheckpointFiles
from s2tf.fault_tolerance.checkpoints import Found, find_checkpoint, move_broken_away


def save(folder, step, numbers=1000, files=None):
    files = files or CheckpointFiles()
    files.save_checkpoint({"global_step": step, "state_dict": {"w": torch.randn(numbers)}}, folder / "last.ckpt")
    return files


def step_of(path):
    return torch.load(path, weights_only=True)["global_step"]


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_the_newest_is_found_and_the_one_before_is_kept(tmp_path):
    assert find_checkpoint(tmp_path) == Found(None)
    for step in (1, 2, 3):
        save(tmp_path, step)
    assert step_of(find_checkpoint(tmp_path).path) == 3
    assert step_of(tmp_path / "before_last.ckpt") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before_last.ckpt", "last.ckpt"]


def test_a_cut_checkpoint_is_named_and_the_one_before_is_used_until_there_is_a_new_one(tmp_path):
    for step in (1, 2):
        save(tmp_path, step)
    cut_in_half(tmp_path / "last.ckpt")
    found = find_checkpoint(tmp_path)
    assert step_of(found.path) == 1
    assert "last.ckpt: not complete" in found.broken
    move_broken_away(tmp_path)
    save(tmp_path, 3)
    assert step_of(find_checkpoint(tmp_path).path) == 3
    # The cut one has not pushed out the good one.
    cut_in_half(tmp_path / "last.ckpt")
    assert step_of(find_checkpoint(tmp_path).path) == 1


def test_a_kill_between_the_two_renames_leaves_the_one_before(tmp_path):
    for step in (1, 2):
        save(tmp_path, step)
    (tmp_path / "last.ckpt").unlink()
    assert step_of(find_checkpoint(tmp_path).path) == 1


def test_where_none_is_whole_nothing_begins_anew_unasked(tmp_path):
    for step in (1, 2):
        save(tmp_path, step)
    for name in ("last.ckpt", "before_last.ckpt"):
        cut_in_half(tmp_path / name)
    with pytest.raises(UserError, match=r"no checkpoint can be read: .*last\.ckpt.*before_last\.ckpt"):
        find_checkpoint(tmp_path)


def test_a_full_disk_leaves_the_last_checkpoint_and_is_said(small_disk, capsys):
    disk = small_disk.folder
    files = save(disk, 1)
    save(disk, 2, 3_000_000, files)
    assert files.failure.endswith("last.ckpt: step 2 could not be saved: No space left on device")
    assert files.failure in capsys.readouterr().err
    assert [path.name for path in disk.iterdir()] == ["last.ckpt"]
    assert step_of(find_checkpoint(disk).path) == 1
    save(disk, 3, files=files)
    assert files.failure is None
    assert step_of(find_checkpoint(disk).path) == 3


class Malicious:
    """Runs a command where it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


def test_a_checkpoint_is_refused_that_would_run_something(tmp_path):
    torch.save({"global_step": 1, "callbacks": Malicious(tmp_path / "ran")}, tmp_path / "last.ckpt")
    for weights_only in (True, False, None):
        with pytest.raises(UserError, match=r"last\.ckpt: refused, since it holds \w+\.system: .* nothing .* was run"):
            CheckpointFiles().load_checkpoint(tmp_path / "last.ckpt", weights_only=weights_only)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_that_would_be_refused_is_not_written(tmp_path):
    save(tmp_path, 1)
    with pytest.raises(TypeError, match=r"last\.ckpt: not written, .* holds pathlib\.[\w.]+, expected tensors"):
        CheckpointFiles().save_checkpoint({"global_step": 2, "callbacks": {"path": tmp_path}}, tmp_path / "last.ckpt")
    assert step_of(tmp_path / "last.ckpt") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
