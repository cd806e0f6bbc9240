"""Scores of portraits by one face network, or by several beside each other."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.portraits.scores import PortraitReadings, portrait_scores
from s2tf.faces.features import FaceFeatures, SeveralFeatures


def network_scores(
    readings: PortraitReadings,
    mean_face: Tensor,
    faces: FaceFeatures,
    attributes: Mapping[str, Any] | None,
    protocol: Mapping[str, Any],
) -> list[Measurement]:
    """Compute the numbers of `portrait_scores` by each network; those of a second network are named after it.

    The numbers of the first network, and their protocol, are the same as without a second one.

    Args:
        readings: Readings of all test clips, with the features of `faces`.
        mean_face: Features (1, D) of the mean face.
        faces: The network or networks that computed the features.
        attributes: Protocol of the reader of gender and age, or None without a reader.
        protocol: Protocol of the portraits.
    """
    if not isinstance(faces, SeveralFeatures):
        return portrait_scores(readings, mean_face, faces.protocol, attributes, protocol)
    scores: list[Measurement] = []
    for index, (label, network) in enumerate(faces.networks.items()):
        own = {**protocol, "faces": dict(network.protocol)}
        mean = faces.split(mean_face)[index]
        # Gender and age are read off the picture, not off these features.
        reader = None if index else attributes
        found = portrait_scores(readings_of(readings, faces, index), mean, network.protocol, reader, own)
        scores += [replace(one, name=f"{one.name} ({label})") for one in found] if index else found
    return scores


def readings_of(readings: PortraitReadings, faces: FaceFeatures, index: int = 0) -> PortraitReadings:
    """Return the readings with the features of one of the networks only, by default of the first."""
    if not isinstance(faces, SeveralFeatures):
        return readings

    def of(features: Tensor) -> Tensor:
        return faces.split(features)[index]

    return replace(
        readings,
        reference=list(map(of, readings.reference)),
        other=[None if one is None else of(one) for one in readings.other],
        generated=list(map(of, readings.generated)),
        varied=list(map(of, readings.varied)),
        only_searched=[(speaker, of(one)) for speaker, one in readings.only_searched],
    )
