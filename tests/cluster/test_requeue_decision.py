"""Decision of a job's script to queue it again, by the ends of its ranks, without a SLURM."""

import os
import subprocess
import time

import pytest

from s2tf.cluster.settings import SLURM
from s2tf.fault_tolerance.failures import LOST_STATUS, lost_another_process
from s2tf.fault_tolerance.lock import IN_USE_STATUS
from s2tf.fault_tolerance.signals import INTERRUPTED_STATUS

LOST, SAVED, IN_USE = LOST_STATUS, INTERRUPTED_STATUS, IN_USE_STATUS


def finish(run, ends, srun=137, requeue=0):
    """Run the script where `scontrol requeue` ends with such a status."""
    (run / "ends").write_text("".join(f"{end}\n" for end in ends))
    part = (SLURM / "requeue_decision.sh").read_text().replace("@{restart_limit}", "3")
    scontrol = f'scontrol() {{ echo "$*"; return {requeue}; }}'
    text = f"set -eo pipefail\n{scontrol}\nrun={run} S2TF_ENDS={run}/ends job=7 status={srun}\n{part}"
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)


def verdict(run, ends, srun=137):
    """Status of the script, and whether it queues the job again."""
    done = finish(run, ends, srun)
    return done.returncode, done.stdout == "requeue 7\n"


@pytest.mark.parametrize(
    ("ends", "status", "again"),
    [
        ([SAVED], SAVED, True),
        ([SAVED, 137], SAVED, True),  # the last to leave was not waited for
        ([137, LOST], 137, True),
        ([LOST, 137], 137, True),
        ([LOST, LOST], LOST, True),  # a node is gone, shells and all
        ([1, LOST, 137], 1, False),
        ([LOST, 1], 1, False),  # who lost the other was quicker than who failed
        ([137, 137, 2], 2, False),
        ([IN_USE], IN_USE, True),
        ([LOST, IN_USE, 143], IN_USE, True),
        ([IN_USE, 1], 1, False),
        ([], 137, True),
    ],
)
def test_a_failure_of_its_own_ends_the_run_and_a_death_does_not(tmp_path, ends, status, again):
    assert verdict(tmp_path, ends) == (status, again)


def test_deaths_without_a_new_checkpoint_in_between_come_to_an_end(tmp_path):
    assert [verdict(tmp_path, [LOST])[1] for _ in range(4)] == [True, True, True, False]
    assert verdict(tmp_path, [SAVED]) == (SAVED, True)
    assert verdict(tmp_path, [LOST])[1]


@pytest.mark.parametrize("status", [SAVED, LOST])
def test_where_slurm_does_not_queue_it_again_it_is_said_what_goes_on(tmp_path, status):
    done = finish(tmp_path, [status], requeue=1)
    assert done.returncode == status
    assert f"`s2tf submit run {tmp_path}/config.yaml` goes on from the last checkpoint" in done.stderr


def test_a_folder_that_stays_in_use_is_not_waited_for_for_ever_though_its_holder_saves(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    again = []
    for moment in range(4):
        checkpoint.touch()
        later = time.time() + 60 + moment
        os.utime(checkpoint, (later, later))
        again.append(verdict(tmp_path, [IN_USE])[1])
    assert again == [True, True, True, False]


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:1"), True),
        (RuntimeError("[gloo/transport/tcp/buffer.cc:72] Timed out waiting 1800000ms for recv operation"), True),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), True),
        (RuntimeError("DataLoader worker (pid(s) 7, 8) exited unexpectedly"), True),
        (RuntimeError("Connection closed by peer"), False),  # of W&B, say
        (ValueError("gloo: connection closed"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_a_lost_process_is_told_from_other_errors(error, lost):
    assert lost_another_process(error) == lost
