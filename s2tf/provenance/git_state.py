"""State of the code of a run: the commit, and the changes since."""

import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from s2tf.fault_tolerance.atomic_files import atomic_write
from s2tf.fault_tolerance.messages import say

GIT_FILE = "git.json"
"""File in a run folder with the code's state, by `s2tf submit` or `s2tf fit`; `git-2.json` when it has changed."""
CODE = (".py", ".yaml", ".yml")
"""Endings of untracked files whose contents are kept."""
MOST_BYTES = 2**20
"""Limit for all untracked files together."""
DIFF = ("diff", "HEAD", "--binary", "--no-renames", "--no-ext-diff", "--no-color", "--src-prefix=a/", "--dst-prefix=b/")
"""Command whose output does not depend on the user's settings, which may differ in a container."""
PACKAGE = Path(__file__).parent
TIMEOUT = 30
"""Time limit of git in seconds: a file system that does not answer must not stop a training."""
CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")


@dataclass(frozen=True)
class GitState:
    """State of the package's repository; `problem` is the reason if git gives none."""

    commit: str | None = None
    branch: str | None = None
    """Branch; None also on a detached HEAD."""
    remote: str | None = None
    """Address of `origin`, without user and password."""
    dirty: bool = False
    """True if a tracked file differs from the commit, or there are untracked files."""
    untracked: list[str] = field(default_factory=list)
    """All untracked files. The diff contains those of `CODE` in folders that git knows."""
    left_out: list[str] = field(default_factory=list)
    """Largest untracked files of code, which are not in the diff since all together exceed `MOST_BYTES`."""
    problem: str | None = None


@dataclass(frozen=True)
class GitRecord:
    """State of the code now, and the file that records it; None if git gives none now and gave one before."""

    state: GitState
    path: Path | None


def record_git(folder: Path, code: Path = PACKAGE) -> GitRecord:
    """Write the code's state into a run folder, unless it is recorded there; problems of git raise no error.

    The first record is `git.json` and, if files were changed, `git.diff`, which `git apply` takes. A state that differs
    from the record before, such as that of the submission, becomes `git-2.json`, `git-3.json`, ..., with a message.

    Args:
        folder: Run folder.
        code: A folder of the code.
    """
    # The state now, and the newest record.
    state, diff = _look(code)
    folder.mkdir(parents=True, exist_ok=True)
    before = last_record(folder)
    if before is None:
        return _write(folder / GIT_FILE, state, diff)
    known = _read(before)
    # A record of no state is replaced; without a state now, nothing can be compared.
    if known.problem:
        return _write(before, state, diff)
    if state.problem:
        say(f"{before}: it is not known whether the code is still this one: {state.problem}")
        return GitRecord(state, None)
    # The same state needs no other record.
    if (known.commit, known.left_out, _diff_of(before)) == (state.commit, state.left_out, diff):
        return GitRecord(state, before)
    record = _write(next(path for path in _names(folder) if not path.is_file()), state, diff)
    say(f"the code is not that of the submission or start before, which is {before} (and .diff), but {record.path}")
    return record


def last_record(folder: Path) -> Path | None:
    """Find the newest of `git.json`, `git-2.json`, ... in a run folder."""
    written = list(itertools.takewhile(Path.is_file, _names(folder)))
    return written[-1] if written else None


def _names(folder: Path) -> Iterator[Path]:
    first = folder / GIT_FILE
    yield first
    for number in itertools.count(2):
        yield first.with_stem(f"{first.stem}-{number}")


