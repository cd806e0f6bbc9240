"""Synthetic people: voice, face and looks, sampled from a seed.

The voice is sampled first. Some dimensions of the face follow it, as in life, with a little noise of their own; the
others are independent of it. `VOICE_LINKED` names the former: a long vocal tract belongs to a long, broad lower face, a
low pitch to heavy brows and a large nose, a bright voice to a full and wide mouth, an old voice to wrinkles, grey hair,
large ears and small eyes.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from datamodules.prepare.synthetic.looks import Appearance, sample_appearance

AGE_RANGE = (18.0, 80.0)

VOICE_LINKED = (
    "face_length",
    "jaw_width",
    "chin_width",
    "nose_length",
    "brow_thickness",
    "brow_height",
    "nose_size",
    "lip_fullness",
    "mouth_width",
    "eye_size",
    "ear_size",
    "wrinkles",
    "grey",
)


@dataclass(frozen=True)
class Voice:
    """The acoustic properties of a voice.

    Attributes:
        pitch: Mean fundamental frequency in Hz, 80 to 260.
        formant_scale: Factor on every formant, 0.8 to 1.2; inversely proportional to the vocal tract's length.
        brightness: Standardised spectral balance; one unit is 2.5 dB per octave above 500 Hz.
        breathiness: Aspiration noise relative to the voice, 0 to 1.
        jitter: Relative irregularity of the pitch periods.
        rate: Speaking rate, 1 is average.
    """

    pitch: float
    formant_scale: float
    brightness: float
    breathiness: float
    jitter: float
    rate: float


@dataclass(frozen=True)
class Face:
    """The shape of a face: standardised dimensions (0 is average, about -2 to 2), but ageing from 0 to 1.

    `face_length` to `grey` follow the voice; the others are independent of it.
    """

    face_length: float
    jaw_width: float
    chin_width: float
    nose_length: float
    brow_thickness: float
    brow_height: float
    nose_size: float
    lip_fullness: float
    mouth_width: float
    eye_size: float
    ear_size: float
    wrinkles: float
    grey: float
    cheek_width: float
    eye_spacing: float
    eye_slant: float
    brow_arch: float
    mouth_height: float


@dataclass(frozen=True)
class Speaker:
    """One synthetic person.

    Attributes:
        seed: Seed of the population; different seeds are different people.
        index: Position in the population, from 0.
        gender: "female" or "male".
        age: Years, 18 to 80.
        voice: The person's voice.
        face: The shape of the face.
        appearance: Colours, hair, clothes, background and light.
    """

    seed: int
    index: int
    gender: str
    age: float
    voice: Voice
    face: Face
    appearance: Appearance

    @property
    def identity(self) -> str:
        """The person's name, without dots; the same on every day."""
        return f"synthetic-s{self.seed}-{self.index:05d}"

    def truth(self) -> dict[str, Any]:
        """All sampled values as plain JSON values, grouped into voice-linked and voice-independent ones."""
        face = asdict(self.face)
        linked = {name: face.pop(name) for name in VOICE_LINKED}
        return {
            "identity": self.identity,
            "gender": self.gender,
            "age": self.age,
            "voice": asdict(self.voice),
            "voice_linked": linked,
            "voice_independent": face,
            "appearance": asdict(self.appearance),
        }


def make_speaker(seed: int, index: int, appearance_day: int = 0) -> Speaker:
    """Sample a person; the same arguments always give the same person.

    Speakers 2k and 2k + 1 are one woman and one man, in an order chosen by the seed: any even number of consecutive
    speakers from an even index on is balanced.

    Args:
        seed: Seed of the population, 0 or more.
        index: Position in the population, 0 or more.
        appearance_day: Day of the recording; see `restyle`.

    Raises:
        ValueError: If `seed`, `index` or `appearance_day` is negative.
    """
    if min(seed, index, appearance_day) < 0:
        raise ValueError(f"seed, index and appearance_day must be 0 or more, got {seed}, {index} and {appearance_day}")
    woman_first = bool(np.random.default_rng([seed, index // 2, 1]).integers(2))
    gender = "female" if woman_first == (index % 2 == 0) else "male"
    rng = np.random.default_rng([seed, index, 2])
    age = float(np.round(rng.uniform(*AGE_RANGE), 1))
    tract, pitch, brightness = (float(np.clip(rng.standard_normal(), -2, 2)) for _ in range(3))
    voice = _voice(gender, age, tract, pitch, brightness, rng)
    face = _face(gender, age, pitch, brightness, voice, rng)
    appearance = sample_appearance(gender, age, face.grey, seed, index, appearance_day)
    return Speaker(seed, index, gender, age, voice, face, appearance)


def restyle(speaker: Speaker, day: int) -> Speaker:
    """The same person on another day: other hair colour, clothes, background and light, the same face and voice."""
    looks = sample_appearance(speaker.gender, speaker.age, speaker.face.grey, speaker.seed, speaker.index, day)
    return replace(speaker, appearance=looks)


def ageing(age: float) -> float:
    """Age as a number from 0 (18 years) to 1 (80 years)."""
    return (age - AGE_RANGE[0]) / (AGE_RANGE[1] - AGE_RANGE[0])


def _voice(gender: str, age: float, tract: float, pitch: float, brightness: float, rng: np.random.Generator) -> Voice:
    old = ageing(age)
    mean, spread = (200.0, 0.13) if gender == "female" else (118.0, 0.17)
    lowering = 1.06 - 0.14 * old
    hertz = float(np.clip(mean * 2 ** (spread * pitch) * lowering, 80.0, 260.0))
    scale = float(np.exp((0.075 if gender == "female" else -0.075) - 0.05 * tract))
    return Voice(
        pitch=hertz,
        formant_scale=scale,
        brightness=brightness,
        breathiness=float(np.clip(0.03 + 0.5 * old**1.3 + 0.03 * rng.standard_normal(), 0.01, 0.7)),
        jitter=float(np.clip(0.004 + 0.03 * old + 0.003 * rng.standard_normal(), 0.002, 0.05)),
        rate=float(np.clip(1.15 - 0.35 * old + 0.05 * rng.standard_normal(), 0.7, 1.3)),
    )


def _face(gender: str, age: float, pitch: float, brightness: float, voice: Voice, rng: np.random.Generator) -> Face:
    old = ageing(age)
    length = -np.log(voice.formant_scale) / 0.07
    man = 0.5 if gender == "male" else -0.5
    # Standardised: the age is uniform.
    years = (old - 0.5) * 12**0.5

    def linked(value: float, noise: float = 0.25) -> float:
        return float(np.clip(value + noise * rng.standard_normal(), -2.4, 2.4))

    # Features that the voice does not tell.
    free = {
        field.name: float(np.clip(rng.standard_normal(), -2, 2))
        for field in fields(Face)
        if field.name not in VOICE_LINKED
    }
    return Face(
        face_length=linked(length),
        jaw_width=linked(length),
        chin_width=linked(length),
        nose_length=linked(length),
        brow_thickness=linked(man - pitch),
        brow_height=linked(pitch),
        nose_size=linked(0.5 * man - pitch),
        lip_fullness=linked(brightness - 0.5 * man),
        mouth_width=linked(brightness),
        eye_size=linked(-years),
        ear_size=linked(years),
        wrinkles=float(np.clip(1.15 * old - 0.1 + 0.06 * rng.standard_normal(), 0, 1)),
        grey=float(np.clip(1.5 * old - 0.45 + 0.1 * rng.standard_normal(), 0, 1)),
        **free,
    )
