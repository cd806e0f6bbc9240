"""What a run folder says about the code that made it."""

import json
import subprocess

import pytest

from s2tf.provenance import git_state as provenance
from s2tf.provenance.git_state import last_record, record_git


def git(folder, *words):
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def code(tmp_path):
    """A repository with a package in it."""
    package = tmp_path / "repository" / "package"
    package.mkdir(parents=True)
    (package / "one.py").write_text("x = 1\n")
    git(package.parent, "init", "-b", "main")
    git(package.parent, "add", "-A")
    git(package.parent, "commit", "-m", "one")
    return package


def test_a_clean_state_has_a_commit_and_no_diff(code, tmp_path):
    git(code, "remote", "add", "origin", "https://somebody:secret@example.com/us/s2tf.git")
    state = record_git(tmp_path / "run", code).state
    assert (state.branch, state.dirty, state.problem) == ("main", False, None)
    assert len(state.commit) == 40
    written = (tmp_path / "run" / "git.json").read_text()
    assert json.loads(written)["remote"] == "https://example.com/us/s2tf.git"
    assert "secret" not in written
    assert not (tmp_path / "run" / "git.diff").exists()


def clean(code):
    git(code, "reset", "--hard")
    git(code, "clean", "-fd", ".")


def test_the_diff_gives_the_code_back(code, tmp_path):
    """Files that git does not know, and those that it has been told of, too; the index stays as it is."""
    (code / "one.py").write_text("x = 2\n")
    new = {"new.py": "y = 1\n", "empty.py": "", "deeper/a b [c] ä.yaml": "z: 1", "staged.py": "s = 1\n"}
    (code / "deeper").mkdir()
    for name, text in new.items():
        (code / name).write_text(text)
    (code / "notes.txt").write_text("not code")
    # Of a run, say: no code either.
    (code.parent / "runs").mkdir()
    (code.parent / "runs" / "config.yaml").write_text("x: 1\n")
    git(code, "add", "staged.py")
    # A user's taste is not the record's.
    git(code, "config", "diff.noprefix", "true")
    status = ["git", "-C", str(code), "status", "--porcelain"]
    before = subprocess.run(status, check=True, capture_output=True).stdout
    state = record_git(tmp_path / "run", code).state
    assert subprocess.run(status, check=True, capture_output=True).stdout == before
    assert (state.dirty, state.left_out) == (True, [])
    names = ["deeper/a b [c] ä.yaml", "empty.py", "new.py", "notes.txt"]
    assert state.untracked == [*(f"package/{name}" for name in names), "runs/config.yaml"]
    clean(code)
    git(code.parent, "apply", str(tmp_path / "run" / "git.diff"))
    assert {name: (code / name).read_text() for name in new} == new
    assert (code / "one.py").read_text() == "x = 2\n"
    assert not (code / "notes.txt").exists()


def test_what_is_too_large_for_the_diff_is_named(code, tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "MOST_BYTES", 100)
    for name, size in (("large", 90), ("small", 20), ("smaller", 10)):
        (code / f"{name}.py").write_text("#" * size)
    assert record_git(tmp_path, code).state.left_out == ["package/large.py"]
    diff = (tmp_path / "git.diff").read_text()
    assert "small.py" in diff
    assert "smaller.py" in diff
    assert "large.py" not in diff


def test_code_that_is_not_the_submitted_one_is_said_once_and_all_of_it_is_kept(code, tmp_path, capsys):
    run = tmp_path / "run"
    submitted = record_git(run, code)
    assert record_git(run, code) == submitted
    assert capsys.readouterr().err == ""
    (code / "one.py").write_text("x = 2\n")
    for _ in range(2):
        assert record_git(run, code).path == run / "git-2.json"
    assert capsys.readouterr().err == (
        f"the code is not that of the submission or start before, which is {run / 'git.json'} (and .diff), "
        f"but {run / 'git-2.json'}\n"
    )
    assert not json.loads((run / "git.json").read_text())["dirty"]
    assert not (run / "git.diff").exists()
    assert b"+x = 2" in (run / "git-2.diff").read_bytes()
    # The same commit and the same names of files, but other contents.
    (code / "new.py").write_text("y = 1\n")
    record_git(run, code)
    (code / "new.py").write_text("y = 2\n")
    record_git(run, code)
    clean(code)
    record_git(run, code)
    assert b"+y = 1" in (run / "git-3.diff").read_bytes()
    assert b"+y = 2" in (run / "git-4.diff").read_bytes()
    assert last_record(run) == run / "git-5.json"
    assert json.loads((run / "git-5.json").read_text()) == json.loads((run / "git.json").read_text())
    git(code, "commit", "--allow-empty", "-m", "two")
    assert record_git(run, code).path == run / "git-6.json"


def test_where_git_knows_nothing_it_is_said_and_nothing_fails(code, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    assert "not a git repository" in record_git(run, tmp_path).state.problem
    (code.parent / ".gitignore").write_text("venv\n")
    (code.parent / "venv").mkdir()
    assert "is in no repository" in record_git(run, code.parent / "venv").state.problem
    known = record_git(run, code)
    assert known.path == run / "git.json"
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    record = record_git(run, code)
    assert (record.state.problem, record.path) == ("git is not installed", None)
    assert json.loads((run / "git.json").read_text())["commit"] == known.state.commit
    said = f"{run / 'git.json'}: it is not known whether the code is still this one: git is not installed\n"
    assert capsys.readouterr().err == said
