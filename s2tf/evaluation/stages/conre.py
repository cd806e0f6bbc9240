"""Evaluation of ConRe: retrieval among the test speakers, and choices between two faces for a speech.

A choice is right if the speech's own face is nearer by cosine than the other face; ties count half, and guessing
reaches one half. The other face belongs to another speaker of the other gender, or of the same one.

Synthetic speakers are also compared with their own face after one change (see `changed_faces`): the voice-linked shape
of another speaker of the same gender, which a speech encoder should notice, and another hair colour, which no voice
reveals: a result above chance there means that the data leak information.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from s2tf.evaluation.clips_of_run import clip_pairs, count_test_clips, data_of_run, data_protocol, datasets_of
from s2tf.evaluation.measurement import Measurement
from s2tf.evaluation.portraits.scores import retrieval_scores
from s2tf.evaluation.scores import Scores
from s2tf.evaluation.stages.changed_faces import CHANGES, draw_face, synthetic_speakers
from s2tf.evaluation.stages.stage_run import Report, StageRun, check_counts, silent

KIND = "alignment"
NETWORKS = ("face_encoder", "speech_encoder")


@dataclass(frozen=True)
class AlignmentTest:
    """Choice of the clips whose speech and faces are compared."""

    shards: str | None = None
    """Shards to use instead of the run's own data."""
    clips: int | None = None
    """Number of the first clips to take, or None for all."""
    batch: int = 32
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse numbers that leave nothing to measure.

        Raises:
            ValueError: A number is below 1.
        """
        check_counts(self, "clips", "batch")


@dataclass
class _Embeddings:
    """Embeddings of the test clips, in their order."""

    keys: list[str] = field(default_factory=list)
    identities: list[int] = field(default_factory=list)
    genders: list[int] = field(default_factory=list)
    speech: list[Tensor] = field(default_factory=list)
    """z_s (d,)."""
    faces: list[Tensor] = field(default_factory=list)
    """z_f (d,) of one frame."""
    other: list[Tensor | None] = field(default_factory=list)
    """z_f of another frame."""


def evaluate_alignment(run: Path, test: AlignmentTest, out: Path, report: Report = silent) -> Scores:
    """Measure a run of ConRe and write `metrics.json` into `out`.

    Args:
        run: A finished run of ConRe.
        test: The clips.
        out: Folder of the results.
        report: Function that is called with a line about the progress.

    Raises:
        UserError: The run is not finished.
    """
    stage_run = StageRun.open(run, NETWORKS, test.device, report)
    data = data_of_run(stage_run.config, test.shards, test.batch)
    found = _embed(data, stage_run, test)
    face_encoder = stage_run.networks["face_encoder"]
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
        *_choices_of_changed_faces(found, stage_run, data.size, test.device, protocol),
    ]
    return stage_run.write(KIND, measurements, protocol, out, datasets=datasets_of(one.source for one in data.sources))


def _embed(data: Any, stage_run: StageRun, test: AlignmentTest) -> _Embeddings:
    """Compute the embeddings of the test clips."""
    speech_encoder, face_encoder = (stage_run.networks[name] for name in ("speech_encoder", "face_encoder"))
    total = count_test_clips(data, test.clips)
    found = _Embeddings()
    for first, second in clip_pairs(data, test.clips):
        with torch.no_grad():
            found.speech.extend(speech_encoder(first[speech_encoder.reads].to(test.device)).cpu())
            found.faces.extend(face_encoder(first["portrait"].to(test.device)).cpu())
            others = face_encoder(second["portrait"].to(test.device)).cpu()
        # A clip with one picture has no other one.
        different = (first["portrait"] != second["portrait"]).flatten(1).any(dim=1).tolist()
        found.other += [row if two else None for row, two in zip(others, different, strict=True)]
        found.keys += first["key"]
        found.identities += first["identity"].tolist()
        found.genders += first["gender"].tolist()
        stage_run.count(len(found.keys), total)
    return found


def _choices(found: _Embeddings, protocol: Mapping[str, Any]) -> list[Measurement]:
    """Compare the own face with all speakers of the other gender, and of the same; unknown genders are left out."""
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


def _choices_of_changed_faces(
    found: _Embeddings, stage_run: StageRun, size: int, device: str, protocol: Mapping[str, Any]
) -> list[Measurement]:
    """Compare the own face with the same face after one change; empty if a speaker is not synthetic."""
    speakers = synthetic_speakers(found.keys)
    if speakers is None:
        return []
    stage_run.report("drawing changed faces")
    face_encoder = stage_run.networks["face_encoder"]
    measurements = []
    for name, change in CHANGES.items():
        right = []
        for index, speaker in enumerate(speakers):
            changed = change(speaker, speakers)
            if changed is None:
                continue
            with torch.no_grad():
                own, other = (face_encoder(draw_face(one, size, device)).cpu() for one in (speaker, changed))
            speech = found.speech[index]
            right.append(_right(_cosine(speech, own), _cosine(speech, other)).mean())
        if right:
            measurements.append(_choice(f"choice against another {name}", torch.stack(right), protocol))
    return measurements


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    return F.cosine_similarity(one.double(), other.double(), dim=-1)


def _right(own: Tensor, other: Tensor) -> Tensor:
    """Return 1 if the own similarity is larger, one half if both are equal, else 0."""
    return (own > other).double() + 0.5 * (own == other).double()


def _choice(name: str, right: Tensor, protocol: Mapping[str, Any]) -> Measurement:
    return Measurement(
        name=name,
        value=right.mean().item(),
        baseline=0.5,
        baseline_name="chance",
        protocol=protocol,
        counts={"choices": right.numel()},
    )
