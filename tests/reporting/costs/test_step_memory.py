"""The memory of a training step of the second stage, counted on tensors without values."""

import pytest

from s2tf.reporting.costs.memory import A6000, MARGIN
from s2tf.reporting.costs.step_memory import estimate_second_stage


@pytest.mark.slow
def test_a_step_of_every_part_of_the_second_stage_fits_the_papers_cards():
    estimates = estimate_second_stage()
    assert list(estimates) == ["motion_autoencoder", "codebook", "lip_landmarks", "motion_diffusion"]
    for estimate in estimates.values():
        assert estimate.weights + estimate.training < estimate.total(estimate.batch) < MARGIN * A6000
        assert estimate.largest_batch() >= estimate.batch
    # Counted before by fake CUDA tensors: 10.9 GiB, DDP's buckets in it.
    assert estimates["motion_autoencoder"].total(8) == pytest.approx(10.5 * 2**30, rel=0.1)
