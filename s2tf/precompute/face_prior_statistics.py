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
    seen: int = 0
    """Faces of the gender that were seen, chosen or not."""
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
    """A requested prior of `n` faces with a share `balance` of women.

    Attributes:
        n: Number of faces, or None for the largest number that the balance allows.
        balance: Share of women, or None for any faces, whether their gender is known or not.

    Raises:
        ValueError: A number is out of range.
    """

    n: int | None
    balance: float | None = 0.5

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.balance is not None and not 0 <= self.balance <= 1:
            raise ValueError(f"prior.female is {self.balance}, expected a share of women from 0 to 1")
        if self.n is not None and self.n < 2:
            raise ValueError(f"prior.faces is {self.n}, expected at least 2 faces")

    def quota(self, gender: int) -> int | None:
        """The greatest number of faces of a gender that the prior takes; None for no limit."""
        if self.balance is None:
            return self.n
        if gender == UNKNOWN:
            return 0
        female = None if self.n is None else round(self.n * self.balance)
        return female if gender == FEMALE or female is None or self.n is None else self.n - female


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

    Faces of unknown gender are left out, since the share of women is kept exactly; only a prior of any faces (balance
    None) takes them, and records `balanced: false`.

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
        raise ValueError("no prior is requested: expected a number in prior.faces and a share in prior.female")
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
    chosen = _any_faces(choices, wanted) if wanted.balance is None else _balanced(choices, wanted, wanted.balance)
    latents = [latent for faces in chosen.values() for _, latent in faces]
    statistics = RunningStatistics(latents[0].numel())
    for latent in latents:
        statistics.update(latent[None])
    prior = FacePrior(
        dim=latents[0].numel(),
        n=len(latents),
        **{NAMES[gender]: len(faces) for gender, faces in chosen.items()},
        balance=wanted.balance,
        balanced=wanted.balance is not None,
        seed=seed,
    )
    prior.z_p.copy_(statistics.mean)
    prior.scale.fill_(statistics.deviation)
    return prior.eval()


def _quotas(wanted: Sequence[Wanted]) -> dict[int, int | None]:
    """The largest number of faces of each gender that any prior takes; None for no limit."""
    quotas: dict[int, int | None] = {}
    for gender in NAMES:
        each = [one.quota(gender) for one in wanted]
        known = [quota for quota in each if quota is not None]
        quotas[gender] = max(known) if len(known) == len(each) else None
    return quotas


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
        for gender in genders:
            choices[gender].seen += 1
        rows = [row for row, gender in enumerate(genders) if choices[gender].wants(ranks[row])]
        if not rows:
            continue
        latents = encoder(batch["portrait"][rows].to(device)).float().cpu()
        for row, latent in zip(rows, latents, strict=True):
            choices[genders[row]].add(ranks[row], batch["key"][row], latent)
    return choices


Faces = list[tuple[str, Tensor]]
"""Keys and latents."""


def _any_faces(choices: Mapping[int, _Choice], wanted: Wanted) -> dict[int, Faces]:
    """The faces with the smallest ranks of all genders together."""
    ranked = sorted(((-rank, key, gender) for gender, choice in choices.items() for rank, key in choice.heap))
    count = len(ranked) if wanted.n is None else wanted.n
    if len(ranked) < max(count, 2):
        raise ValueError(
            f"the prior needs {max(count, 2)} faces, but the data set has {len(ranked)}: lower prior.faces"
        )
    keys = {key for _, key, _ in ranked[:count]}
    return {
        gender: sorted((key, latent) for key, latent in choice.latents.items() if key in keys)
        for gender, choice in choices.items()
    }


def _balanced(choices: Mapping[int, _Choice], wanted: Wanted, balance: float) -> dict[int, Faces]:
    """The faces with the smallest ranks of each gender.

    Raises:
        ValueError: There are too few of a gender; names the numbers, and the command that adds genders.
    """
    female, male = (len(choices[gender].heap) for gender in (FEMALE, MALE))
    most = _largest(female, male, balance)
    n = most if wanted.n is None else wanted.n
    needs = {FEMALE: round(n * balance), MALE: n - round(n * balance), UNKNOWN: 0}
    if n < 2 or female < needs[FEMALE] or male < needs[MALE]:
        raise ValueError(_too_few(choices, n, balance, most))
    return {gender: choices[gender].smallest(count) for gender, count in needs.items()}


def _too_few(choices: Mapping[int, _Choice], n: int, balance: float, most: int) -> str:
    wish = f"a prior of {n} faces" if n >= 2 else "a prior of two faces or more"
    n = max(n, 2)
    has = ", ".join(f"{choices[gender].seen} {NAMES[gender]}" for gender in (FEMALE, MALE))
    unknown = choices[UNKNOWN].seen
    remedies = [f"lower prior.faces to at most {most}"] if most >= 2 else []
    if unknown:
        remedies.append(
            f"add the gender of the {unknown} faces by `s2tf attributes SHARDS --attributes READER --out NEW` and give "
            "vars.shards=NEW"
        )
    remedies.append("change the share prior.female (null takes any faces)")
    return (
        f"{wish} with a share of women of {balance:g} needs {round(n * balance)} female and {n - round(n * balance)} "
        f"male faces, but the data set has {has} and {unknown} of unknown gender: {', or '.join(remedies)}"
    )


def _largest(female: int, male: int, balance: float) -> int:
    n = female + male
    while n > 0 and (round(n * balance) > female or n - round(n * balance) > male):
        n -= 1
    return n


def _rank(key: str, seed: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{key}".encode(), digest_size=8).digest(), "big")
