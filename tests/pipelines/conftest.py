import numpy as np
import pytest
from small_pipelines import coloured_noise, small_portrait_pipeline

from s2tf.pipelines.portrait import PortraitPipeline


@pytest.fixture
def portrait_pipeline() -> PortraitPipeline:
    """A first stage of random weights, as narrow as it goes."""
    return small_portrait_pipeline()


@pytest.fixture
def speech() -> np.ndarray:
    """Four seconds of coloured noise at 16 kHz."""
    return coloured_noise()
