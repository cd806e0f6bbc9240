"""The statistical face prior z_p = (1/N) Σ E_f(f^i), streamed over a data set with gender balance (Eq. 5)."""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from s2tf.models.face_prior import FacePrior

FEMALE, MALE, UNKNOWN = 0, 1, -1
NAMES = {FEMALE: "female", MALE: "male", UNKNOWN: "unknown"}


class RunningStatistics:
    """Mean and overall variance of latents, accumulated in float64 without holding them."""

    def __init__(self, dim: int) -> None:
        self.count = 0
        self._sum = torch.zeros(dim, dtype=torch.float64)
        self._squares = 0.0

    def update(self, latents: Tensor) -> None:
        """Add latents of shape (B, d)."""
        rows = latents.detach().double().cpu()
        self.count += len(rows)
        self._sum += rows.sum(dim=0)
        self._squares += float((rows**2).sum())

    @property
    def mean(self) -> Tensor:
        """The mean latent, shape (d,), float64."""
        return self._sum / self.count

    @property
    def deviation(self) -> float:
        """The standard deviation of all entries about their common mean."""
        entries = self.count * len(self._sum)
        return max(self._squares / entries - float(self._sum.sum() / entries) ** 2, 0.0) ** 0.5


@dataclass
class _Choice:
    """The faces of one gender that are chosen so far: those with the `limit` smallest ranks."""

    limit: int | None
    heap: list[tuple[int, str]] = field(default_factory=list)
    latents: dict[str, Tensor] = field(default_factory=dict)

    def wants(self, rank: int) -> bool:
        return self.limit is None or len(self.heap) < self.limit or (self.limit > 0 and -rank > self.heap[0][0])

    def add(self, rank: int, key: str, latent: Tensor) -> None:
        if key in self.latents or not self.wants(rank):
            return
        heapq.heappush(self.heap, (-rank, key))
        self.latents[key] = latent
        if self.limit is not None and len(self.heap) > self.limit:
            _, dropped = heapq.heappop(self.heap)
            del self.latents[dropped]

    def smallest(self, count: int) -> list[tuple[str, Tensor]]:
        """The `count` faces with the smallest ranks, by key."""
        kept = sorted(self.heap, reverse=True)[:count]
        return sorted((key, self.latents[key]) for _, key in kept)


@dataclass(frozen=True)
class Wanted:
    """A requested prior of `n` faces with a share `balance` of women; None is the largest n that the balance allows.

    Raises:
        ValueError: A number is out of range.
    """

    n: int | None
    balance: float = 0.5

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 0 <= self.balance <= 1:
            raise ValueError(f"balance is {self.balance}, expected a share of women from 0 to 1")
        if self.n is not None and self.n < 2:
            raise ValueError(f"n is {self.n}, expected at least 2 faces")


def compute_face_priors(
    encoder: Callable[[Tensor], Tensor],
    batches: Iterable[Mapping[str, Any]],
    wanted: Sequence[Wanted],
    seed: int = 0,
    device: torch.device | str = "cpu",
    on_missing: Callable[[Wanted, ValueError], None] | None = None,
) -> "dict[Wanted, FacePrior]":
    """Average the latents of faces, for several N and shares of women in one pass.

    A sample's key and the seed give it a fixed random rank, and the faces with the smallest ranks of each gender are
    taken. The choice is thus the same for every order of the stream, batch size and number of workers; the faces of a
    smaller N are among those of a larger one; and faces that cannot be chosen any more are not encoded. A key is
    counted once. The stream must give a key the same picture every time.

    If the gender of some face is known, faces of unknown gender are left out. If no gender is known, any N faces are
    taken and the prior records `balanced: false`.

    Args:
        encoder: The face encoder, portraits (B, 3, H, W) to latents (B, d), in evaluation mode.
        batches: Rows of `key` (list of str), `portrait` (B, 3, H, W) and `gender` (B,): 0 female, 1 male, -1 unknown.
        wanted: The requested priors, at least one.
        seed: Seed for the choice of faces.
        device: Device of the encoder.
        on_missing: Function that is called with a prior with too few faces and the error, or None to raise the error.

    Returns:
        The priors with enough faces, each with z_p, the latents' scale and its provenance.

    Raises:
        ValueError: There are too few faces; the message gives the numbers.
    """
    if not wanted:
        raise ValueError("no prior is requested: expected at least one number of faces and one share of women")
    choices = _choose(encoder, batches, _quotas(wanted), seed, device)
    priors = {}
    for one in wanted:
        try:
            priors[one] = _prior(choices, one, seed)
        except ValueError as error:
            if on_missing is None:
                raise
            on_missing(one, error)
    return priors


