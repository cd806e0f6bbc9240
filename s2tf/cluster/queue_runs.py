"""Queues trainings in SLURM: a job for one run, or an array for several."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from s2tf.cluster.links import wandb_link
from s2tf.cluster.preflight import check_training
from s2tf.cluster.records import Submission, is_finished, last_submission, note, submitting
from s2tf.cluster.resources import Resources, resources_of
from s2tf.cluster.script import one_line, render, staging, values_of
from s2tf.cluster.settings import Cluster
from s2tf.cluster.slurm import Job, UnreachableError, find_jobs, installed, submit, try_submit
from s2tf.errors import UserError
from s2tf.provenance.git_state import record_git
from s2tf.runs.folder import QUEUED_FILE, Run, wandb_id, write_config

TRAIN, ARRAY = "train.sbatch", "array.sbatch"
ARRAYS = "arrays"
"""Folder of the scripts of arrays, below the folder of the runs."""


@dataclass(frozen=True)
class JobRequest:
    """The way in which jobs are queued."""

    cluster: Cluster
    argv: Sequence[str]
    """Command line that requests the jobs."""
    dry_run: bool = False
    after: Sequence[str] = ()
    """Jobs that must succeed first."""
    needs: dict[str, str] = field(default_factory=dict)
    """Jobs of a chain's steps that must succeed first, by the steps' names."""
    needs_end: dict[str, str] = field(default_factory=dict)
    """Jobs of a chain's steps that must have ended first, however they ended."""
    planned_outputs: Sequence[Path] = ()
    """Folders that those jobs will create."""
    done: str = ""
    """Shell lines that run after success."""
    unreachable: list[str] = field(default_factory=list)
    """Reason why a dry run cannot ask SLURM, once it is known: it is printed for the first job only."""

    @property
    def dependencies(self) -> list[str]:
        """All jobs that must succeed first."""
        return [*self.after, *self.needs.values()]


def submit_run(run: Run, request: JobRequest) -> str | None:
    """Check a training and queue it unless it is finished or queued already, and print the result.

    Returns:
        The id of its job, queued now or earlier, or None if it is finished or this is a dry run.

    Raises:
        UserError: A file or setting that it needs is wrong or missing.
    """
    folder = run.folder.resolve()
    if is_finished(folder):
        print(f"finished:   {folder}: nothing is queued")
        return None
    if (job := active_job(folder)) is not None:
        say_active(job, folder)
        return job.id
    values = training_values(run, request)
    return queue_run(run, values, request) if confirm_with_slurm(render(TRAIN, values), request) else None


def training_values(run: Run, request: JobRequest) -> dict[str, object]:
    """Check a training and collect the values of its batch script.

    Raises:
        UserError: A file or setting that it needs is wrong or missing.
    """
    folder = run.folder.resolve()
    shards, resources = preflight(run, request)
    command = ["s2tf", "fit", str(folder / QUEUED_FILE)]
    values = values_of(
        request.cluster,
        resources,
        f"{run.experiment}-{folder.name}",
        folder,
        command,
        request.argv,
        request.dependencies,
    )
    return values | {"stage": staging(values, shards) if request.cluster.scratch else "", "done": request.done}


def queue_run(run: Run, values: Mapping[str, object], request: JobRequest) -> str:
    """Create a run's folder and queue its job unless another command did so meanwhile; returns the job's id."""
    folder = run.folder.resolve()
    with submitting(folder):
        if (job := active_job(folder)) is not None:
            say_active(job, folder)
            return job.id
        make_run(run, folder)
        (folder / TRAIN).write_text(render(TRAIN, values))
        number = submit(folder / TRAIN)
        note(folder, _submission(number, run, request))
    print(f"job:        {number}\nrun folder: {folder}\nW&B:        {_link(run, folder, request)}")
    return number


def submit_array(
    runs: Sequence[Run], labels: Sequence[str], request: JobRequest, name: str, limit: int | None
) -> str | None:
    """Check trainings, queue as one array those that are neither finished nor queued, and print the result.

    Args:
        runs: Trainings with different folders.
        labels: Text that distinguishes each training from the others.
        request: The way in which they are queued.
        name: Name of the array.
        limit: Greatest number of tasks at the same time, or None for no limit.

    Returns:
        The id of the array, or None if there was nothing to queue.

    Raises:
        UserError: A file or setting is wrong or missing, or another command has queued a training meanwhile.
    """
    folders = [run.folder.resolve() for run in runs]
    states = _states(folders)
    for label, folder, state in zip(labels, folders, states, strict=True):
        print(f"{state or 'to run'}: {label}: {folder}", file=sys.stderr if request.dry_run else sys.stdout)
    tasks = {
        number: (runs[number], labels[number], folders[number]) for number, state in enumerate(states) if state is None
    }
    if not tasks:
        print("nothing is queued")
        return None
    base = folders[0].parents[1] / ARRAYS / name
    array = ranges(list(tasks)) + (f"%{limit}" if limit else "")
    script = _array_script(tasks, request, base, array)
    if not confirm_with_slurm(script, request):
        return None
    job = _queue_array(tasks, request, base, script)
    print(f"job:        {job}, tasks {array}\nscript:     {base / ARRAY}")
    return job


