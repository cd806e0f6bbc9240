"""The parts of a job that several processes share."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def part_of(items: Sequence[T], part: tuple[int, int]) -> Sequence[T]:
    """The items of one part: every n-th one, beginning with the i-th.

    Args:
        items: All items, the same in every process.
        part: (i, n), the i-th of n parts, 1 <= i <= n.

    Raises:
        ValueError: There is no such part.
    """
    number, parts = part
    if not 1 <= number <= parts:
        raise ValueError(f"part {number} of {parts}: expected 1 to {parts}")
    return items[number - 1 :: parts]
