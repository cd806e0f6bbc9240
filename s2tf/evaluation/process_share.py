"""A share of a list of things for each of several processes: given, or as SLURM and torchrun say."""

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
        """Every `count`-th of them."""
        return list(things[self.index :: self.count])


def parse_part(text: str | None, environment: Mapping[str, str] | None = None) -> Part:
    """The part that `--process I/N` (from 1 to N) names, else that of the environment.

    There, a SLURM array's tasks divide the work, and each task's processes (`srun`, torchrun) divide their share.

    Raises:
        UserError: The text is not I/N with 1 <= I <= N, or the array's numbers are not consecutive.
    """
    if text is not None:
        index, _, count = text.partition("/")
        if not (index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count)):
            raise UserError(f"--process {text}: expected I/N such as 1/8, I from 1 to N")
        return Part(int(index) - 1, int(count))
    environment = os.environ if environment is None else environment
    task, process = _array(environment), _process(environment)
    return Part(task.index * process.count + process.index, task.count * process.count)


def _array(environment: Mapping[str, str]) -> Part:
    if "SLURM_ARRAY_TASK_ID" not in environment:
        return Part()
    number, low, high, count = (int(environment[f"SLURM_ARRAY_TASK_{name}"]) for name in ("ID", "MIN", "MAX", "COUNT"))
    if high - low + 1 != count:
        raise UserError(
            f"SLURM array of {count} tasks from {low} to {high}: expected consecutive numbers, or --process I/N"
        )
    return Part(number - low, count)


def _process(environment: Mapping[str, str]) -> Part:
    for index, count in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")):
        if index in environment and count in environment:
            return Part(int(environment[index]), int(environment[count]))
    return Part()
