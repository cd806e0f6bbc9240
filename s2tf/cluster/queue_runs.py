"""Queues trainings: one job for a run, or one array for several."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from s2tf.cluster.links import wandb_link
from s2tf.cluster.preflight import check_training
from s2tf.cluster.records import Submission, is_finished, last_submission, note, submitting
from s2tf.cluster.request import request_of
from s2tf.cluster.script import Request, one_line, render, staging, values_of
from s2tf.cluster.settings import Cluster
from s2tf.cluster.slurm import Job, find_jobs, installed, submit, try_submit
from s2tf.errors import UserError
from s2tf.provenance.git_state import record_git
from s2tf.runs.folder import QUEUED_FILE, Run, wandb_id, write_config

TRAIN, ARRAY = "train.sbatch", "array.sbatch"
ARRAYS = "arrays"
"""Folder of the scripts of arrays, below that of the runs."""


@dataclass(frozen=True)
class Order:
    """How jobs are to be queued."""

    cluster: Cluster
    said: Sequence[str]
    """The command line that asked for it."""
    dry_run: bool = False
    after: Sequence[str] = ()
    """Jobs that must have succeeded before."""
    needs: dict[str, str] = field(default_factory=dict)
    """Jobs of a chain's steps that must have, by the steps' names."""
    promised: Sequence[Path] = ()
    """Folders that these make."""
    done: str = ""
    """Lines of shell after a success."""

    @property
    def waits(self) -> list[str]:
        """All jobs that must have succeeded before."""
        return [*self.after, *self.needs.values()]


def submit_run(run: "Run", order: Order) -> str | None:
    """Check a training and queue it, unless it is finished or queued already; say what was done.

    Returns:
        The id of its job, queued now or before; None: it is finished, or nothing was to be queued.

    Raises:
        UserError: something that it needs is wrong or missing.
    """
    folder = run.folder.resolve()
    if is_finished(folder):
        print(f"finished:   {folder}: nothing is queued")
        return None
    if (job := active_job(folder)) is not None:
        say_active(job, folder)
        return job.id
    values = training_values(run, order)
    return queue_run(run, values, order) if accepted(render(TRAIN, values), order) else None


def training_values(run: "Run", order: Order) -> dict[str, object]:
    """Check a training; what its script is rendered with.

    Raises:
        UserError: something that it needs is wrong or missing.
    """
    folder = run.folder.resolve()
    shards, request = checked(run, order)
    command = ["s2tf", "fit", str(folder / QUEUED_FILE)]
    values = values_of(
        order.cluster, request, f"{run.experiment}-{folder.name}", folder, command, order.said, order.waits
    )
    return values | {"stage": staging(values, shards) if order.cluster.scratch else "", "done": order.done}


def queue_run(run: "Run", values: Mapping[str, object], order: Order) -> str:
    """Make a run's folder and queue its job, unless another command has done it meanwhile; returns the job's id."""
    folder = run.folder.resolve()
    with submitting(folder):
        if (job := active_job(folder)) is not None:
            say_active(job, folder)
            return job.id
        make_run(run, folder)
        (folder / TRAIN).write_text(render(TRAIN, values))
        number = submit(folder / TRAIN)
        note(folder, _submission(number, run, order))
    print(f"job:        {number}\nrun folder: {folder}\nW&B:        {_link(run, folder, order)}")
    return number


def submit_array(
    runs: Sequence["Run"], labels: Sequence[str], order: Order, name: str, limit: int | None
) -> str | None:
    """Check trainings and queue as one array those that are neither finished nor queued; say what was done.

    Args:
        runs: of different folders.
        labels: what tells each from the others.
        order: how they are queued.
        name: of the array.
        limit: as many at the same time; None: as there is room.

    Returns:
        The id of the array; None: nothing was to be queued.

    Raises:
        UserError: something that they need is wrong or missing, or another command has queued one of them meanwhile.
    """
    folders = [run.folder.resolve() for run in runs]
    states = _states(folders)
    for label, folder, state in zip(labels, folders, states, strict=True):
        print(f"{state or 'to run'}: {label}: {folder}", file=sys.stderr if order.dry_run else sys.stdout)
    left = [number for number, state in enumerate(states) if state is None]
    if not left:
        print("nothing is queued")
        return None
    requests = [checked(runs[number], order) for number in left]
    request = requests[0][1]
    for number, (_, other) in zip(left, requests, strict=True):
        if other != request:
            raise UserError(
                f"{labels[number]} asks for {other}, {labels[left[0]]} for {request}: an array has one size"
            )
    base = folders[0].parents[1] / ARRAYS / name
    values = values_of(order.cluster, request, name, base, [], order.said, order.waits)
    cases = "\n".join(
        f"{n})\n    # {one_line(labels[n])}\n    run={shlex.quote(str(folders[n]))}\n    ;;" for n in left
    )
    staged = sorted({one for shards, _ in requests for one in shards}) if order.cluster.scratch else []
    array = ranges(left) + (f"%{limit}" if limit else "")
    script = render(ARRAY, values | {"array": array, "cases": cases, "stage": staging(values, staged)})
    if not accepted(script, order):
        return None
    with submitting(base):
        for number, state in enumerate(_states(folders)):
            if number in left and state is not None:
                raise UserError(
                    f"{labels[number]} is {state}, by another command meanwhile: nothing is queued, the same command "
                    "queues what is left"
                )
        for number in left:
            make_run(runs[number], folders[number])
        (base / ARRAY).write_text(script)
        job = submit(base / ARRAY)
        for number in left:
            note(folders[number], _submission(f"{job}_{number}", runs[number], order))
    print(f"job:        {job}, tasks {array}\nscript:     {base / ARRAY}")
    return job


def active_job(folder: Path) -> Job | None:
    """The job that waits or runs for a folder."""
    submission = last_submission(folder)
    job = find_jobs([submission.job]).get(submission.job) if submission else None
    return job if job is not None and job.active else None


def make_run(run: "Run", folder: Path) -> None:
    """Make a run folder with what its job trains, its id in W&B, and the state of the code."""
    write_config(run, QUEUED_FILE)
    wandb_id(folder)
    state = record_git(folder).state
    if state.problem:
        print(f"note: the code's state is not known: {state.problem}", file=sys.stderr)


def ranges(numbers: Sequence[int]) -> str:
    """`0,2-4` of 0, 2, 3 and 4."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ",".join(str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in groups)


