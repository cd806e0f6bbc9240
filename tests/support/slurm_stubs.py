"""Programs that stand in for SLURM's where none runs: jobs are noted and never begin."""

from pathlib import Path

from slurm_jobs import stand_in

SBATCH = """
cd "{folder}"
if [ "$1" = --test-only ]; then cat >/dev/null && echo "sbatch: Job 1 to start at noon" >&2 && exit; fi
number=$((100 + $(find . -name '*.sbatch' | wc -l)))
cp "$2" "$number.sbatch"
env >"$number.env"
echo "$number"
"""
SQUEUE = """
cd "{folder}"
for script in *.sbatch; do [ ! -f "$script" ] || echo "${{script%.sbatch}}|PENDING|Priority"; done
"""


def stub_slurm(folder: Path, monkeypatch) -> Path:
    """Put them before all others; returns the folder of scripts, `100.sbatch`, and their environments, `100.env`."""
    jobs = folder / "jobs"
    jobs.mkdir()
    stand_in(folder / "bin", "sbatch", SBATCH.format(folder=jobs), monkeypatch)
    stand_in(folder / "bin", "squeue", SQUEUE.format(folder=jobs), monkeypatch)
    return jobs
