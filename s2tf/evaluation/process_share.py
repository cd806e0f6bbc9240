"""The part of a list that each of several processes takes: as given, or by the numbers of SLURM and torchrun."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from s2tf.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """One of `count` parts; indices begin at 0."""

    index: int = 0
    count: int = 1

    def of(self, things: Sequence[T]) -> list[T]:
        """Return every `count`-th thing, starting at `index`."""
        return list(things[self.index :: self.count])


def choose_part(given: tuple[int, int] | None, environment: Mapping[str, str] | None = None) -> Part:
    """Choose the part of this process.

    In the environment, the tasks of a SLURM array divide the work, and the processes of each task (`srun`, torchrun)
    divide the task's part.

    Args:
        given: (I, N) of `--part I/N`, from 1 to N, or None to read the part from the environment.
        environment: Environment variables, or None for those of this process.

    Raises:
        UserError: The task numbers of the SLURM array are not consecutive.
    """
    if given is not None:
        return Part(given[0] - 1, given[1])
    environment = os.environ if environment is None else environment
    task, process = _array_task(environment), _launched_process(environment)
    return Part(task.index * process.count + process.index, task.count * process.count)


def _array_task(environment: Mapping[str, str]) -> Part:
    if "SLURM_ARRAY_TASK_ID" not in environment:
        return Part()
    number, low, high, count = (int(environment[f"SLURM_ARRAY_TASK_{name}"]) for name in ("ID", "MIN", "MAX", "COUNT"))
    if high - low + 1 != count:
        raise UserError(
            f"SLURM array of {count} tasks from {low} to {high}: expected consecutive numbers, or --part I/N"
        )
    return Part(number - low, count)


def _launched_process(environment: Mapping[str, str]) -> Part:
    for index, count in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")):
        if index in environment and count in environment:
            return Part(int(environment[index]), int(environment[count]))
    return Part()