def _array_script(tasks: Mapping[int, tuple[Run, str, Path]], request: JobRequest, base: Path, array: str) -> str:
    """Check the trainings of an array and render its batch script.

    Args:
        tasks: Run, label and folder of each task, by its number.
        request: The way in which they are queued.
        base: Folder of the array, named like it.
        array: Numbers of the tasks in SLURM's form.

    Raises:
        UserError: A file or setting is wrong or missing, or the trainings ask for different resources.
    """
    # All tasks of an array have the same size.
    checked = {number: preflight(run, request) for number, (run, _, _) in tasks.items()}
    first, *others = checked
    resources = checked[first][1]
    for number in others:
        if checked[number][1] != resources:
            raise UserError(
                f"{tasks[number][1]} asks for {checked[number][1]}, {tasks[first][1]} for {resources}: expected the "
                "same resources for all runs of an array"
            )
    # Each task finds its run folder by its number; the shards of all tasks are copied to the nodes.
    cases = [
        f"{number})\n    # {one_line(label)}\n    run={shlex.quote(str(folder))}\n    ;;"
        for number, (_, label, folder) in tasks.items()
    ]
    values = values_of(request.cluster, resources, base.name, base, [], request.argv, request.dependencies)
    shards = sorted({one for named, _ in checked.values() for one in named}) if request.cluster.scratch else []
    return render(ARRAY, values | {"array": array, "cases": "\n".join(cases), "stage": staging(values, shards)})


def _queue_array(tasks: Mapping[int, tuple[Run, str, Path]], request: JobRequest, base: Path, script: str) -> str:
    """Create the run folders of an array and queue it; returns its job's id.

    Raises:
        UserError: Another command has queued or finished a run meanwhile.
    """
    with submitting(base):
        states = _states([folder for _, _, folder in tasks.values()])
        for (_, label, _), state in zip(tasks.values(), states, strict=True):
            if state is not None:
                raise UserError(
                    f"{label} is {state} by another command meanwhile: nothing is queued; give the same command again "
                    "to queue the others"
                )
        for run, _, folder in tasks.values():
            make_run(run, folder)
        (base / ARRAY).write_text(script)
        job = submit(base / ARRAY)
        for number, (run, _, folder) in tasks.items():
            note(folder, _submission(f"{job}_{number}", run, request))
    return job


def active_job(folder: Path) -> Job | None:
    """Find the job that waits or runs for a folder."""
    submission = last_submission(folder)
    job = find_jobs([submission.job]).get(submission.job) if submission else None
    return job if job is not None and job.active else None


def make_run(run: Run, folder: Path) -> None:
    """Create a run folder with the config that its job trains, its id in W&B, and the state of the code."""
    write_config(run, QUEUED_FILE)
    wandb_id(folder)
    state = record_git(folder).state
    if state.problem:
        print(f"note: the code's state is not known: {state.problem}", file=sys.stderr)


def ranges(numbers: Sequence[int]) -> str:
    """Format the numbers of an array's tasks for SLURM: `0,2-4` for 0, 2, 3 and 4."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ",".join(str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in groups)


def _states(folders: Sequence[Path]) -> list[str | None]:
    """Return for each folder the reason why nothing is queued for it, or None if it will be queued."""
    submissions = [last_submission(folder) for folder in folders]
    jobs = find_jobs(one.job for one in submissions if one is not None)
    states: list[str | None] = []
    for folder, submission in zip(folders, submissions, strict=True):
        job = jobs.get(submission.job) if submission else None
        active = f"job {job.id} {job.state}" if job is not None and job.active else None
        states.append("finished" if is_finished(folder) else active)
    return states


def preflight(run: Run, request: JobRequest) -> tuple[list[str], Resources]:
    """Check everything that a training needs; returns the folders of its shards and the resources it asks for."""
    resources = resources_of(run.config, request.cluster)
    found = check_training(run.config, resources, request.planned_outputs)
    for text in found.notes:
        print(f"note: {text}", file=sys.stderr)
    return found.folders, resources


def confirm_with_slurm(script: str, request: JobRequest) -> bool:
    """Ask SLURM if it would accept a script, and print it in a dry run; returns True if it should be queued."""
    if not request.dry_run or (installed() and not request.unreachable):
        try:
            print(f"note: SLURM would take it: {try_submit(script)}", file=sys.stderr)
        except UnreachableError as error:
            if not request.dry_run:
                raise
            request.unreachable.append(str(error))
            print(f"note: SLURM was not asked: {error}", file=sys.stderr)
    if request.dry_run:
        print(script, end="")
    return not request.dry_run


def _submission(job: str, run: Run, request: JobRequest) -> Submission:
    link = _link(run, run.folder.resolve(), request)
    return Submission(job, request.cluster.name, shlex.join(request.argv), run.experiment, request.needs, link)


def say_active(job: Job, folder: Path) -> None:
    """Print why nothing is queued for a folder."""
    print(f"job {job.id} is {job.state} for {folder}: nothing is queued")


def _link(run: Run, folder: Path, request: JobRequest) -> str:
    return wandb_link(run.config, folder, {**os.environ, **request.cluster.environment})
