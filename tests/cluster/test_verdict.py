"""What a job's script concludes from the ends of its ranks, without a SLURM."""

import os
import subprocess

import pytest

from s2tf.cluster.settings import SLURM

LOST = "rank 1 on n2 failed:\nTraceback\nRuntimeError: [gloo/pair.cc:553] Connection closed by peer [127.0.0.1]:1\n"
WRONG = "rank 1 on n2 failed:\nTraceback\nValueError: nonsense\n"


def verdict(run, ends, failure="", age=0, srun=137):
    """Status of the script, and whether it queues the job again."""
    (run / "ends.start").touch()
    (run / "ends").write_text("".join(f"{end}\n" for end in ends))
    if failure:
        (run / "failure.txt").write_text(failure)
        time = (run / "ends.start").stat().st_mtime + (1 - age)
        os.utime(run / "failure.txt", (time, time))
    part = (SLURM / "verdict.sh").read_text().replace("@{restart_limit}", "3")
    text = f'set -eo pipefail\nscontrol() {{ echo "$*"; }}\nrun={run} S2TF_ENDS={run}/ends job=7 status={srun}\n{part}'
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)
    assert not (run / "ends.start").exists()
    return done.returncode, done.stdout == "requeue 7\n"


@pytest.mark.parametrize(
    ("ends", "failure", "status"),
    [
        ([75, 137], "", 75),
        ([137, 1], LOST, 137),
        ([1, 137], LOST, 137),
        ([1, 137, 137], WRONG, 1),
        ([1, 2, 137], LOST, 1),
        ([1], LOST, 137),
        ([2, 137], LOST, 2),
        ([1, 137], "", 1),
        ([], "", 137),
    ],
)
def test_the_first_end_decides_unless_it_lost_a_rank_that_was_killed(tmp_path, ends, failure, status):
    assert verdict(tmp_path, ends, failure) == (status, status in (75, 137))


def test_a_lost_connection_where_nobody_was_killed_is_a_failure(tmp_path):
    assert verdict(tmp_path, [1, 1], LOST, srun=1) == (1, False)


def test_a_connection_that_an_earlier_start_lost_is_no_reason(tmp_path):
    assert verdict(tmp_path, [1, 137], LOST, age=60) == (1, False)
