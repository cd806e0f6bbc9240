"""How ConRe aligns speech with faces: retrieval among the test speakers, and choices between two faces.

A choice between two faces is right where the speech's own face is the nearer one by cosine; ties count half, guessing
reaches one half. Faces of other speakers, of the other gender and of the same, can be taken from any data set. Of
synthetic speakers the same face is also drawn with one thing changed: with the voice-linked shape of another speaker
of the same gender, which a speech encoder should notice; and with another hair colour, which no voice tells: a choice
that is better than a guess there would show that something leaks.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.prepare.synthetic.speaker import VOICE_LINKED, Speaker, make_speaker, restyle
from datamodules.prepare.synthetic.stills import render_stills
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.portraits.scores import retrieval_scores
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.test_clips import clip_pairs, data_protocol, test_data
from s2tf.faces.crop import CropRule, crop, square_box
from s2tf.nn.network import load_network
from s2tf.pipelines.base import holds_random_part
from s2tf.runs.finished import finished_config

KIND = "alignment"
SYNTHETIC_KEY = re.compile(r"synthetic-s(\d+)-(\d+)-\d+")
"""Of a clip of a synthetic speaker: population and position."""
STILLS = 4
"""Pictures of each changed face, at different moments."""
DAYS = 20
"""At most so many other days are looked through for another hair colour."""


@dataclass
class _Embeddings:
    """Of the test clips, in their order."""

    keys: list[str] = field(default_factory=list)
    identities: list[int] = field(default_factory=list)
    genders: list[int] = field(default_factory=list)
    speech: "list[Tensor]" = field(default_factory=list)
    """z_s (d,)."""
    faces: "list[Tensor]" = field(default_factory=list)
    """z_f (d,) of one frame."""
    other: "list[Tensor]" = field(default_factory=list)
    """z_f of another frame."""


def evaluate_alignment(
    run: Path,
    shards: str | None,
    clips: int | None,
    out: Path,
    report: Callable[[str], None],
    device: str = "cpu",
    batch: int = 32,
) -> "Scores":
    """Measure a run of ConRe and write `metrics.json` into `out`.

    Args:
        run: A finished run of ConRe.
        shards: Other test data than the run's own.
        clips: Take the first so many.
        out: A folder.
        report: Called with a line on how far it is.
        device: Where to compute.
        batch: Clips at once.

    Raises:
        UserError: The run is not finished.
        ValueError: `clips` or `batch` is below 1.
    """
    if batch < 1 or (clips is not None and clips < 1):
        raise ValueError(f"--clips {clips}, --batch {batch}: expected 1 or more")
    data = test_data(finished_config(run, "face_encoder"), shards, batch)
    names = ("speech_encoder", "face_encoder")
    networks = {name: load_network(str(run / "networks" / name)).eval().to(device) for name in names}
    face_encoder = networks["face_encoder"]
    found = _embed(data, networks["speech_encoder"], face_encoder, clips, device, report)
    protocol = {
        **data_protocol(data, found.keys),
        "faces": {"network": "the run's own face encoder", "weights": face_encoder.fingerprint()},
        "speech (s)": data.seconds,
        "picture (px)": data.size,
        "similarity": "cosine",
    }
    measurements = [
        *retrieval_scores(found.faces, found.identities, found.speech, found.other, protocol),
        *_choices(found, protocol),
    ]
    if all(SYNTHETIC_KEY.fullmatch(key) for key in found.keys):
        report("drawing changed faces")
        measurements += _changed(found, face_encoder, data.size, device, protocol)
    random = [name for name, network in networks.items() if holds_random_part(network)]
    scores = Scores(KIND, run.parent.name, measurements, protocol, random)
    scores.write(out)
    return scores


def _embed(
    data: Any, speech_encoder: Any, face_encoder: Any, clips: int | None, device: str, report: Callable[[str], None]
) -> _Embeddings:

    found = _Embeddings()
    for first, second in clip_pairs(data, clips):
        with torch.no_grad():
            found.speech.extend(speech_encoder(first[speech_encoder.reads].to(device)).cpu())
            found.faces.extend(face_encoder(first["portrait"].to(device)).cpu())
            found.other.extend(face_encoder(second["portrait"].to(device)).cpu())
        found.keys += first["key"]
        found.identities += first["identity"].tolist()
        found.genders += first["gender"].tolist()
        report(f"{len(found.keys)} clips")
    return found


def _choices(found: _Embeddings, protocol: Mapping[str, Any]) -> "list[Measurement]":
    """The own face against that of every other speaker of the other, and of the same, known gender."""
    speech, faces = torch.stack(found.speech), torch.stack(found.faces)
    genders, identities = torch.tensor(found.genders), torch.tensor(found.identities)
    similarity = F.normalize(speech.double(), dim=1) @ F.normalize(faces.double(), dim=1).T
    right = _right(similarity.diagonal()[:, None], similarity)
    known = (genders[:, None] >= 0) & (genders[None] >= 0) & (identities[:, None] != identities[None])
    pairs = {
        "choice against the other gender": known & (genders[:, None] != genders[None]),
        "choice against the same gender": known & (genders[:, None] == genders[None]),
    }
    return [_choice(name, right[mask], protocol) for name, mask in pairs.items() if bool(mask.any())]


def _changed(
    found: _Embeddings, face_encoder: Any, size: int, device: str, protocol: Mapping[str, Any]
) -> "list[Measurement]":
    """The own face against itself with one thing changed, drawn by the renderer of the synthetic speakers."""
    matches = [SYNTHETIC_KEY.fullmatch(key) for key in found.keys]
    speakers = [make_speaker(int(match[1]), int(match[2])) for match in matches if match]
    measurements = []
    for name, change in (("voice-linked shape", _other_shape), ("hair colour", _other_hair)):
        right = []
        for index, speaker in enumerate(speakers):
            changed = change(speaker, speakers)
            if changed is None:
                continue
            with torch.no_grad():
                own, other = (face_encoder(_draw(one, size).to(device)).cpu() for one in (speaker, changed))
            speech = found.speech[index]
            right.append(_right(_cosine(speech, own), _cosine(speech, other)).mean())
        if right:
            measurements.append(_choice(f"choice against another {name}", torch.stack(right), protocol))
    return measurements


def _other_shape(speaker: "Speaker", speakers: "Sequence[Speaker]") -> "Speaker | None":
    """With the voice-linked shape of the next speaker of the same gender."""
    own = speakers.index(speaker)
    others = [
        one
        for one in (*speakers[own + 1 :], *speakers[:own])
        if one.gender == speaker.gender and one.identity != speaker.identity
    ]
    if not others:
        return None
    return replace(
        speaker, face=replace(speaker.face, **{name: getattr(others[0].face, name) for name in VOICE_LINKED})
    )


def _other_hair(speaker: "Speaker", speakers: "Sequence[Speaker]") -> "Speaker | None":
    """With the hair colour of another day, which was drawn just as the own one was."""
    for day in range(1, DAYS):
        hair = restyle(speaker, day).appearance.hair
        if hair != speaker.appearance.hair:
            return replace(speaker, appearance=replace(speaker.appearance, hair=hair))
    return None


def _draw(speaker: "Speaker", size: int) -> "Tensor":
    """Pictures (STILLS, 3, size, size) in [-1, 1], cropped like those of the shards."""
    stills = render_stills(speaker, STILLS, max(96, size), seed=0)
    frames: np.ndarray = crop(stills.frames, square_box(stills.landmarks, CropRule(size=size)), size)
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1


def _cosine(one: "Tensor", other: "Tensor") -> "Tensor":
    return F.cosine_similarity(one.double(), other.double(), dim=-1)


def _right(own: "Tensor", other: "Tensor") -> "Tensor":
    return (own > other).double() + 0.5 * (own == other).double()


def _choice(name: str, right: "Tensor", protocol: Mapping[str, Any]) -> "Measurement":
    return Measurement(
        name=name,
        value=right.mean().item(),
        baseline=0.5,
        baseline_name="chance",
        protocol=protocol,
        counts={"choices": right.numel()},
    )
