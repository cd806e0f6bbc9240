"""What a run folder says about the code that made it."""

import json
import subprocess

import pytest

from s2tf.provenance import record_git


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
    state = record_git(tmp_path / "run", code)
    assert (state.branch, state.dirty, state.problem) == ("main", False, None)
    assert len(state.commit) == 40
    written = (tmp_path / "run" / "git.json").read_text()
    assert json.loads(written)["remote"] == "https://example.com/us/s2tf.git"
    assert "secret" not in written
    assert not (tmp_path / "run" / "git.diff").exists()


def test_the_diff_gives_the_code_back(code, tmp_path):
    (code / "one.py").write_text("x = 2\n")
    (code / "new.py").write_text("")
    state = record_git(tmp_path / "run", code)
    assert state.dirty
    assert state.untracked == ["package/new.py"]
    git(code, "checkout", "--", ".")
    git(code.parent, "apply", str(tmp_path / "run" / "git.diff"))
    assert (code / "one.py").read_text() == "x = 2\n"
    git(code, "checkout", "--", ".")
    record_git(tmp_path / "run", code)
    assert not (tmp_path / "run" / "git.diff").exists()


def test_where_git_knows_nothing_it_is_said_and_nothing_fails(code, tmp_path, monkeypatch):
    assert "not a git repository" in record_git(tmp_path / "run", tmp_path).problem
    (code.parent / ".gitignore").write_text("venv\n")
    (code.parent / "venv").mkdir()
    assert "is in no repository" in record_git(tmp_path / "run", code.parent / "venv").problem
    monkeypatch.setenv("PATH", str(tmp_path))
    assert record_git(tmp_path / "run", code).problem == "git is not installed"
