"""Who is trained on and who is held out: splits by identity, so that no speaker is in two of them."""

import random
from collections.abc import Iterable


def split_identities(identities: Iterable[str], *, val: float, test: float, seed: int) -> dict[str, str]:
    """Deal the identities out to `train`, `val` and `test`.

    A seeded shuffle of the sorted names: the same names and seed give the same splits. With three identities or more
    one at least is held out for test, with four or more one at least for validation; one at least is trained on.

    Args:
        identities: Names, repeated or not.
        val: Share of the identities held out for validation.
        test: Share held out for test.
        seed: Of the shuffle.

    Raises:
        ValueError: The shares are negative or leave nothing to train on.
    """
    if val < 0 or test < 0 or val + test >= 1:
        raise ValueError(f"val = {val} and test = {test} must be shares that leave identities to train on")
    names = sorted(set(identities))
    random.Random(seed).shuffle(names)
    tests = _share(len(names), test, least=3)
    vals = _share(len(names), val, least=4)
    tests = min(tests, max(0, len(names) - 1))
    vals = min(vals, max(0, len(names) - 1 - tests))
    return {
        name: "test" if index < tests else "val" if index < tests + vals else "train"
        for index, name in enumerate(names)
    }


def _share(count: int, share: float, least: int) -> int:
    if share == 0:
        return 0
    return max(round(count * share), 1 if count >= least else 0)
