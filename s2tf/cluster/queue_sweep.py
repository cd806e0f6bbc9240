"""Queues W&B sweeps and grids in SLURM."""

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
"""Seconds to wait for W&B's description of a sweep."""
SWEEPS = "sweeps"
"""Folder of the sweeps' files, below the folder of the runs."""


def submit_grid(sweep: Sweep, request: JobRequest, runs: Path, limit: int | None = None) -> None:
    """Queue every point of a sweep that is neither finished nor queued, as one array, without W&B's server.

    Args:
        sweep: A sweep whose parameters all have a list of values.
        request: The way in which it is queued.
        runs: Folder of run folders.
        limit: Greatest number of points at the same time, or None for no limit.

    Raises:
        UserError: A parameter has no list of values, two points are the same run, or a point cannot train.
    """
    points = sweep.grid()
    found = [sweep.run(point, runs) for point in points]
    _reject_duplicate_runs(sweep, points, [one.folder for one in found])
    submit_array(found, [shlex.join(point) for point in points], request, sweep.name, limit)


def submit_agents(sweep: Sweep, request: JobRequest, runs: Path, jobs: int = 1, sweep_id: str | None = None) -> None:
    """Queue agents, each of which asks W&B for a trial.

    Args:
        sweep: The sweep; it is created in W&B unless it exists there.
        request: The way in which they are queued.
        runs: Folder of run folders.
        jobs: Number of agents.
        sweep_id: `ENTITY/PROJECT/ID` of a sweep that `s2tf sweep` has created before.

    Raises:
        UserError: A point cannot train, or W&B has no such sweep.
    """
    # Check and stage the shards of one point: all points have the same, unless the shards are a parameter.
    shards, resources = preflight(sweep.run(sweep.example(), runs), request)
    if sweep_id is not None and not request.dry_run:
        _reject_foreign_sweep(sweep_id)
    # The script; every agent records its job in the run folder of its trial.
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
    """Reject two points that are the same run: they would train in one folder at the same time."""
    for number, folder in enumerate(folders):
        if folder in folders[:number]:
            one, other = (shlex.join(points[index]) for index in (folders.index(folder), number))
            raise UserError(f"{sweep.path}: the points {one!r} and {other!r} are the same run")


def _reject_foreign_sweep(sweep_id: str) -> None:
    """Reject a sweep that `s2tf sweep` has not created: its trials would run in the batch shell, on one GPU at most."""
    import wandb

    try:
        command = wandb.Api(timeout=ASK_SECONDS).sweep(sweep_id).config.get("command") or []
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        print(f"note: --id {sweep_id}: W&B does not state its command: {reason}", file=sys.stderr)
        return
    if not is_ours(command):
        raise UserError(
            f"--id {sweep_id}: its command is {shlex.join(map(str, command)) or 'none'!r}, expected a sweep that "
            "`s2tf sweep` has created: leave out --id to create one"
        )


def _sweep_id(sweep: Sweep, command: Sequence[str], folder: Path) -> str:
    """Look up the sweep's `ENTITY/PROJECT/ID`; creates the sweep in W&B unless it was created before."""
    path = folder / SWEEP_FILE
    if not path.is_file():
        import wandb

        entity = sweep.config.get("entity") or os.environ.get("WANDB_ENTITY")
        project = sweep.config.get("project") or os.environ.get("WANDB_PROJECT") or "s2tf"
        try:
            made = wandb.sweep({**sweep.config, "command": list(command)}, entity=entity, project=project)
        except Exception as error:
            raise UserError(
                f"{sweep.path}: W&B did not create the sweep: {error}; --local-grid needs no server"
            ) from error
        path.write_text(json.dumps({"id": "/".join(part for part in (entity, project, made) if part)}) + "\n")
    else:
        print(f"{path}: this sweep exists already, the agents join it", file=sys.stderr)
    return str(json.loads(path.read_text())["id"])


def _address(sweep: str) -> str:
    if sweep.count("/") < 2:
        return sweep
    entity, project, number = sweep.split("/")
    return f"{server(os.environ)}/{entity}/{project}/sweeps/{number}"
