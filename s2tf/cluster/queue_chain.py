"""Queues the steps of a chain in SLURM, each as a job that waits for the jobs it needs."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from s2tf.cluster.preflight_steps import Parse, check_command, check_options
from s2tf.cluster.queue_runs import (
    TRAIN,
    JobRequest,
    active_job,
    confirm_with_slurm,
    queue_run,
    say_active,
    training_values,
)
from s2tf.cluster.records import Submission, is_finished, note, submitting
from s2tf.cluster.resources import Resources
from s2tf.cluster.script import dependency, render, values_of
from s2tf.cluster.slurm import submit
from s2tf.errors import UserError
from s2tf.fault_tolerance.atomic_files import atomic_write
from s2tf.runs.chain import DONE_FILE, PARTIAL_FILE, Step
from s2tf.runs.folder import Run

PREPARE = "prepare.sbatch"


@dataclass(frozen=True)
class Planned:
    """A checked step that will be queued."""

    step: Step
    request: JobRequest
    values: dict[str, object]
    """Values of its batch script."""


def submit_chain(steps: Sequence[Step], request: JobRequest, parse: Parse) -> None:
    """Queue every step that is neither done nor queued, after the jobs of the steps that it needs.

    All steps are checked, also by SLURM, before the first is queued.

    Args:
        steps: Steps, parents before children.
        request: The way in which they are queued.
        parse: Parser of the steps' command lines.

    Raises:
        UserError: A step's command is wrong, or a file that it needs is missing; the message names the step.
    """
    jobs: dict[str, str] = {}
    planned = []
    request = replace(request, planned_outputs=[Path(step.result) for step in steps if not step.done])
    # Check all steps; until a step is queued, a name stands for its job.
    for step in steps:
        print(f"--- {step.name}")
        with _named(step):
            found = _plan(step, _after(step, jobs, request), parse)
        if isinstance(found, str):
            jobs[step.name] = found
        elif found is not None:
            planned.append(found)
            jobs[step.name] = f"JOB_OF_{step.name}"
    # Queue them in order, so that the jobs that each step needs are known.
    for one in [] if request.dry_run else planned:
        print(f"--- {one.step.name}")
        with _named(one.step):
            jobs[one.step.name] = _queue(replace(one, request=_after(one.step, jobs, one.request)))


@contextmanager
def _named(step: Step) -> Iterator[None]:
    """Add the step's name to the message of an error."""
    try:
        yield
    except UserError as error:
        raise UserError(f"step {step.name}: {error}") from error


def _after(step: Step, jobs: Mapping[str, str], request: JobRequest) -> JobRequest:
    """Return the request for a step, which waits for the jobs of the steps before it."""
    ended = {before.name: jobs[before.name] for before in step.ended if before.name in jobs}
    needs = {before.name: jobs[before.name] for before in step.required if before.name in jobs}
    return replace(request, needs=needs, needs_end=ended)


def _plan(step: Step, request: JobRequest, parse: Parse) -> Planned | str | None:
    """Check a step before it is queued; returns the job's id if it is queued already, None if it is done."""
    if step.done:
        print(f"done:       {step.result}")
        return None
    # A training that another command has finished is done.
    run = step.run
    folder = step.folder if run is None else run.folder.resolve()
    if run is not None and is_finished(folder):
        print(f"finished:   {folder}")
        if not request.dry_run:
            _mark_done(step, str(run.folder))
        return None
    if (job := active_job(folder)) is not None:
        say_active(job, folder)
        return job.id
    # Check the step, and ask SLURM about its script.
    if run is None:
        request, values = _command_values(step, request, parse)
    else:
        request, values = _training_values(step, run, request, parse)
    values |= dependency(request.dependencies, list(request.needs_end.values()))
    confirm_with_slurm(render(PREPARE if run is None else TRAIN, values), request)
    return Planned(step, request, values)


def _training_values(step: Step, run: Run, request: JobRequest, parse: Parse) -> tuple[JobRequest, dict[str, object]]:
    if foreign := sorted({"parts", "gpus"} & set(step.job)):
        raise UserError(
            f"job: {foreign[0]} has no effect on a training: expected trainer.devices and trainer.num_nodes in its "
            "experiment instead"
        )
    check_options(step, parse)
    request = replace(request, cluster=request.cluster.changed("job", dict(step.job)), done=_done(step, 1))
    return request, training_values(run, request)


