"""Scores of portraits as in Tables I to VI, from their features and attributes, with baselines."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.faces.attributes import UNKNOWN, Attributes
from s2tf.metrics.attributes import AGE_TOLERANCE, IdentityPreservation
from s2tf.metrics.portrait import FeatureDistance, SeedVariation, SpeakerConsistency
from s2tf.metrics.retrieval import RecallAtK, cosine_ranks, identity_gallery

RANKS = (1, 2, 5, 10)


@dataclass
class PortraitReadings:
    """Readings of the pictures of each test clip, in the clips' order."""

    keys: list[str] = field(default_factory=list)
    identities: list[int] = field(default_factory=list)
    labels: list[Attributes] = field(default_factory=list)
    """Gender and age of the speaker as the data set states them."""
    reference: list[Tensor] = field(default_factory=list)
    """Features (D,) of the reference frame."""
    other: list[Tensor | None] = field(default_factory=list)
    """Features of another frame of the clip for the ground-truth row, or None without another frame."""
    generated: list[Tensor] = field(default_factory=list)
    """Features of the portrait."""
    read: list[Attributes | None] = field(default_factory=list)
    """Gender and age read from the portrait; empty without a reader."""
    read_reference: list[Attributes | None] = field(default_factory=list)
    """Gender and age read from the reference frame, for clips whose data set does not state both."""
    read_other: list[Attributes | None] = field(default_factory=list)
    """Gender and age read from another frame of the clip, for the ground-truth row."""
    varied: list[Tensor] = field(default_factory=list)
    """Features (N, D) of portraits of one speech with N seeds, for some of the clips."""
    only_searched: list[tuple[int, Tensor]] = field(default_factory=list)
    """Speaker and features (D,) of reference frames without a portrait: all systems search the same gallery."""


def portrait_scores(
    readings: PortraitReadings,
    mean_face: Tensor,
    faces: Mapping[str, Any],
    attributes: Mapping[str, Any] | None,
    protocol: Mapping[str, Any],
) -> list[Measurement]:
    """Compute all numbers of the paper's portrait tables, and diversity and consistency (Fig. 3).

    Args:
        readings: Readings of all test clips.
        mean_face: Features (1, D) of the mean face, the baseline of the distances.
        faces: Protocol of the network that computed the features.
        attributes: Protocol of the reader of gender and age, or None without a reader.
        protocol: Protocol of the portraits.
    """
    return [
        *_distances(readings, mean_face, str(faces["network"]), protocol),
        *retrieval_scores(
            readings.reference,
            readings.identities,
            readings.generated,
            readings.other,
            protocol,
            readings.only_searched,
        ),
        *(_attributes(readings, attributes, protocol) if attributes is not None else ()),
        *_variation(readings, str(faces["network"]), protocol),
        *_speakers(readings, protocol),
    ]


def _distances(
    readings: PortraitReadings, mean_face: Tensor, network: str, protocol: Mapping[str, Any]
) -> list[Measurement]:
    reference = torch.stack(readings.reference)
    two = _with_other(readings)
    other = torch.stack([features for features in readings.other if features is not None]) if two else reference[:0]
    # Each row compares one set of faces with the reference frames.
    rows = {
        "value": (torch.stack(readings.generated), reference),
        "baseline": (mean_face.expand_as(reference), reference),
        "truth": (other, reference[two]),
    }
    found: dict[str, dict[str, float]] = {}
    for name, (features, wanted) in rows.items():
        metric = FeatureDistance(network)
        if len(features):
            metric.update(features, wanted)
            found[name] = {key: float(value) for key, value in metric.compute().items()}
    # A measurement for each distance.
    return [
        Measurement(
            name=name,
            value=found["value"][name],
            baseline=found["baseline"][name],
            baseline_name="mean face",
            truth=found["truth"][name] if two else None,
            higher_is_better=name == "cosine_similarity",
            protocol=protocol,
            counts={"portraits": len(reference), "with another frame": len(two)},
        )
        for name in FeatureDistance.NAMES
    ]


def retrieval_scores(
    faces: Sequence[Tensor],
    identities: Sequence[int],
    queries: Sequence[Tensor],
    other: Sequence[Tensor | None],
    protocol: Mapping[str, Any],
    only_searched: Sequence[tuple[int, Tensor]] = (),
) -> list[Measurement]:
    """Compute the recall at `RANKS` among the speakers' faces; the ground truth is the recall of other frames.

    Args:
        faces: Features (D,) of the reference frame of each clip: the gallery, one row for each speaker.
        identities: Speaker of each clip.
        queries: Features of each clip that are searched for: of the portrait, or the embedding of the speech.
        other: Features of another reference frame for the ground-truth row, or None without one.
        protocol: Protocol of the queries.
        only_searched: Speaker and features of further faces of the gallery, without a query.
    """
    gallery, rows = _gallery(faces, identities, only_searched)
    two = [index for index, features in enumerate(other) if features is not None]
    ranks = [rank for rank in RANKS if rank <= len(gallery)]
    recalls = {}
    frames = [features for features in other if features is not None]
    # The queries come last, since the protocol describes them.
    for name, searching, wanted in (("truth", frames, rows[two]), ("value", queries, rows)):
        metric = RecallAtK(ranks)
        metric.add_gallery(gallery, torch.arange(len(gallery)))
        if searching:
            metric.update(torch.stack(list(searching)), wanted)
            recalls[name] = metric.compute()
    return [
        Measurement(
            name=name,
            value=recalls["value"][name].item(),
            baseline=chance,
            baseline_name="chance",
            truth=recalls["truth"][name].item() if two else None,
            protocol={**protocol, **metric.protocol},
            counts={"queries": len(queries), "with another frame": len(two)},
        )
        for name, chance in metric.chance.items()
    ]


