"""W&B sweeps and grids queued as SLURM jobs."""

import argparse
import json
import os
import shlex
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

from s2tf.cluster.links import server
from s2tf.cluster.queue_runs import Order, accepted, checked
from s2tf.cluster.records import Submission, note, submitting
from s2tf.cluster.script import render, staging, values_of
from s2tf.cluster.settings import SLURM
from s2tf.cluster.slurm import submit
from s2tf.cluster.sweeps import TRIAL, Sweep, is_ours
from s2tf.errors import UserError

AGENT, SWEEP_FILE = "agent.sbatch", "sweep.json"
ASK_SECONDS = 20
"""That W&B may take to say what a sweep is."""


SWEEPS = "sweeps"
"""Folder of what belongs to sweeps, below that of the runs."""


def _refuse_twins(sweep: "Sweep", points: list[list[str]], folders: list[Path]) -> None:
    """Two points that are one run would train in one folder at the same time."""
    for number, folder in enumerate(folders):
        if folder in folders[:number]:
            one, other = (shlex.join(points[index]) for index in (folders.index(folder), number))
            raise UserError(f"{sweep.path}: the points {one!r} and {other!r} are the same run")


def _queue_agents(sweep: "Sweep", order: "Order", args: argparse.Namespace) -> None:
    runs, jobs = args.runs.resolve(), args.jobs or 1
    # Staged are the shards of one point: all have them, unless they are a parameter.
    shards, request = checked(sweep.run(sweep.example(), runs), order)
    if args.id is not None and not order.dry_run:
        _refuse_strange(args.id)
    folder = runs / SWEEPS / (sweep.name if args.id is None else f"{args.sweep.stem}-{args.id.rpartition('/')[2]}")
    values = values_of(order.cluster, request, folder.name, folder, [], order.said)
    values |= {"array": f"1-{jobs}", "sweep": shlex.quote(args.id or "SWEEP")}
    submission = Submission("JOB", order.cluster.name, shlex.join(order.said), sweep.name)
    values["submission"] = shlex.quote(json.dumps(asdict(submission)))
    values["stage"] = staging(values, shards) if order.cluster.scratch else ""
    command = sweep.command(folder / TRIAL, runs)
    if not accepted(render(AGENT, values), order):
        print(f"# of the sweep: {shlex.join(command)}")
        return
    with submitting(folder):
        shutil.copy(SLURM / TRIAL, folder / TRIAL)
        sweep_id = args.id or _sweep_id(sweep, command, folder)
        values["sweep"] = shlex.quote(sweep_id)
        (folder / AGENT).write_text(render(AGENT, values))
        job = submit(folder / AGENT)
        note(folder, replace(submission, job=job))
    print(f"job:        {job}, {jobs} agents\nsweep:      {_address(sweep_id)}\nfolder:     {folder}")


def _refuse_strange(sweep_id: str) -> None:
    """Refuse a sweep that `s2tf sweep` has not made: its trials would run in the batch shell, on one GPU at most."""
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


def _sweep_id(sweep: "Sweep", command: list[str], folder: Path) -> str:
    """The sweep's `ENTITY/PROJECT/ID`, made in W&B unless this very sweep was before."""
    path = folder / SWEEP_FILE
    if not path.is_file():
        import wandb

        entity = sweep.config.get("entity") or os.environ.get("WANDB_ENTITY")
        project = sweep.config.get("project") or os.environ.get("WANDB_PROJECT") or "s2tf"
        try:
            made = wandb.sweep({**sweep.config, "command": command}, entity=entity, project=project)
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
