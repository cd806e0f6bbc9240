"""Which code a run was made by: the commit, and what was changed since."""

import json
import re
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

from s2tf.survival.aside import write_aside

GIT_FILE, DIFF_FILE = "git.json", "git.diff"
PACKAGE = Path(__file__).parent
TIMEOUT = 30
"""Seconds that git may take: a hanging file system shall not hold up a training."""
CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")


@dataclass(frozen=True)
class GitState:
    """What git says about the package's folder; `problem` says why, where it says nothing."""

    commit: str | None = None
    branch: str | None = None
    """None on a detached HEAD, too."""
    remote: str | None = None
    """The address of `origin`, without user and password."""
    dirty: bool = False
    """Whether any tracked file differs from the commit, or files are there that git does not know."""
    untracked: list[str] = field(default_factory=list)
    problem: str | None = None


def record_git(folder: Path, code: Path = PACKAGE) -> GitState:
    """Write `git.json` and, where a tracked file was changed, `git.diff` into a run folder; never fails for git's sake.

    What git said before, such as where the run was submitted, stays where it says nothing now, as in a container.

    Args:
        folder: that of the run.
        code: a folder of the code in question.
    """
    state, diff = _look(code)
    folder.mkdir(parents=True, exist_ok=True)
    if state.problem and _is_known(folder):
        return state
    write_aside(folder / GIT_FILE, json.dumps(asdict(state), indent=2) + "\n")
    if diff:
        (folder / DIFF_FILE).write_bytes(diff)
    else:
        (folder / DIFF_FILE).unlink(missing_ok=True)
    return state


def _is_known(folder: Path) -> bool:
    path = folder / GIT_FILE
    return path.is_file() and not json.loads(path.read_text())["problem"]


def _look(code: Path) -> tuple[GitState, bytes]:
    try:
        # A virtual environment may lie in a repository that has nothing to do with what is installed in it.
        tracked = _git(code, "ls-files").strip()
        commit = _git(code, "rev-parse", "HEAD").decode().strip()
        if not tracked:
            return GitState(problem=f"{code} is in no repository: installed as a package?"), b""
        top = Path(_git(code, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
        diff = _git(top, "diff", "HEAD", "--binary")
        untracked = _git(top, "ls-files", "--others", "--exclude-standard").decode(errors="replace").splitlines()
        branch = _git(code, "rev-parse", "--abbrev-ref", "HEAD").decode().strip()
    except FileNotFoundError:
        return GitState(problem="git is not installed"), b""
    except subprocess.TimeoutExpired:
        return GitState(problem=f"git took longer than {TIMEOUT} s"), b""
    except (subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        return GitState(problem=said.decode(errors="replace").strip().splitlines()[0]), b""
    return GitState(
        commit=commit,
        branch=None if branch == "HEAD" else branch,
        remote=_remote(code),
        dirty=bool(diff or untracked),
        untracked=untracked,
    ), diff


def _remote(code: Path) -> str | None:
    try:
        return CREDENTIALS.sub("", _git(code, "remote", "get-url", "origin").decode().strip())
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def _git(folder: Path, *words: str) -> bytes:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT).stdout
