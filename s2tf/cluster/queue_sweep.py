"""W&B sweeps and grids in SLURM's queue."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from s2tf.cluster.links import server
from s2tf.cluster.queue_runs import JobRequest, confirm_with_slurm, preflight, submit_array
from s2tf.cluster.records import Submission, note, submitting
from s2tf.cluster.script import render, staging, values_of
from s2tf.cluster.settings import SLURM
from s2tf.cluster.slurm import submit
from s2tf.cluster.sweeps import TRIAL, Sweep, is_ours
from s2tf.errors import UserError

AGENT, SWEEP_FILE = "agent.sbatch", "sweep.json"
ASK_SECONDS = 20
"""Seconds that W&B may take to answer what a sweep is."""
SWEEPS = "sweeps"
"""Folder of the sweeps' files, below the folder of the runs."""


def submit_grid(sweep: Sweep, request: JobRequest, runs: Path, limit: int | None = None) -> None:
    """Queue every point of a sweep that is neither finished nor queued, as one array, without W&B's server.

    Args:
        sweep: A sweep whose parameters all have a list of values.
        request: The way in which it is queued.
        runs: Folder of run folders.
        limit: Number of points at the same time; None: no limit.

    Raises:
        UserError: A parameter has no list of values, two points are the same run, or a point cannot train.
    """
    points = sweep.grid()
    found = [sweep.run(point, runs) for point in points]
    _reject_duplicate_runs(sweep, points, [one.folder for one in found])
    submit_array(found, [shlex.join(point) for point in points], request, sweep.name, limit)


def submit_agents(sweep: Sweep, request: JobRequest, runs: Path, jobs: int = 1, sweep_id: str | None = None) -> None:
    """Queue agents that ask W&B for a trial each.

    Args:
        sweep: The sweep; it is made in W&B unless it is there already.
        request: The way in which they are queued.
        runs: Folder of run folders.
        jobs: Number of agents.
        sweep_id: `ENTITY/PROJECT/ID` of a sweep that `s2tf sweep` has made before.

    Raises:
        UserError: A point cannot train, or W&B has no such sweep.
    """
    # Checked, and staged, are the shards of one point: all points have them, unless they are a parameter.
    shards, resources = preflight(sweep.run(sweep.example(), runs), request)
    if sweep_id is not None and not request.dry_run:
        _reject_foreign_sweep(sweep_id)
    # The script; every agent notes its job in the run folder of its trial.
    name = sweep.name if sweep_id is None else f"{sweep.path.stem}-{sweep_id.rpartition('/')[2]}"
    folder = runs / SWEEPS / name
    submission = Submission("JOB", request.cluster.name, shlex.join(request.argv), sweep.name)
    values = values_of(request.cluster, resources, name, folder, [], request.argv)
    values |= {
        "array": f"1-{jobs}",
        "sweep": shlex.quote(sweep_id or "SWEEP"),
        "submission": shlex.quote(json.dumps(asdict(submission))),
        "stage": staging(values, shards) if request.cluster.scratch else "",
    }
    command = sweep.command(folder / TRIAL, runs)
    if not confirm_with_slurm(render(AGENT, values), request):
        print(f"# command of the sweep: {shlex.join(command)}")
        return
    # The sweep in W&B, and the job.
    with submitting(folder):
        shutil.copy(SLURM / TRIAL, folder / TRIAL)
        sweep_id = sweep_id or _sweep_id(sweep, command, folder)
        values["sweep"] = shlex.quote(sweep_id)
        (folder / AGENT).write_text(render(AGENT, values))
        job = submit(folder / AGENT)
        note(folder, replace(submission, job=job))
    print(f"job:        {job}, {jobs} agents\nsweep:      {_address(sweep_id)}\nfolder:     {folder}")


def _reject_duplicate_runs(sweep: Sweep, points: Sequence[Sequence[str]], folders: Sequence[Path]) -> None:
    """Reject two points that are one run: they would train in one folder at the same time."""
    for number, folder in enumerate(folders):
        if folder in folders[:number]:
            one, other = (shlex.join(points[index]) for index in (folders.index(folder), number))
            raise UserError(f"{sweep.path}: the points {one!r} and {other!r} are the same run")


def _reject_foreign_sweep(sweep_id: str) -> None:
    """Reject a sweep that `s2tf sweep` has not made: its trials would run in the batch shell, on one GPU at most."""
    import wandb

    try:
        command = wandb.Api(timeout=ASK_SECONDS).sweep(sweep_id).config.get("command") or []
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        print(f"note: --id {sweep_id}: W&B does not say what its command is: {reason}", file=sys.stderr)
        return
    if not is_ours(command):
        raise UserError(
            f"--id {sweep_id}: its command is {shlex.join(map(str, command)) or 'none'!r}, expected a sweep that "
            "`s2tf sweep` has made: leave out --id to make one"
        )


def _sweep_id(sweep: Sweep, command: Sequence[str], folder: Path) -> str:
    """Look up the sweep's `ENTITY/PROJECT/ID`; makes the sweep in W&B unless this very sweep was made before."""
    path = folder / SWEEP_FILE
    if not path.is_file():
        import wandb

        entity = sweep.config.get("entity") or os.environ.get("WANDB_ENTITY")
        project = sweep.config.get("project") or os.environ.get("WANDB_PROJECT") or "s2tf"
        try:
            made = wandb.sweep({**sweep.config, "command": list(command)}, entity=entity, project=project)
        except Exception as error:
            raise UserError(
                f"{sweep.path}: W&B does not make the sweep: {error}; without its server: --local-grid"
            ) from error
        path.write_text(json.dumps({"id": "/".join(part for part in (entity, project, made) if part)}) + "\n")
    else:
        print(f"{path}: this sweep is there already, agents join it", file=sys.stderr)
    return str(json.loads(path.read_text())["id"])


def _address(sweep: str) -> str:
    if sweep.count("/") < 2:
        return sweep
    entity, project, number = sweep.split("/")
    return f"{server(os.environ)}/{entity}/{project}/sweeps/{number}"
