"""Published weights that define a metric, given by the path of a local file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from s2tf.nn.network import weights_fingerprint
from s2tf.nn.weight_files import check_finite, one_line, read_tensors

RANDOM = "random"
RANDOM_WEIGHTS = "RANDOM WEIGHTS"
"""Replaces the fingerprint in a protocol, so that the number is not mistaken for the metric's."""


@dataclass(frozen=True)
class PublishedWeights:
    """The published file of a network's weights."""

    network: str
    source: str
    """The project that publishes them."""
    file: str

    def check(self, weights: str, *, allow_random: bool) -> None:
        """Check that a file exists; `random` passes if it is allowed.

        Raises:
            ValueError: the weights are random, which is not allowed here.
            FileNotFoundError: the file is missing.
        """
        expected = f"{self.source}'s {self.file}"
        if weights == RANDOM:
            if not allow_random:
                raise ValueError(f"{self.network} with random weights is no metric, expected the path of {expected}")
        elif not Path(weights).is_file():
            raise FileNotFoundError(f"{weights} does not exist, expected {expected}")

    def read(self, weights: str) -> dict[str, Tensor]:
        """The file's tensors by name, on the CPU.

        Raises:
            ValueError: the file does not hold weights.
        """
        try:
            state = read_tensors(weights)
            check_finite(state, weights)
        except ValueError as error:
            raise self.misfit(weights, error) from error
        return state

    def misfit(self, weights: str, reason: Any) -> ValueError:
        """The error for a file that does not fit the network."""
        if isinstance(reason, Exception):
            reason = one_line(reason).removeprefix(f"{weights} ").removeprefix(f"{weights}: ")
        return ValueError(f"{weights} does not fit {self.network}, expected {self.source}'s {self.file}: {reason}")


def weights_record(network: nn.Module, weights: str) -> str:
    """The entry for a network's weights in a protocol: their fingerprint, or `RANDOM_WEIGHTS`.

    Example:
        >>> weights_record(nn.Linear(2, 2), "random")
        'RANDOM WEIGHTS'
    """
    return RANDOM_WEIGHTS if weights == RANDOM else weights_fingerprint(network)
