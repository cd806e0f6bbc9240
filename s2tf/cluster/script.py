"""Batch scripts: the templates of `slurm/` with a job's values, so that what is queued can be read."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2tf.cluster.settings import SLURM, Cluster
from s2tf.errors import UserError

FIELD = re.compile(r"@\{(\w+)\}")
RANK, VERDICT = "rank.sh", "verdict.sh"
"""Parts of the scripts of trainings."""


@dataclass(frozen=True)
class Request:
    """What a job asks of the cluster."""

    nodes: int = 1
    tasks: int = 1
    """On each node."""
    gpus: int = 0
    """On each node."""


def render(template: str, values: Mapping[str, object]) -> str:
    """A template of `slurm/` with its fields filled in.

    A line of `#SBATCH` whose field is None is left out, and so is any line of nothing but a field that is empty.

    Args:
        template: such as `train.sbatch`.
        values: by the names in the braces.
    """
    parts = {Path(part).stem: _fill((SLURM / part).read_text(), values).strip() for part in (RANK, VERDICT)}
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
    request: Request,
    name: str,
    folder: Path,
    command: Sequence[str],
    said: Sequence[str],
    after: Sequence[str] = (),
) -> dict[str, object]:
    """The values that all templates share.

    Args:
        cluster: where it runs.
        request: what it asks for.
        name: of the job.
        folder: of the job's output.
        command: that it runs.
        said: the command line that asked for it.
        after: jobs that must have succeeded before.

    Raises:
        UserError: the request does not fit the cluster's nodes.
    """
    _check(cluster, request)
    gpus = f"gpu:{cluster.gpu_kind}:{request.gpus}" if cluster.gpu_kind else f"gpu:{request.gpus}"
    return {
        "name": shlex.quote(name),
        "directory": shlex.quote(str(Path.cwd())),
        "folder": shlex.quote(str(folder)),
        # Where `%j` is the job.
        "logs": shlex.quote(str(folder).replace("%", "%%")),
        "partition": cluster.partition,
        "account": cluster.account,
        "qos": cluster.qos,
        "nodes": request.nodes,
        "tasks": request.tasks,
        "gres": gpus if request.gpus else None,
        "cpus": cluster.cpus_per_task,
        "memory": cluster.memory(request.tasks),
        "time": cluster.time,
        "signal_seconds": cluster.signal_seconds,
        "restart_limit": cluster.restart_limit,
        **waiting(after),
        "array": None,
        "sbatch": "\n".join(f"#SBATCH {option}" for option in cluster.sbatch),
        "setup": _setup(cluster),
        "launch": "".join(f"{word} " for word in cluster.srun),
        "container": f"{cluster.container} " if cluster.container else "",
        "command": shlex.join(command),
        "command_line": one_line(shlex.join(said)),
        "stage": "",
        "done": "",
        "part": "",
    }


def waiting(after: Sequence[str]) -> dict[str, object]:
    """The values of a job that waits for the success of others."""
    return {
        "dependency": f"afterok:{':'.join(after)}" if after else None,
        "kill_on_invalid_dep": "yes" if after else None,
    }


def one_line(text: str) -> str:
    """A text for a comment, whose second line would be a command."""
    return " ".join(text.splitlines())


def _check(cluster: Cluster, request: Request) -> None:
    if request.gpus > cluster.gpus_per_node:
        has = f"{cluster.gpus_per_node} GPUs" if cluster.gpus else "no GPUs (no `gpus` in its settings)"
        raise UserError(
            f"trainer.devices is {request.gpus}, but a node of {cluster.name} has {has}: use fewer, and more nodes "
            "(trainer.num_nodes), or another --cluster"
        )


def _setup(cluster: Cluster) -> str:
    """The lines of shell before the first command; in double quotes, so that `$USER` is filled in."""
    lines = [f"export {name}={_quoted(value)}" for name, value in cluster.environment.items()]
    if cluster.scratch:
        lines.append(f"export S2TF_SCRATCH={_quoted(cluster.scratch)}")
    if cluster.modules:
        lines.append(f"module load {shlex.join(cluster.modules)}")
    return "\n".join([*lines, *cluster.setup])


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\`])', r"\\\1", text) + '"'


def staging(values: Mapping[str, object], folders: Sequence[str]) -> str:
    """The line that copies folders of shards to each node's own disk before a training; none where there are none."""
    if not folders:
        return ""
    copy = shlex.join(["python", "-m", "datamodules.shards.staging", *folders])
    return f'srun --ntasks="$SLURM_NNODES" --ntasks-per-node=1 {values["launch"]}{values["container"]}{copy}'
