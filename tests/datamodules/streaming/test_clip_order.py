"""The order of training: shuffled epochs dealt out to slots, and mixtures that can be counted from any row."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.streaming.clip_order import ClipOrder, Mixture


def clips(order, start, count):
    """Clips `start` to `start + count - 1` of a slot, as (shard, number in the shard)."""
    numbers = ((run.shard, number) for run in order.runs(start) for number in range(run.start, run.stop))
    return list(itertools.islice(numbers, count))


@given(
    counts=st.lists(st.integers(0, 7), min_size=1, max_size=9).filter(any),
    slots=st.integers(1, 12),
    start=st.integers(0, 120),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_a_slot_can_begin_anywhere_in_its_sequence(counts, slots, start, seed):
    for slot in range(slots):
        order = ClipOrder(np.array(counts), str(seed), slot, slots)
        assert clips(order, start, 30) == clips(order, 0, start + 30)[start:]


@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=9), slots=st.integers(1, 9), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_slots_times_the_shards_are_read_equally_often(counts, slots, seed):
    # After `slots` epochs every slot has had as many shards as there are, and all slots together each clip that often.
    n = len(counts)
    seen: dict[tuple[int, int], int] = {}
    for slot in range(slots):
        runs = itertools.islice(ClipOrder(np.array(counts), str(seed), slot, slots).runs(0), n)
        for run in runs:
            for number in range(run.start, run.stop):
                seen[run.shard, number] = seen.get((run.shard, number), 0) + 1
    assert seen == {(shard, number): slots for shard in range(n) for number in range(counts[shard])}


def test_another_seed_gives_another_order():
    first, other = (clips(ClipOrder(np.full(50, 3), seed, 0, 2), 0, 75) for seed in ("0", "1"))
    assert first != other


def test_a_mixture_has_its_weights_within_the_error_of_chance():
    weights, rows = [5.0, 3.0, 0.5], 60_000
    counts = Mixture(weights, "0", slot=3).rows_before(rows)
    shares = np.array(weights) / sum(weights)
    error = np.sqrt(rows * shares * (1 - shares))
    assert sum(counts) == rows
    assert (np.abs(counts - rows * shares) < 4 * error).all()


@given(row=st.integers(0, 20_000), slot=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_a_mixture_s_rows_are_counted_as_they_are_drawn(row, slot):
    mixture = Mixture([1.0, 2.0, 3.0], "7", slot)
    drawn = list(itertools.islice(mixture.choices(0), row + 50))
    assert mixture.rows_before(row) == np.bincount(drawn[:row], minlength=3).tolist()
    assert list(itertools.islice(mixture.choices(row), 50)) == drawn[row:]
