"""W&B's run of a journal, offline, read back with W&B's own reader; its processes are killed for real."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from s2tf.loggers.wandb_files import find_files, history, records, wait_until_quiet
from s2tf.loggers.wandb_run import WandbRun

LOG = """
import os, signal, sys, threading, time
from pathlib import Path
from s2tf.loggers.wandb_run import WandbRun
from s2tf.fault_tolerance.journal import Journal

folder, first, last, end = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
(folder / "samples").mkdir(exist_ok=True)

def end_core():
    # W&B's process, as soon as there is one; others may have ended in between.
    while True:
        for path in Path("/proc/self/task").glob("*/children"):
            for child in path.read_text().split():
                try:
                    ours = Path(f"/proc/{child}/comm").read_text() == "wandb-core\\n"
                except OSError:
                    continue
                if ours:
                    return os.kill(int(child), signal.SIGTERM)
        time.sleep(0.001)

if end == "starting":
    threading.Thread(target=end_core).start()
logger = WandbRun(project="s2tf", id="run1", save_dir=str(folder), offline=end != "online")
journal = Journal(folder)
logger.follow(journal)
journal.go_on(first)
for step in range(first, last):
    journal.write(step, {"loss": step / 2})
if end == "alone":
    # As SLURM does to all processes of a job, of which W&B's ends by it.
    end_core()
    time.sleep(1)
    for step in range(last, last + 5):
        journal.write(step, {"loss": step / 2})
if end == "kill":
    # The whole job: W&B's own process too.
    os.killpg(0, signal.SIGKILL)
print(logger.page)
logger.end("interrupted" if end == "interrupted" else "finished")
"""


def log(folder, first, last, end, **environment):
    return subprocess.run(
        [sys.executable, "-c", LOG, str(folder), str(first), str(last), end],
        env={**os.environ, "WANDB_SILENT": "false", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
        check=False,
    )


def rows(folder):
    for path in find_files(folder, "run1"):
        wait_until_quiet(path)
    found = []
    for path in find_files(folder, "run1"):
        try:
            for record in records(path):
                if record.HasField("history"):
                    found.append(history(record))
        except Exception:
            # The end of a killed process's file is missing.
            continue
    return [(row["_step"], row["trainer/global_step"], row["loss"]) for row in found]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["kill", "interrupted", "alone"])
def test_each_row_is_there_once_over_a_restart(tmp_path, end):
    first = log(tmp_path, 0, 40, end)
    assert first.returncode == (-9 if end == "kill" else 0), first.stderr
    assert ("W&B's process has ended" in first.stderr) == (end == "alone")
    second = log(tmp_path, 25, 60, "finished")
    assert second.returncode == 0, second.stderr
    assert len(find_files(tmp_path, "run1")) == 2
    assert rows(tmp_path) == [(step, step, step / 2) for step in range(60)]


@pytest.mark.slow
def test_a_run_has_a_process_of_w_and_b_s_of_its_own(tmp_path):
    # Another program's, which it hands on in the environment and which is gone.
    result = log(tmp_path, 0, 5, "finished", WANDB_SERVICE="3-1-unix-/gone/socket")
    assert result.returncode == 0, result.stderr
    assert rows(tmp_path) == [(step, step, step / 2) for step in range(5)]


@pytest.mark.slow
def test_a_signal_that_ends_w_and_b_while_it_starts_costs_no_row(tmp_path):
    result = log(tmp_path, 0, 20, "starting")
    assert result.returncode == 0, result.stderr
    assert "wandb-core exited" in result.stderr
    assert rows(tmp_path) == [(step, step, step / 2) for step in range(20)]


@pytest.mark.slow
def test_a_run_is_written_to_disk_where_w_and_b_cannot_be_reached(tmp_path):
    # A port at which nobody listens, and a key that looks like one.
    nobody = {"WANDB_MODE": "online", "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "0" * 40}
    result = log(tmp_path, 0, 5, "online", **nobody)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "offline\n"
    assert "http://127.0.0.1:9 cannot be reached (ConnectionError): this run is written to disk" in result.stderr
    assert rows(tmp_path) == [(step, step, step / 2) for step in range(5)]


@pytest.mark.slow
def test_a_run_is_written_to_disk_where_nobody_is_logged_in(tmp_path):
    class Server(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    nobody = {"WANDB_MODE": "online", "WANDB_BASE_URL": address, "HOME": str(tmp_path), "NETRC": str(tmp_path / "no")}
    result = log(tmp_path, 0, 5, "online", **nobody)
    server.shutdown()
    server.server_close()
    assert result.returncode == 0, result.stderr
    assert result.stdout == "offline\n"
    assert "this run is written to disk" in result.stderr
    assert rows(tmp_path) == [(step, step, step / 2) for step in range(5)]


@pytest.mark.parametrize(
    ("run", "page"),
    [
        ({"offline": False, "disabled": False, "url": "https://wandb.ai/me/p/runs/1"}, "https://wandb.ai/me/p/runs/1"),
        ({"offline": True, "disabled": False, "url": None}, "offline"),
        ({"offline": False, "disabled": True, "url": None}, "disabled"),
    ],
)
def test_the_page_is_where_the_run_has_begun(run, page):
    logger = WandbRun()
    logger._experiment = SimpleNamespace(**run)
    assert logger.page == page
