"""Batch scripts: the templates of `slurm/` with a job's values; every queued script stays on disk to be read."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from s2tf.cluster.resources import Resources
from s2tf.cluster.settings import SLURM, Cluster
from s2tf.errors import UserError

FIELD = re.compile(r"@\{(\w+)\}")
RANK, REQUEUE_DECISION = "rank.sh", "requeue_decision.sh"
"""Files that are copied into the scripts of trainings."""


def render(template: str, values: Mapping[str, object]) -> str:
    """Fill in the fields of a template of `slurm/`.

    A line of `#SBATCH` whose field is None is left out, as is a line that consists of an empty field.

    Args:
        template: Name of the template, such as `train.sbatch`.
        values: Name in braces -> value.
    """
    parts = {Path(part).stem: _fill((SLURM / part).read_text(), values).strip() for part in (RANK, REQUEUE_DECISION)}
    values = {**values, **parts}
    return _fill((SLURM / template).read_text(), values)


def _fill(text: str, values: Mapping[str, object]) -> str:
    lines = []
    for line in text.splitlines():
        names = FIELD.findall(line)
        if line.startswith("#SBATCH") and any(values[name] is None for name in names):
            continue
        if names and not FIELD.sub("", line).strip() and not any(values[name] for name in names):
            continue
        lines.append(FIELD.sub(lambda found: str(values[found[1]]), line).rstrip())
    return "\n".join(lines) + "\n"


def values_of(
    cluster: Cluster,
    resources: Resources,
    name: str,
    folder: Path,
    command: Sequence[str],
    argv: Sequence[str],
    after: Sequence[str] = (),
) -> dict[str, object]:
    """Collect the values that all templates share.

    Args:
        cluster: Cluster that runs the job.
        resources: Size of the job.
        name: Name of the job.
        folder: Folder of the job's output.
        command: Words of the command that it runs.
        argv: Command line that requests the job.
        after: Jobs that must succeed first.

    Raises:
        UserError: The job does not fit the cluster's nodes.
    """
    _check(cluster, resources)
    gpus = f"gpu:{cluster.gpu_kind}:{resources.gpus}" if cluster.gpu_kind else f"gpu:{resources.gpus}"
    return {
        "name": shlex.quote(name),
        "directory": shlex.quote(str(Path.cwd())),
        "folder": shlex.quote(str(folder)),
        # In this path SLURM replaces `%j` by the job.
        "logs": shlex.quote(str(folder).replace("%", "%%")),
        "partition": cluster.partition,
        "account": cluster.account,
        "qos": cluster.qos,
        "nodes": resources.nodes,
        "tasks": resources.tasks,
        "gres": gpus if resources.gpus else None,
        "cpus": cluster.cpus_per_task,
        "memory": cluster.memory(resources.tasks),
        "time": cluster.time,
        "signal_seconds": cluster.signal_seconds,
        "restart_limit": cluster.restart_limit,
        **dependency(after),
        "array": None,
        "sbatch": "\n".join(f"#SBATCH {option}" for option in cluster.sbatch),
        # Lines of the script; `stage`, `done` and `part` are filled in by the jobs that have them.
        "setup": _setup(cluster),
        "launch": "".join(f"{word} " for word in cluster.srun),
        "container": f"{cluster.container} " if cluster.container else "",
        "command": shlex.join(command),
        "command_line": one_line(shlex.join(argv)),
        "stage": "",
        "done": "",
        "part": "",
    }


def dependency(after: Sequence[str], after_any: Sequence[str] = ()) -> dict[str, object]:
    """Return the values of a job that waits for the success of jobs, and for the end of others, be it a failure."""
    kinds = {"afterok": after, "afterany": after_any}
    waits = ",".join(":".join([kind, *jobs]) for kind, jobs in kinds.items() if jobs)
    return {"dependency": waits or None, "kill_on_invalid_dep": "yes" if after else None}


def one_line(text: str) -> str:
    """Join the lines of a text for a comment, since a second line would be a command."""
    return " ".join(text.splitlines())


def _check(cluster: Cluster, resources: Resources) -> None:
    if resources.gpus > cluster.gpus_per_node:
        has = f"{cluster.gpus_per_node} GPUs" if cluster.gpus else "no GPUs (no `gpus` in its settings)"
        raise UserError(
            f"trainer.devices is {resources.gpus}, but a node of {cluster.name} has {has}: use fewer, and more nodes "
            "(trainer.num_nodes), or another --cluster"
        )


def _setup(cluster: Cluster) -> str:
    """Write the shell lines before the first command; values are in double quotes, so that `$USER` is filled in."""
    lines = [f"export {name}={_quoted(value)}" for name, value in cluster.environment.items()]
    if cluster.scratch:
        lines.append(f"export S2TF_SCRATCH={_quoted(cluster.scratch)}")
    if cluster.modules:
        lines.append(f"module load {shlex.join(cluster.modules)}")
    return "\n".join([*lines, *cluster.setup])


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\`])', r"\\\1", text) + '"'


def staging(values: Mapping[str, object], folders: Sequence[str]) -> str:
    """Write the line that copies folders of shards to each node's own disk before a training; empty without folders."""
    if not folders:
        return ""
    copy = shlex.join(["python", "-m", "datamodules.shards.staging", *folders])
    return f'srun --ntasks="$SLURM_NNODES" --ntasks-per-node=1 {values["launch"]}{values["container"]}{copy}'
