"""Steps of a chain as forks of one process that has imported everything: a start of `s2tf` costs seconds of imports.

Each step is still a process of its own, with its own command line, log, environment and exit status.
"""

import multiprocessing
import os
import subprocess
import sys
import traceback
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import SimpleNamespace

from s2tf.runs import chain_runner

PRELOADED = ["forked_modules"]


class _Process:
    """A fork with the methods of `subprocess.Popen` that the runner uses."""

    def __init__(self, process: ForkServerProcess):
        self.process = process

    def poll(self) -> int | None:
        return self.process.exitcode

    def terminate(self) -> None:
        self.process.terminate()

    def wait(self) -> int | None:
        self.process.join()
        return self.process.exitcode


def open_forks(monkeypatch):
    """Start commands as forks; returns a function of words, log and environment that starts one, with its process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    # The server is started with these.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(dict.fromkeys([str(Path(__file__).parent), *sys.path])))

    def start(words: list[str], log: str, env: dict[str, str]) -> _Process:
        process = context.Process(target=_run, args=(words, log, env))
        process.start()
        return _Process(process)

    return start


def fork_steps(monkeypatch) -> None:
    """Let `s2tf chain` in this process start its steps as forks."""
    start = open_forks(monkeypatch)

    def popen(command, stdout, stderr, env):
        return start(command[3:], stdout.name, env)

    # In the place of the module that the runner sees, not of the class that all see.
    monkeypatch.setattr(chain_runner, "subprocess", SimpleNamespace(Popen=popen, STDOUT=subprocess.STDOUT))


def _run(arguments: list[str], log: str, env: dict[str, str]) -> None:
    """Run a command line in this process, with the log in the place of both outputs."""
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(env)
    from s2tf.cli import main

    try:
        status = main(arguments)
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)