def _command_values(step: Step, request: JobRequest, parse: Parse) -> tuple[JobRequest, dict[str, object]]:
    settings = dict(step.job)
    parts, gpus = _count(settings, "parts", 1), _count(settings, "gpus", 0)
    # Only trainings get a signal before their time limit.
    settings.setdefault("signal_seconds", 0)
    request = replace(request, cluster=request.cluster.changed("job", settings), done=_done(step, parts))
    words = [*step.arguments, *(["--part", f"1/{parts}"] if parts > 1 else [])]
    check_command(words, parse, request.planned_outputs)
    # The script of one job, or of an array of parts.
    values = values_of(
        request.cluster,
        Resources(gpus=gpus),
        step.name,
        step.folder,
        ["s2tf", *step.arguments],
        request.argv,
        request.dependencies,
    )
    values |= {"done": request.done, "job_pattern": "%j" if parts == 1 else "%A_%a"}
    if parts > 1:
        values |= {"array": f"1-{parts}", "part": f'command+=(--part "$SLURM_ARRAY_TASK_ID/{parts}")'}
    return request, values


def _queue(planned: Planned) -> str:
    """Queue a step; returns the id of its job."""
    step, request = planned.step, planned.request
    values = planned.values | dependency(request.dependencies, list(request.needs_end.values()))
    if step.run is not None:
        # The job marks the step as done in this folder.
        step.folder.mkdir(parents=True, exist_ok=True)
        return queue_run(step.run, values, request)
    folder = step.folder
    with submitting(folder):
        if (job := active_job(folder)) is not None:
            say_active(job, folder)
            return job.id
        step.forget_replaced()
        _forget_partial(folder)
        (folder / PREPARE).write_text(render(PREPARE, values))
        number = submit(folder / PREPARE)
        note(folder, Submission(number, request.cluster.name, shlex.join(request.argv), step.name, request.needs))
    parts = f", parts {values['array']}" if values["array"] else ""
    print(f"job:        {number}{parts}\nfolder:     {folder}")
    return number


def _count(settings: dict[str, object], key: str, default: int) -> int:
    """Remove a number from a step's settings and return it."""
    value = settings.pop(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < default:
        raise UserError(f"job: {key} is {value!r}, expected a whole number of at least {default}")
    return value


def _done(step: Step, parts: int) -> str:
    """Write the shell lines that record a step's end, as `s2tf chain` does; only the last of several parts does so."""
    folder, record = shlex.quote(str(step.folder)), shlex.quote(step.record(step.result).strip())
    lines = [f"record={DONE_FILE}"]
    if parts > 1:
        # Every part leaves its status.
        lines = [
            f'echo "$status" >{folder}/part-"$SLURM_ARRAY_TASK_ID"-of-{parts}',
            f"if [ \"$(find {folder} -maxdepth 1 -name 'part-*-of-{parts}' | wc -l)\" -lt {parts} ]; then exit 0; fi",
            *lines,
            f"if grep -qhv '^0$' {folder}/part-*-of-{parts}; then status=3; fi",
        ]
    lines.append(f'if [ "$status" -ne 0 ]; then record={PARTIAL_FILE}; fi')
    # What a step needs may lack a part, too, or have failed.
    if needed := " ".join(shlex.quote(str(one.folder / DONE_FILE)) for one in step.needs):
        lines.append(f'for needed in {needed}; do [ -f "$needed" ] || record={PARTIAL_FILE}; done')
    path = f'{folder}/"$record"'
    # Two parts that end at once are both the last: each has a file of its own to move.
    own = f'{path}."$SLURM_JOB_ID".part'
    return "\n".join([*lines, f"printf '%s\\n' {record} >{own}", f"mv {own} {path}"])


def _forget_partial(folder: Path) -> None:
    """Remove the record of a partial result, which the queued job computes again, and those of its parts."""
    if (folder / PARTIAL_FILE).is_file():
        for path in [folder / PARTIAL_FILE, *folder.glob("part-*-of-*")]:
            path.unlink(missing_ok=True)


def _mark_done(step: Step, result: str) -> None:
    step.folder.mkdir(parents=True, exist_ok=True)
    atomic_write(step.folder / DONE_FILE, step.record(result))
