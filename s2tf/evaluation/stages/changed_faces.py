"""Faces of synthetic speakers with one property changed, rendered as in the synthetic data."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from datamodules.prepare.synthetic.speaker import VOICE_LINKED, Speaker, make_speaker, restyle
from datamodules.prepare.synthetic.stills import render_stills
from s2tf.faces.crop import CropRule, crop, square_box
from s2tf.media.pictures import to_tensor

SYNTHETIC_KEY = re.compile(r"synthetic-s(\d+)-(\d+)-\d+")
"""Pattern of the key of a synthetic speaker's clip: population and position."""
STILLS = 4
"""Pictures of each face, at different moments."""
DAYS = 20
"""Number of days that are searched for another hair colour."""


def synthetic_speakers(keys: Sequence[str]) -> list[Speaker] | None:
    """Return the speaker of each clip, or None if a speaker is not synthetic."""
    matches = [SYNTHETIC_KEY.fullmatch(key) for key in keys]
    speakers = [make_speaker(int(match[1]), int(match[2])) for match in matches if match]
    return speakers if len(speakers) == len(keys) else None


def with_other_shape(speaker: Speaker, speakers: Sequence[Speaker]) -> Speaker | None:
    """Return the speaker with the voice-linked shape of the next speaker of the same gender, or None without one."""
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


def with_other_hair(speaker: Speaker, speakers: Sequence[Speaker]) -> Speaker | None:
    """Return the speaker with the hair colour of another day, or None if no day has another colour."""
    for day in range(1, DAYS):
        hair = restyle(speaker, day).appearance.hair
        if hair != speaker.appearance.hair:
            return replace(speaker, appearance=replace(speaker.appearance, hair=hair))
    return None


CHANGES: dict[str, Callable[[Speaker, Sequence[Speaker]], Speaker | None]] = {
    "voice-linked shape": with_other_shape,
    "hair colour": with_other_hair,
}


def draw_face(speaker: Speaker, size: int, device: str) -> Tensor:
    """Render pictures (STILLS, 3, size, size) in [-1, 1], cropped like the pictures of the shards."""
    stills = render_stills(speaker, STILLS, max(96, size), seed=0)
    return to_tensor(crop(stills.frames, square_box(stills.landmarks, CropRule(size=size)), size), device)