def retrieval_ranks(readings: PortraitReadings) -> list[int]:
    """Compute the rank, from 1, of its speaker in the search by each portrait, as `retrieval_scores` counts it."""
    gallery, rows = _gallery(readings.reference, readings.identities, readings.only_searched)
    return cosine_ranks(torch.stack(readings.generated), rows, gallery, torch.arange(len(gallery))).tolist()


def _gallery(
    faces: Sequence[Tensor], identities: Sequence[int], only_searched: Sequence[tuple[int, Tensor]]
) -> tuple[Tensor, Tensor]:
    """Build the gallery (G, D) of all speakers, and the row (N,) of the speaker of each of N faces."""
    more = [features for _, features in only_searched]
    gallery, rows = identity_gallery(torch.stack([*faces, *more]), [*identities, *(who for who, _ in only_searched)])
    return gallery, rows[: len(faces)]


def _attributes(
    readings: PortraitReadings, reader: Mapping[str, Any], protocol: Mapping[str, Any]
) -> list[Measurement]:
    """Compare with the labels of the data set, or with readings of the reference frame if it has no labels."""
    # The portraits, and another frame of each speaker as the best that a reading can reach.
    truth = [_known(label, read) for label, read in zip(readings.labels, readings.read_reference, strict=True)]
    portraits, frames = IdentityPreservation(reader), IdentityPreservation(reader)
    portraits.update(readings.read, truth)
    two = _with_other(readings)
    frames.update([readings.read_other[index] for index in two], [truth[index] for index in two])
    found, best = portraits.compute(), frames.compute()
    # The baseline gives every portrait the same answer: the most frequent one.
    genders = [one.gender for one in truth if one.gender != UNKNOWN]
    ages = [one.age for one in truth if one.age == one.age]
    baselines = {"gender": _commonest(genders), "age": _near_median(ages)}
    names = {"gender": "more frequent gender", "age": "median age"}
    labelled = {
        "gender": sum(one.gender != UNKNOWN for one in readings.labels),
        "age": sum(one.age == one.age for one in readings.labels),
    }
    return [
        Measurement(
            name=name,
            value=found[name].item(),
            baseline=baselines[name],
            baseline_name=names[name],
            truth=best[name].item() if two else None,
            protocol={**protocol, **portraits.protocol},
            counts={
                "known": portraits.last[f"{name}_known"],
                "labelled by the data set": labelled[name],
                "no face found": portraits.last["unread"],
            },
        )
        for name in ("gender", "age")
        if portraits.last[f"{name}_known"]
    ]


def _with_other(readings: PortraitReadings) -> list[int]:
    """List the clips with another frame."""
    return [index for index, features in enumerate(readings.other) if features is not None]


def _known(label: Attributes, read: Attributes | None) -> Attributes:
    if read is None:
        return label
    gender = label.gender if label.gender != UNKNOWN else read.gender
    return Attributes(gender, label.age if label.age == label.age else read.age)


def _commonest(genders: Sequence[int]) -> float:
    return max((genders.count(gender) / len(genders) for gender in set(genders)), default=float("nan"))


def _near_median(ages: Sequence[float]) -> float:
    """Compute the share of people for whom the median age is a right answer."""
    if not ages:
        return float("nan")
    median = statistics.median(ages)
    return sum(abs(age - median) <= AGE_TOLERANCE for age in ages) / len(ages)


def _speakers(readings: PortraitReadings, protocol: Mapping[str, Any]) -> list[Measurement]:
    """Compare portraits of people with several speeches; the baseline is other people, the truth their references."""
    several = [person for person, speeches in Counter(readings.identities).items() if speeches > 1]
    if not several:
        return []
    found = {}
    people = torch.tensor(readings.identities)
    for name, features in (("portraits", readings.generated), ("references", readings.reference)):
        metric = SpeakerConsistency()
        metric.update(torch.stack(features), people)
        found[name] = metric.compute()
    return [
        Measurement(
            name="speaker consistency",
            value=found["portraits"]["same"].item(),
            baseline=found["portraits"]["different"].item(),
            baseline_name="portraits of different people",
            truth=found["references"]["same"].item(),
            protocol=protocol,
            counts={"people with several speeches": len(several), "portraits": len(people)},
        )
    ]


def _variation(readings: PortraitReadings, network: str, protocol: Mapping[str, Any]) -> list[Measurement]:
    if not readings.varied:
        return []
    metric = SeedVariation(network)
    features = torch.stack(readings.varied)
    metric.update(features)
    return [
        Measurement(
            name=name,
            value=value.item(),
            protocol=protocol,
            counts={"speeches": len(features), "portraits of each": features.shape[1]},
        )
        for name, value in metric.compute().items()
    ]
