"""The journal: each row once, however the run was ended."""

import os

import pytest

from s2tf.survival.journal import JOURNAL_FILE, Journal, read_journal


def losses(folder):
    return [(row.row, row.step, row.metrics["loss"]) for row in read_journal(folder)]


def write(journal, steps):
    for step in steps:
        journal.write(step, {"loss": step / 2})


def test_rows_behind_the_checkpoint_are_cut_off_and_the_others_told(tmp_path):
    write(Journal(tmp_path), range(5))
    told = []
    journal = Journal(tmp_path)
    journal.followers.append(told.append)
    journal.go_on(3)
    write(journal, range(3, 6))
    assert losses(tmp_path) == [(step, step, step / 2) for step in range(6)]
    assert [row.row for row in told] == list(range(6))


def test_a_row_that_was_cut_off_in_the_middle_is_written_again(tmp_path):
    write(Journal(tmp_path), range(3))
    path = tmp_path / JOURNAL_FILE
    path.write_bytes(path.read_bytes()[:-7])
    assert len(read_journal(tmp_path)) == 2
    journal = Journal(tmp_path)
    journal.go_on(2)
    write(journal, [2])
    assert losses(tmp_path) == [(step, step, step / 2) for step in range(3)]


def fill(path):
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(descriptor, b"0" * 4096)
    finally:
        os.close(descriptor)


def test_rows_wait_where_the_disk_is_full(small_disk, capsys):
    disk = small_disk.folder
    journal = Journal(disk)
    write(journal, range(3))
    with pytest.raises(OSError, match="No space"):
        fill(disk / "filler")
    # More than is left of the page that the file has begun.
    write(journal, range(3, 100))
    assert len(read_journal(disk)) < 100
    assert capsys.readouterr().err == f"{disk / JOURNAL_FILE}: No space left on device: rows wait for room\n"
    (disk / "filler").unlink()
    write(journal, [100])
    assert losses(disk) == [(step, step, step / 2) for step in range(101)]