def _prior(choices: Mapping[int, _Choice], wanted: Wanted, seed: int) -> FacePrior:
    available = {gender: len(choice.heap) for gender, choice in choices.items()}
    taken = _taken(available, wanted.n, wanted.balance)
    chosen = [face for gender, count in taken.items() for face in choices[gender].smallest(count)]
    statistics = RunningStatistics(chosen[0][1].numel())
    for _, latent in chosen:
        statistics.update(latent[None])
    prior = FacePrior(
        dim=chosen[0][1].numel(),
        n=len(chosen),
        female=taken[FEMALE],
        male=taken[MALE],
        unknown=taken[UNKNOWN],
        balance=wanted.balance,
        balanced=taken[UNKNOWN] == 0,
        seed=seed,
    )
    prior.z_p.copy_(statistics.mean)
    prior.scale.fill_(statistics.deviation)
    return prior.eval()


def _quotas(wanted: Sequence[Wanted]) -> dict[int, int | None]:
    """The largest number of faces of each gender that any prior takes; None for no limit."""
    if any(one.n is None for one in wanted):
        return {FEMALE: None, MALE: None, UNKNOWN: None}
    counts = [(round((one.n or 0) * one.balance), one.n or 0) for one in wanted]
    return {
        FEMALE: max(female for female, _ in counts),
        MALE: max(n - female for female, n in counts),
        UNKNOWN: max(n for _, n in counts),
    }


@torch.no_grad()
def _choose(
    encoder: Callable[[Tensor], Tensor],
    batches: Iterable[Mapping[str, Any]],
    quotas: Mapping[int, int | None],
    seed: int,
    device: torch.device | str,
) -> dict[int, _Choice]:
    choices = {gender: _Choice(limit) for gender, limit in quotas.items()}
    for batch in batches:
        ranks = [_rank(key, seed) for key in batch["key"]]
        genders = [int(gender) for gender in batch["gender"]]
        rows = [row for row, gender in enumerate(genders) if choices[gender].wants(ranks[row])]
        if not rows:
            continue
        latents = encoder(batch["portrait"][rows].to(device)).float().cpu()
        for row, latent in zip(rows, latents, strict=True):
            choices[genders[row]].add(ranks[row], batch["key"][row], latent)
    return choices


def _taken(available: Mapping[int, int], n: int | None, balance: float) -> dict[int, int]:
    female, male, unknown = available[FEMALE], available[MALE], available[UNKNOWN]
    if female + male == 0:
        count = unknown if n is None else n
        if unknown < max(count, 2):
            raise ValueError(f"the prior needs {n or 2} faces, but the data set has {unknown}, none of known gender")
        return {FEMALE: 0, MALE: 0, UNKNOWN: count}
    if n is None:
        n = _largest(female, male, balance)
    wanted = {FEMALE: round(n * balance), MALE: n - round(n * balance)}
    if female < wanted[FEMALE] or male < wanted[MALE] or n < 2:
        # A gender that is not lacking was counted only up to the number that is needed.
        has = {FEMALE: female, MALE: male}
        lacking = [
            f"{wanted[one]} {NAMES[one]} faces, but the data set has {has[one]}"
            for one in wanted
            if has[one] < wanted[one]
        ]
        raise ValueError(
            f"the prior of n = {n} faces at balance = {balance} needs {' and '.join(lacking) or 'two faces'}: "
            "lower n or change balance"
        )
    return {**wanted, UNKNOWN: 0}


def _largest(female: int, male: int, balance: float) -> int:
    n = female + male
    while n > 0 and (round(n * balance) > female or n - round(n * balance) > male):
        n -= 1
    return n


def _rank(key: str, seed: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{key}".encode(), digest_size=8).digest(), "big")
