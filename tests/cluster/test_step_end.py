"""The shell lines at the end of a chain's step, as SLURM runs them for each part."""

import os
import subprocess
from types import SimpleNamespace

from s2tf.cluster.queue_chain import _done

TOGETHER = """
mv() {{
    touch {meeting}/"$SLURM_JOB_ID"
    while [ "$(ls {meeting} | wc -l)" -lt 2 ]; do sleep 0.02; done
    command mv "$@"
}}
status=0
"""


def test_two_parts_that_end_at_once_both_record_the_step(tmp_path):
    """Each had seen that the other was done, and moved the one file that both had written."""
    folder, meeting = tmp_path / "step", tmp_path / "meeting"
    folder.mkdir()
    meeting.mkdir()
    for part in (1, 2):
        (folder / f"part-{part}-of-2").write_text("0\n")
    step = SimpleNamespace(folder=folder, result=str(folder), record=lambda result: '{"result": "r"}\n', needs=())
    script = TOGETHER.format(meeting=meeting) + _done(step, 2)
    parts = [
        subprocess.Popen(
            ["bash", "-c", script],
            env=os.environ | {"SLURM_ARRAY_TASK_ID": str(part), "SLURM_JOB_ID": str(40 + part)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for part in (1, 2)
    ]
    assert [(part.communicate(timeout=20)[1], part.returncode) for part in parts] == [("", 0), ("", 0)]
    assert (folder / "done.json").read_text() == '{"result": "r"}\n'
    assert not list(folder.glob("*.part"))
