"""The looks of a person on a day: skin, hair, eyes, clothes, background and light, all independent of the voice."""

import colorsys
from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]

SKIN_TONES = ((255, 221, 196), (241, 194, 160), (224, 172, 130), (190, 134, 92), (152, 100, 68), (116, 76, 56))
HAIR_COLOURS = ((28, 24, 24), (52, 36, 28), (92, 58, 36), (128, 84, 48), (196, 154, 96), (224, 192, 136), (150, 66, 34))
GREY_HAIR = (206, 204, 202)
EYE_COLOURS = ((70, 44, 26), (104, 70, 38), (92, 106, 62), (84, 128, 158), (96, 110, 120))

WOMEN_STYLES = ("long", "wavy", "bob", "fringe", "bun", "pixie")
WOMEN_WEIGHTS = (0.28, 0.22, 0.2, 0.12, 0.12, 0.06)
MEN_STYLES = ("short", "parted", "crop", "curly", "receding", "bald", "medium")


@dataclass(frozen=True)
class Appearance:
    """Colours (8-bit RGB) and styles.

    Attributes:
        day: Day of the recording; hair colour, clothes, background and light change with it, all else stays.
        skin: Skin tone.
        eyes: Colour of the irises.
        hair: Colour of the hair, already mixed with grey.
        brows: Colour of brows and beard; the same on every day.
        hair_style: A key of `hair.STYLES`.
        hair_phase: Place of locks and parting, 0 to 1.
        beard: 0 none, 0.35 a shaved shadow, up to 1 a full beard.
        background: Colours at the top and at the bottom.
        clothes: Colour of the clothes.
        neckline: Depth of the neckline, 0 to 1.
        light: Direction of the light, -1 left to 1 right.
        brightness: Factor on the whole picture, about 1.
    """

    day: int
    skin: Colour
    eyes: Colour
    hair: Colour
    brows: Colour
    hair_style: str
    hair_phase: float
    beard: float
    background: tuple[Colour, Colour]
    clothes: Colour
    neckline: float
    light: float
    brightness: float


def sample_appearance(gender: str, age: float, grey: float, seed: int, index: int, day: int) -> Appearance:
    """Sample the looks of speaker `index` of population `seed` on a day, 0 or later."""
    rng = np.random.default_rng([seed, index, 3])
    daily = np.random.default_rng([seed, index, 4, day])
    # Looks that stay: skin, eyes, style of the hair, beard.
    tone = rng.beta(1.1, 1.4) * (len(SKIN_TONES) - 1.001)
    skin = mix(SKIN_TONES[int(tone)], SKIN_TONES[int(tone) + 1], tone % 1.0)
    eyes = EYE_COLOURS[rng.choice(len(EYE_COLOURS), p=_eye_weights(tone))]
    style = _hair_style(gender, age, rng)
    beard = _beard(gender, rng)
    phase = float(rng.uniform())
    # Colours of hair and brows; the hair may be dyed, the brows are not.
    likely = np.array([1.0, 1.0, 1.0, 1.0, *[max(0.1, 1.0 - tone / 3.5)] * 3])
    likely /= likely.sum()
    natural = HAIR_COLOURS[rng.choice(len(HAIR_COLOURS), p=likely)]
    hair = mix(HAIR_COLOURS[daily.choice(len(HAIR_COLOURS), p=likely)], GREY_HAIR, 0.9 * grey)
    return Appearance(
        day=day,
        skin=skin,
        eyes=eyes,
        hair=hair,
        brows=mix(mix(natural, GREY_HAIR, 0.6 * grey), (40, 30, 26), 0.45),
        hair_style=style,
        hair_phase=phase,
        beard=beard,
        background=_background(daily),
        clothes=_hsv(daily.uniform(), daily.uniform(0.1, 0.8), daily.uniform(0.2, 0.85)),
        neckline=float(daily.uniform()),
        light=float(daily.uniform(-0.8, 0.8)),
        brightness=float(daily.uniform(0.9, 1.06)),
    )


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour that lies `share` (0 to 1) of the way from `first` to `second`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def shade(colour: Colour, factor: float) -> Colour:
    """A colour multiplied by a factor, clipped to 8 bits."""
    red, green, blue = (min(max(round(value * factor), 0), 255) for value in colour)
    return red, green, blue


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (round(255 * channel) for channel in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue


def _background(rng: np.random.Generator) -> tuple[Colour, Colour]:
    hue, saturation, value = rng.uniform(), rng.uniform(0.05, 0.4), rng.uniform(0.35, 0.92)
    bottom = _hsv((hue + rng.uniform(-0.08, 0.08)) % 1.0, saturation, max(value - rng.uniform(0.1, 0.3), 0.15))
    return _hsv(hue, saturation, value), bottom


def _eye_weights(tone: float) -> np.ndarray:
    weights = np.ones(len(EYE_COLOURS))
    weights[2:] = max(0.05, 1.0 - tone / 2.5)
    return weights / weights.sum()


def _hair_style(gender: str, age: float, rng: np.random.Generator) -> str:
    if gender == "female":
        return str(rng.choice(WOMEN_STYLES, p=WOMEN_WEIGHTS))
    loss = float(np.clip((age - 25.0) / 60.0, 0.0, 1.0))
    weights = np.array([0.26, 0.24, 0.22, 0.16, 0.35 * loss, 0.30 * loss, 0.06])
    return str(rng.choice(MEN_STYLES, p=weights / weights.sum()))


def _beard(gender: str, rng: np.random.Generator) -> float:
    kind, amount = rng.uniform(), rng.uniform()
    if gender == "female":
        return 0.0
    return float(0.7 + 0.3 * amount if kind < 0.3 else 0.25 + 0.25 * amount)
