"""Environments and scripts that SLURM's commands get."""

from slurm_stubs import stub_slurm

from s2tf.cluster.slurm import submit, try_submit

OUTER = {
    "SLURM_JOB_ID": "7",
    "SLURM_MEM_PER_CPU": "500",
    "SLURM_EXPORT_ENV": "NONE",
    "SLURM_CPUS_PER_TASK": "4",
    "SRUN_CPUS_PER_TASK": "4",
    "SBATCH_CPU_BIND": "quiet",
    "SLURMD_NODENAME": "n1",
}
KEPT = {
    "SLURM_CONF": "/etc/mine.conf",
    "SLURM_CLUSTERS": "a,b",
    "SBATCH_ACCOUNT": "us",
    "SBATCH_PARTITION": "gpu",
    "WANDB_PROJECT": "faces",
}


def test_a_job_that_a_job_queues_is_not_told_the_size_of_the_first(tmp_path, monkeypatch):
    """srun would take it for the new job's: `SLURM_MEM_PER_CPU, ... and SLURM_MEM_PER_NODE are mutually exclusive`."""
    jobs = stub_slurm(tmp_path, monkeypatch)
    for name, value in (OUTER | KEPT).items():
        monkeypatch.setenv(name, value)
    script = tmp_path / "x.sbatch"
    script.write_text("#!/bin/sh\n")
    assert try_submit(script.read_text()) == "Job 1 to start at noon"
    assert submit(script) == "100"
    environment = dict(line.split("=", 1) for line in (jobs / "100.env").read_text().splitlines() if "=" in line)
    assert not OUTER.keys() & environment.keys()
    assert {name: environment.get(name) for name in KEPT} == KEPT