def _states(folders: Sequence[Path]) -> list[str | None]:
    """Of each folder, why nothing is to be queued for it; None where something is."""
    submissions = [last_submission(folder) for folder in folders]
    jobs = find_jobs(one.job for one in submissions if one is not None)
    states: list[str | None] = []
    for folder, submission in zip(folders, submissions, strict=True):
        job = jobs.get(submission.job) if submission else None
        active = f"job {job.id} {job.state}" if job is not None and job.active else None
        states.append("finished" if is_finished(folder) else active)
    return states


def checked(run: "Run", order: Order) -> tuple[list[str], Request]:
    """Look at all that a training needs; folders of its shards, and what it asks of the cluster."""
    request = request_of(run.config, order.cluster)
    found = check_training(run.config, request, order.promised)
    for text in found.notes:
        print(f"note: {text}", file=sys.stderr)
    return found.folders, request


def accepted(script: str, order: Order) -> bool:
    """Ask the cluster for its opinion; print a dry run's script instead of going on."""
    if not order.dry_run or installed():
        print(f"note: SLURM would take it: {try_submit(script)}", file=sys.stderr)
    if order.dry_run:
        print(script, end="")
    return not order.dry_run


def _submission(job: str, run: "Run", order: Order) -> Submission:
    link = _link(run, run.folder.resolve(), order)
    return Submission(job, order.cluster.name, shlex.join(order.said), run.experiment, order.needs, link)


def say_active(job: Job, folder: Path) -> None:
    """Say why nothing is queued for a folder."""
    print(f"job {job.id} is {job.state} for {folder}: nothing is queued")


def _link(run: "Run", folder: Path, order: Order) -> str:
    return wandb_link(run.config, folder, {**os.environ, **order.cluster.environment})
