"""Splits by identity, so that no speaker is in two of them."""

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from datamodules.prepare.recording import Recording


@dataclass(frozen=True)
class HeldOut:
    """The people kept out of training: their shares, and the seed that chooses them.

    A seeded shuffle of the sorted names divides them: the same names and seed give the same splits. Of three
    identities or more at least one is held out for test, of four or more at least one for validation; at least one is
    trained on.

    Attributes:
        val: Share of the identities held out for validation.
        test: Share held out for test; 0 where the data set names its own test set.
        seed: Seed for the choice of identities.

    Raises:
        ValueError: The shares are negative or leave nothing to train on.
    """

    val: float = 0.1
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.val < 0 or self.test < 0 or self.val + self.test >= 1:
            raise ValueError(
                f"val = {self.val} and test = {self.test} must be shares that leave identities to train on"
            )

    def deal(self, identities: Iterable[str]) -> dict[str, str]:
        """The split of every identity: `train`, `val` or `test`; a repeated name counts once."""
        names = sorted(set(identities))
        random.Random(self.seed).shuffle(names)
        tests = _count(len(names), self.test, least=3)
        vals = _count(len(names), self.val, least=4)
        tests = min(tests, max(0, len(names) - 1))
        vals = min(vals, max(0, len(names) - 1 - tests))
        return {
            name: "test" if index < tests else "val" if index < tests + vals else "train"
            for index, name in enumerate(names)
        }


def assign_splits(
    recordings: Iterable[Recording], held_out: HeldOut, test_set: Collection[str] | None = None
) -> list[Recording]:
    """The recordings, each with the split of its identity.

    Args:
        recordings: All recordings of the data set.
        held_out: Shares held out of the identities; of those outside `test_set`, where there is one.
        test_set: Identities of the data set's own test set; None: it names none.

    Raises:
        ValueError: The data set names its own test set, and another share is held out for test.
    """
    recordings = list(recordings)
    tests = set(test_set or ())
    if test_set is not None and held_out.test:
        raise ValueError(f"test = {held_out.test}: the data set names its own test set, expected 0")
    splits = held_out.deal({item.identity for item in recordings} - tests) | dict.fromkeys(tests, "test")
    return [replace(item, split=splits[item.identity]) for item in recordings]


def _count(identities: int, share: float, least: int) -> int:
    if share == 0:
        return 0
    return max(round(identities * share), 1 if identities >= least else 0)
