"""Cluster settings of `slurm/clusters/*.yaml`: the equipment of a node, and the setup of a job."""

import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2tf.config import packaged_folder, read_yaml, texts
from s2tf.errors import UserError

SLURM = packaged_folder("slurm")
"""Folder of batch templates and cluster settings."""
TIME = re.compile(r"(\d+-)?\d+(:\d\d){0,2}|UNLIMITED", re.IGNORECASE)
MEMORY = re.compile(r"(\d+)([KMGT]?)", re.IGNORECASE)


@dataclass(frozen=True)
class Cluster:
    """Settings of a cluster YAML. The job's shell expands `$VARIABLES` in them."""

    name: str = ""
    """Stem of the file's name; not a key of the YAML."""
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    gpus: str | None = None
    """Kind and number of a node's GPUs, such as `a6000:8`, or None if processes run on CPUs."""
    cpus_per_task: int = 1
    """CPU cores of a task; a task is a process, and each GPU has one task."""
    memory_per_task: str | None = None
    """Memory of a task, such as 48G, or None for the partition's default."""
    time: str | None = None
    """Time limit, such as "2-00:00:00"."""
    modules: list[str] = field(default_factory=list)
    """Modules for `module load`."""
    setup: list[str] = field(default_factory=list)
    """Shell lines before the first command, for example to activate a virtual environment."""
    environment: dict[str, str] = field(default_factory=dict)
    """Environment variables that every process gets."""
    container: str | None = None
    """Words before a command that run it in a container, such as `apptainer exec --nv s2tf.sif`."""
    scratch: str | None = None
    """Folder on each node's own disk to which shards are copied before a training, or None to read them in place."""
    sbatch: list[str] = field(default_factory=list)
    """Further options of sbatch, such as --constraint=nvlink."""
    srun: list[str] = field(default_factory=list)
    """Further options of srun, such as --mpi=none."""
    signal_seconds: int = 300
    """Seconds before the time limit at which a training gets the signal to save and stop."""
    restart_limit: int = 3
    """Number of failed starts, also in a folder in use, that a job may have without a new checkpoint; after more it is
    not queued again."""

    @property
    def gpu_kind(self) -> str | None:
        """Kind of the GPUs, `a6000` in `a6000:8`, or None if only a number is given."""
        return self.gpus.rpartition(":")[0] or None if self.gpus else None

    @property
    def gpus_per_node(self) -> int:
        """Number of GPUs of a node, 8 in `a6000:8`."""
        return int(self.gpus.rpartition(":")[2]) if self.gpus else 0

    def memory(self, tasks: int) -> str | None:
        """Return the memory of a number of tasks together."""
        if self.memory_per_task is None:
            return None
        found = MEMORY.fullmatch(self.memory_per_task)
        assert found is not None
        return f"{int(found[1]) * tasks}{found[2]}"

    def check(self, where: str) -> None:
        """Refuse values that sbatch would misunderstand or reject.

        Raises:
            UserError: A value is wrong; the message names `where`, the key and the value.
        """
        # The form of texts.
        wrong = {
            "time": (self.time, TIME, 'days-hours:minutes:seconds in quotes, such as "2-00:00:00"'),
            "memory_per_task": (self.memory_per_task, MEMORY, "a number with K, M, G or T, such as 48G"),
            "gpus": (self.gpus, re.compile(r"([\w.-]+:)?[1-9]\d*"), "KIND:NUMBER of a node's GPUs, such as a6000:8"),
        }
        for key, (value, pattern, expected) in wrong.items():
            if value is not None and not pattern.fullmatch(value):
                raise UserError(f"{where}: {key} is {value!r}, expected {expected}")
        # The range of numbers.
        if self.time is not None and (seconds := in_seconds(self.time)) is not None and seconds <= self.signal_seconds:
            raise UserError(
                f"{where}: signal_seconds is {self.signal_seconds}, and time is {self.time!r}: a training would get "
                f"the signal to stop when it begins, expected fewer than {seconds}"
            )
        for key in ("cpus_per_task", "signal_seconds", "restart_limit"):
            if getattr(self, key) < (1 if key == "cpus_per_task" else 0):
                raise UserError(f"{where}: {key} is {getattr(self, key)}, expected a positive number")

    def changed(self, where: str, settings: dict[str, Any]) -> "Cluster":
        """Return a copy with some changed settings, such as those of a chain's step.

        Raises:
            UserError: A key is unknown, or a value is wrong.
        """
        own = {key: getattr(self, key) for key in KEYS}
        return replace(_parse(where, {**own, **settings}), name=self.name)


def in_seconds(time: str) -> int | None:
    """Convert a time in one of SLURM's forms into seconds.

    Args:
        time: `minutes`, `minutes:seconds`, `hours:minutes:seconds`, or `days-` before `hours:minutes:seconds`.

    Returns:
        The seconds, or None for no limit.
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
"""Keys of a cluster YAML."""


def load_cluster(name: str) -> Cluster:
    """Read the settings with this name that come with s2tf, or those of a YAML file.

    Raises:
        UserError: The file does not exist, a key is unknown, or a value is wrong; the message names it.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else SLURM / "clusters" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in (SLURM / "clusters").glob("*.yaml")))
        raise UserError(f"--cluster {name}: unknown cluster, expected a YAML file or one of {known}")
    tree = texts(read_yaml(path))
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected a mapping at the top level")
    return replace(_parse(str(path), {str(key): value for key, value in tree.items()}), name=path.stem)


def _parse(where: str, tree: dict[str, Any]) -> Cluster:
    unknown = sorted(set(tree) - set(KEYS))
    if unknown:
        raise UserError(f"{where}: unknown key {unknown[0]!r}, expected one of {', '.join(KEYS)}")
    try:
        cluster = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Cluster), tree))
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "?"
        raise UserError(f"{where}: {key}: {str(error).splitlines()[0]}") from error
    assert isinstance(cluster, Cluster)
    cluster.check(where)
    return cluster