def _read(path: Path) -> GitState:
    try:
        return GitState(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        return GitState(problem=f"{path}: {error}")


def _diff_of(path: Path) -> bytes:
    diff = path.with_suffix(".diff")
    return diff.read_bytes() if diff.is_file() else b""


def _write(path: Path, state: GitState, diff: bytes) -> GitRecord:
    if diff:
        path.with_suffix(".diff").write_bytes(diff)
    else:
        path.with_suffix(".diff").unlink(missing_ok=True)
    atomic_write(path, json.dumps(asdict(state), indent=2) + "\n")
    return GitRecord(state, path)


def _look(code: Path) -> tuple[GitState, bytes]:
    """Ask git for the state of the code and its diff; a problem is part of the state."""
    try:
        # A virtual environment may be in a repository of another project.
        tracked = _git(code, "ls-files").strip()
        commit = _git(code, "rev-parse", "HEAD").decode().strip()
        if not tracked:
            return GitState(problem=f"{code} is in no repository: installed as a package?"), b""
        # The diff also holds new files of code, which git does not know yet.
        top = Path(os.fsdecode(_git(code, "rev-parse", "--show-toplevel").rstrip(b"\n")))
        untracked = _files(_git(top, "ls-files", "-z", "--others", "--exclude-standard"))
        added, left_out = _code_among(untracked, top)
        diff = _diff(top, added)
        branch = _git(code, "rev-parse", "--abbrev-ref", "HEAD").decode().strip()
    except FileNotFoundError as error:
        return GitState(problem="git is not installed" if error.filename == "git" else str(error)), b""
    except subprocess.TimeoutExpired:
        return GitState(problem=f"git took longer than {TIMEOUT} s"), b""
    except (subprocess.CalledProcessError, OSError) as error:
        message = getattr(error, "stderr", None) or str(error).encode()
        return GitState(problem=message.decode(errors="replace").strip().splitlines()[0]), b""
    return GitState(
        commit=commit,
        branch=None if branch == "HEAD" else branch,
        remote=_remote(code),
        dirty=bool(diff or untracked),
        untracked=untracked,
        left_out=left_out,
    ), diff


def _files(names: bytes) -> list[str]:
    return [os.fsdecode(name) for name in names.split(b"\0") if name]


def _code_among(untracked: list[str], top: Path) -> tuple[list[str], list[str]]:
    """Choose untracked files for the diff, the smallest first; returns them, and those that do not fit.

    Folders that git does not know at all are left out: they may be folders of runs, each with a config.
    """
    known = set(_files(_git(top, "ls-tree", "-z", "--name-only", "HEAD")))
    code = [name for name in untracked if name.endswith(CODE) and ("/" not in name or name.split("/")[0] in known)]
    sizes = {name: os.lstat(top / name).st_size for name in code}
    code.sort(key=lambda name: (sizes[name], name))
    total = list(itertools.accumulate(sizes[name] for name in code))
    fitting = sum(one <= MOST_BYTES for one in total)
    return code[:fitting], code[fitting:]


def _diff(top: Path, added: list[str]) -> bytes:
    """Make the diff to the commit; the untracked files `added` are in it as new files."""
    if not added:
        return _git(top, *DIFF)
    with tempfile.TemporaryDirectory() as folder:
        # A copy of the index: the repository's own must not change.
        index = Path(folder, "index")
        shutil.copy(top / os.fsdecode(_git(top, "rev-parse", "--git-path", "index").rstrip(b"\n")), index)
        _git(
            *(top, "add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul"),
            text=b"\0".join(map(os.fsencode, added)),
            index=index,
        )
        return _git(top, *DIFF, index=index)


def _remote(code: Path) -> str | None:
    try:
        return CREDENTIALS.sub("", _git(code, "remote", "get-url", "origin").decode().strip())
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None


def _git(folder: Path, *words: str, text: bytes | None = None, index: Path | None = None) -> bytes:
    command = ["git", "--literal-pathspecs", "-C", str(folder), *words]
    environment = dict(os.environ) | ({"GIT_INDEX_FILE": str(index)} if index else {})
    options: dict[str, Any] = {"capture_output": True, "check": True, "timeout": TIMEOUT, "env": environment}
    return subprocess.run(command, input=text, **options).stdout
