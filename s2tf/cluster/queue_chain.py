"""Queues the steps of a chain, each as a job that waits for those it needs."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from s2tf.cluster.preflight_steps import check_command, check_options
from s2tf.cluster.queue_runs import TRAIN, Order, accepted, active_job, queue_run, say_active, training_values
from s2tf.cluster.records import Submission, is_finished, note, submitting
from s2tf.cluster.script import Request, render, values_of, waiting
from s2tf.cluster.slurm import submit
from s2tf.errors import UserError
from s2tf.fault_tolerance.atomic_files import atomic_write
from s2tf.runs.chain import DONE_FILE, Step
from s2tf.runs.folder import Run

PREPARE = "prepare.sbatch"


@dataclass(frozen=True)
class Planned:
    """A step that was checked and is to be queued."""

    step: "Step"
    order: Order
    values: dict[str, object]
    """Of its script."""


def submit_chain(steps: Sequence["Step"], order: Order) -> None:
    """Queue every step that is neither done nor queued, after the jobs of those that it needs.

    All are checked, and shown to SLURM, before the first is queued.

    Args:
        steps: parents before children.
        order: how they are queued.

    Raises:
        UserError: a step's command is wrong or something that it needs is missing; the message names the step.
    """
    jobs: dict[str, str] = {}
    planned = []
    order = replace(order, promised=[Path(step.result) for step in steps if not step.done])
    for step in steps:
        print(f"--- {step.name}")
        with _named(step):
            found = _plan(step, _after(step, jobs, order))
        if isinstance(found, str):
            jobs[step.name] = found
        elif found is not None:
            planned.append(found)
            jobs[step.name] = f"JOB_OF_{step.name}"
    for one in [] if order.dry_run else planned:
        print(f"--- {one.step.name}")
        with _named(one.step):
            jobs[one.step.name] = _queue(replace(one, order=_after(one.step, jobs, one.order)))


@contextmanager
def _named(step: "Step") -> Iterator[None]:
    """Say in an error which step it is about."""
    try:
        yield
    except UserError as error:
        raise UserError(f"step {step.name}: {error}") from error


def _after(step: "Step", jobs: Mapping[str, str], order: Order) -> Order:
    """The order of a step, which waits for the jobs of those that it needs."""
    return replace(order, needs={before.name: jobs[before.name] for before in step.needs if before.name in jobs})


def _plan(step: "Step", order: Order) -> Planned | str | None:
    """What is to be queued for a step; the id of the job that is queued already; None where it is done."""
    if step.done:
        print(f"done:       {step.result}")
        return None
    run = step.run
    folder = step.folder if run is None else run.folder.resolve()
    if run is not None and is_finished(folder):
        print(f"finished:   {folder}")
        if not order.dry_run:
            _mark_done(step, str(run.folder))
        return None
    if (job := active_job(folder)) is not None:
        say_active(job, folder)
        return job.id
    order, values = _command_values(step, order) if run is None else _training_values(step, run, order)
    accepted(render(PREPARE if run is None else TRAIN, values), order)
    return Planned(step, order, values)


def _training_values(step: "Step", run: "Run", order: Order) -> tuple[Order, dict[str, object]]:
    if strange := sorted({"parts", "gpus"} & set(step.job)):
        raise UserError(
            f"job: {strange[0]} is for commands that are no training: expected trainer.devices and trainer.num_nodes "
            "of its experiment"
        )
    check_options(step)
    order = replace(order, cluster=order.cluster.changed("job", dict(step.job)), done=_done(step, 1))
    return order, training_values(run, order)


def _command_values(step: "Step", order: Order) -> tuple[Order, dict[str, object]]:
    settings = dict(step.job)
    parts, gpus = _count(settings, "parts", 1), _count(settings, "gpus", 0)
    # Only trainings are told before their time is over.
    settings.setdefault("signal_seconds", 0)
    order = replace(order, cluster=order.cluster.changed("job", settings), done=_done(step, parts))
    check_command([*step.arguments, *(["--part", f"1/{parts}"] if parts > 1 else [])], order.promised)
    command = ["s2tf", *step.arguments]
    values = values_of(order.cluster, Request(gpus=gpus), step.name, step.folder, command, order.said, order.waits)
    values |= {"done": order.done, "job_pattern": "%j" if parts == 1 else "%A_%a"}
    if parts > 1:
        values |= {"array": f"1-{parts}", "part": f'command+=(--part "$SLURM_ARRAY_TASK_ID/{parts}")'}
    return order, values


def _queue(planned: Planned) -> str:
    """Queue a step; returns the id of its job."""
    step, order, values = planned.step, planned.order, planned.values | waiting(planned.order.waits)
    if step.run is not None:
        # Where the job notes that it is done.
        step.folder.mkdir(parents=True, exist_ok=True)
        return queue_run(step.run, values, order)
    folder = step.folder
    with submitting(folder):
        if (job := active_job(folder)) is not None:
            say_active(job, folder)
            return job.id
        step.forget_replaced()
        (folder / PREPARE).write_text(render(PREPARE, values))
        number = submit(folder / PREPARE)
        note(folder, Submission(number, order.cluster.name, shlex.join(order.said), step.name, order.needs))
    parts = f", parts {values['array']}" if values["array"] else ""
    print(f"job:        {number}{parts}\nfolder:     {folder}")
    return number


def _count(settings: dict[str, object], key: str, default: int) -> int:
    """A number among a step's settings, taken out of them."""
    value = settings.pop(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < default:
        raise UserError(f"job: {key} is {value!r}, expected a number from {default}")
    return value


def _done(step: "Step", parts: int) -> str:
    """Lines of shell that note a step as done, as `s2tf chain` does; of several parts the last one does it."""
    done = step.folder / DONE_FILE
    aside, record = shlex.quote(f"{done}.part"), shlex.quote(step.record(step.result).strip())
    write = f"printf '%s\\n' {record} >{aside}\nmv {aside} {shlex.quote(str(done))}"
    if parts == 1:
        return write
    folder = shlex.quote(str(step.folder))
    return "\n".join(
        [
            f'touch {folder}/part-"$SLURM_ARRAY_TASK_ID"-of-{parts}',
            f"if [ \"$(find {folder} -maxdepth 1 -name 'part-*-of-{parts}' | wc -l)\" -lt {parts} ]; then exit 0; fi",
            write,
        ]
    )


def _mark_done(step: "Step", result: str) -> None:
    step.folder.mkdir(parents=True, exist_ok=True)
    atomic_write(step.folder / DONE_FILE, step.record(result))
