"""The journal: each row once, however the run was ended."""

import pytest

from s2tf.fault_tolerance.journal import JOURNAL_FILE, Journal, read_journal


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


@pytest.mark.parametrize(
    "line", [b"\0" * 200 + b"\n", b'{"row": 3, "st\n', b"\xff\xfe\n", b"7\n", b'{"row": 3, "strange": 1}\n']
)
@pytest.mark.parametrize("place", [2, 3])
def test_an_unreadable_line_ends_no_run_and_only_rows_that_are_missed_are_counted(tmp_path, capsys, line, place):
    """Behind the checkpoint's three rows nothing is missed; before, it stands in a row's place."""
    write(Journal(tmp_path), range(4))
    path = tmp_path / JOURNAL_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:place], line, *lines[3:]]))
    journal = Journal(tmp_path)
    journal.go_on(3)
    write(journal, [3])
    assert losses(tmp_path) == [(step, step, step / 2) for step in range(4) if step < place or step == 3]
    assert capsys.readouterr().err == ("" if place == 3 else f"{path}: 1 of 3 rows were lost\n")


def test_a_row_that_stands_there_twice_hides_no_lost_one(tmp_path, capsys):
    write(Journal(tmp_path), range(3))
    path = tmp_path / JOURNAL_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[0] + lines[2])
    Journal(tmp_path).go_on(3)
    assert [row.row for row in read_journal(tmp_path)] == [0, 2]
    assert capsys.readouterr().err == f"{path}: 1 of 3 rows were lost\n"


def test_rows_wait_where_the_disk_is_full(small_disk, capsys):
    disk = small_disk.folder
    journal = Journal(disk)
    write(journal, range(3))
    filler = small_disk.fill()
    # More than is left of the page that the file has begun.
    write(journal, range(3, 100))
    assert len(read_journal(disk)) < 100
    assert capsys.readouterr().err == f"{disk / JOURNAL_FILE}: No space left on device: rows wait for room\n"
    filler.unlink()
    write(journal, [100])
    assert losses(disk) == [(step, step, step / 2) for step in range(101)]
