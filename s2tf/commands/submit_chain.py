"""Queues the steps of a chain, each as a job that waits for those it needs."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.cluster.records import Submission, is_finished, note, submitting
from s2tf.cluster.script import Request, render, values_of
from s2tf.cluster.slurm import submit
from s2tf.commands.submit_runs import Order, accepted, active_job, submit_run
from s2tf.errors import UserError
from s2tf.survival.aside import write_aside

if TYPE_CHECKING:
    from s2tf.chains import Step

PREPARE = "prepare.sbatch"


def submit_chain(steps: Sequence["Step"], order: Order) -> None:
    """Queue every step that is neither done nor queued, after the jobs of those that it needs.

    Args:
        steps: parents before children.
        order: how they are queued.

    Raises:
        UserError: a step's command is wrong or something that it needs is missing; the message names the step.
    """
    jobs: dict[str, str] = {}
    promised = [Path(step.result) for step in steps if not step.done]
    for step in steps:
        print(f"--- {step.name}")
        if step.done:
            print(f"done:       {step.result}")
            continue
        needs = {before.name: jobs[before.name] for before in step.needs if before.name in jobs}
        here = f"step {step.name}"
        ours = replace(order, after=[*order.after, *needs.values()], needs=needs, promised=promised)
        try:
            number = _submit_step(step, ours, here)
        except UserError as error:
            raise UserError(f"{here}: {error}") from error
        if order.dry_run and not (step.run is not None and is_finished(step.run.folder)):
            # Children then show what they would wait for.
            number = number or f"JOB_OF_{step.name}"
        if number is not None:
            jobs[step.name] = number


def _submit_step(step: "Step", order: Order, here: str) -> str | None:
    settings = dict(step.job)
    parts, gpus = _count(here, settings, "parts", 1), _count(here, settings, "gpus", 0)
    run = step.run
    if run is None:
        # Only trainings are told before their time is over.
        settings.setdefault("signal_seconds", 0)
    elif strange := sorted({"parts", "gpus"} & set(step.job)):
        raise UserError(
            f"job: {strange[0]} is for commands that are no training: expected trainer.devices and trainer.num_nodes "
            "of its experiment"
        )
    order = replace(order, cluster=order.cluster.changed(f"{here}: job", settings), done=_done(step, parts))
    if run is None:
        return _submit_command(step, order, parts, gpus)
    if is_finished(run.folder):
        if not order.dry_run:
            _mark_done(step, str(run.folder))
        print(f"finished:   {run.folder}")
        return None
    if not order.dry_run:
        step.folder.mkdir(parents=True, exist_ok=True)
    return submit_run(run, order)


def _submit_command(step: "Step", order: Order, parts: int, gpus: int) -> str | None:
    """Queue a step that is no training."""
    folder = step.folder
    if (job := active_job(folder)) is not None:
        print(f"job {job.id} is {job.state} for {folder}: nothing is queued")
        return job.id
    command = ["s2tf", *step.arguments]
    values = values_of(order.cluster, Request(gpus=gpus), step.name, folder, command, order.said, order.after)
    values |= {"done": order.done, "job_pattern": "%j" if parts == 1 else "%A_%a"}
    if parts > 1:
        values |= {"array": f"1-{parts}", "part": f'command+=(--part "$SLURM_ARRAY_TASK_ID/{parts}")'}
    script = render(PREPARE, values)
    if not accepted(script, order):
        return None
    with submitting(folder):
        step.undo_others()
        (folder / PREPARE).write_text(script)
        number = submit(folder / PREPARE)
        note(folder, Submission(number, order.cluster.name, shlex.join(order.said), step.name, order.needs))
    print(f"job:        {number}{f', parts 1-{parts}' if parts > 1 else ''}\nfolder:     {folder}")
    return number


def _count(here: str, settings: dict[str, object], key: str, default: int) -> int:
    """A number among a step's settings, taken out of them."""
    value = settings.pop(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < default:
        raise UserError(f"{here}: job: {key} is {value!r}, expected a number from {default}")
    return value


def _done(step: "Step", parts: int) -> str:
    """Lines of shell that note a step as done, as `s2tf chain` does; of several parts the last one does it."""
    from s2tf.chains import DONE_FILE

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
    from s2tf.chains import DONE_FILE

    step.folder.mkdir(parents=True, exist_ok=True)
    write_aside(step.folder / DONE_FILE, step.record(result))
