"""Cluster settings: what a node has, and what a job needs before its first command, from `slurm/clusters/*.yaml`."""

import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2tf.config import packaged_folder
from s2tf.errors import UserError

SLURM = packaged_folder("slurm")
"""Folder of batch templates and cluster settings."""
TIME = re.compile(r"(\d+-)?\d+(:\d\d){0,2}|UNLIMITED", re.IGNORECASE)
MEMORY = re.compile(r"(\d+)([KMGT]?)", re.IGNORECASE)


@dataclass(frozen=True)
class Cluster:
    """A cluster YAML. In its texts the shell fills in `$VARIABLES` when the job runs."""

    name: str = ""
    """Of the file, which does not say it itself."""
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    gpus: str | None = None
    """Kind and number of a node's GPUs, such as `a6000:8`; none: processes run on CPUs."""
    cpus_per_task: int = 1
    """A task is a process: one for each GPU."""
    memory_per_task: str | None = None
    """Such as 48G; none: the partition's default."""
    time: str | None = None
    """Such as "2-00:00:00"."""
    modules: list[str] = field(default_factory=list)
    """Of `module load`."""
    setup: list[str] = field(default_factory=list)
    """Lines of shell, such as one that activates a virtual environment."""
    environment: dict[str, str] = field(default_factory=dict)
    """Exported for every process."""
    container: str | None = None
    """Words that stand before a command to run it in a container, such as `apptainer exec --nv s2tf.sif`."""
    scratch: str | None = None
    """A folder on each node's own disk, to which the shards of a training are copied before it; none: read in place."""
    sbatch: list[str] = field(default_factory=list)
    """More options of sbatch, such as --constraint=nvlink."""
    srun: list[str] = field(default_factory=list)
    """More options of srun, such as --mpi=none."""
    signal_seconds: int = 300
    """A training is told to save and stop so long before its time is over."""
    restart_limit: int = 3
    """Deaths, and starts in a folder in use, without a new checkpoint, after which a job is not queued again."""

    @property
    def gpu_kind(self) -> str | None:
        """`a6000` of `a6000:8`; None where only a number is given."""
        return self.gpus.rpartition(":")[0] or None if self.gpus else None

    @property
    def gpus_per_node(self) -> int:
        """8 of `a6000:8`."""
        return int(self.gpus.rpartition(":")[2]) if self.gpus else 0

    def memory(self, tasks: int) -> str | None:
        """What so many tasks need together."""
        if self.memory_per_task is None:
            return None
        found = MEMORY.fullmatch(self.memory_per_task)
        assert found is not None
        return f"{int(found[1]) * tasks}{found[2]}"

    def check(self, where: str) -> None:
        """Refuse values that sbatch would understand otherwise, or not at all.

        Raises:
            UserError: names `where`, the key and the value.
        """
        wrong = {
            "time": (self.time, TIME, 'days-hours:minutes:seconds in quotes, such as "2-00:00:00"'),
            "memory_per_task": (self.memory_per_task, MEMORY, "a number with K, M, G or T, such as 48G"),
            "gpus": (self.gpus, re.compile(r"([\w.-]+:)?[1-9]\d*"), "KIND:NUMBER of a node, such as a6000:8"),
        }
        for key, (value, pattern, expected) in wrong.items():
            if value is not None and not pattern.fullmatch(value):
                raise UserError(f"{where}: {key} is {value!r}, expected {expected}")
        if self.time is not None and (seconds := in_seconds(self.time)) is not None and seconds <= self.signal_seconds:
            raise UserError(
                f"{where}: signal_seconds is {self.signal_seconds}, and time is {self.time!r}: a training would "
                f"be told to stop when it begins, expected fewer than {seconds}"
            )
        for key in ("cpus_per_task", "signal_seconds", "restart_limit"):
            if getattr(self, key) < (1 if key == "cpus_per_task" else 0):
                raise UserError(f"{where}: {key} is {getattr(self, key)}, expected a positive number")

    def changed(self, where: str, settings: dict[str, Any]) -> "Cluster":
        """The same with some other settings, as a chain asks for a step.

        Raises:
            UserError: a key is unknown or a value wrong.
        """
        own = {key: getattr(self, key) for key in KEYS}
        return replace(_parse(where, {**own, **settings}), name=self.name)


def in_seconds(time: str) -> int | None:
    """A time in one of SLURM's forms: minutes, with `:seconds` or `hours:` before; after `days-`, hours come first.

    Returns:
        None for no limit.
    """
    if time.upper() == "UNLIMITED":
        return None
    days, dash, rest = time.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if not dash and len(parts) < 3:
        parts = [0, *parts]
    hours, minutes, seconds = (*parts, 0, 0)[:3]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


KEYS = [one.name for one in fields(Cluster) if one.name != "name"]
"""Of a cluster YAML."""


def load_cluster(name: str) -> Cluster:
    """The settings called `name` among those of s2tf, or a YAML file of the user's.

    Raises:
        UserError: there is no such file, a key is unknown, or a value wrong; the message names it.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else SLURM / "clusters" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in (SLURM / "clusters").glob("*.yaml")))
        raise UserError(f"--cluster {name}: no such settings: expected a YAML file, or one of {known}")
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path))
    except Exception as error:
        raise UserError(f"{path}: not a readable YAML file: {str(error).splitlines()[0]}") from error
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected a mapping at the top level")
    return replace(_parse(str(path), {str(key): value for key, value in tree.items()}), name=path.stem)


def _parse(where: str, tree: dict[str, Any]) -> Cluster:
    unknown = sorted(set(tree) - set(KEYS))
    if unknown:
        raise UserError(f"{where}: unknown key {unknown[0]!r}, expected one of {', '.join(KEYS)}")
    if isinstance(tree.get("time"), int):
        # YAML 1.1 reads 12:00:00 as a number of seconds, which sbatch would take for minutes.
        raise UserError(f'{where}: time is {tree["time"]}, expected it in quotes, such as "12:00:00"')
    try:
        cluster = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Cluster), tree))
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "?"
        raise UserError(f"{where}: {key}: {str(error).splitlines()[0]}") from error
    assert isinstance(cluster, Cluster)
    cluster.check(where)
    return cluster
