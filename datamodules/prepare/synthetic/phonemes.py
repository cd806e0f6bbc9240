"""The phoneme table: the acoustics of each sound, and the shape of the mouth during it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Phoneme:
    """One sound.

    Attributes:
        symbol: Name in the transcript; `_` is a pause.
        formants: Targets of F1, F2, F3 in Hz for a formant scale of 1 (between a man and a woman).
        voiced: Amplitude of the glottal source, 0 to 1.
        noise: Amplitude of the frication noise, 0 to 1.
        noise_band: Centre and width of the frication noise in Hz.
        viseme: Opening, width (-1 narrow to 1 spread), rounding, teeth shown; the others are 0 to 1.
        seconds: Mean duration at a speaking rate of 1.
        closed: True where the lips touch.
        burst: True for silence with a short burst at its end.
    """

    symbol: str
    formants: tuple[float, float, float]
    voiced: float
    noise: float
    noise_band: tuple[float, float]
    viseme: tuple[float, float, float, float]
    seconds: float
    closed: bool = False
    burst: bool = False


def _vowel(symbol: str, formants: tuple[float, float, float], viseme: tuple[float, float, float, float]) -> Phoneme:
    return Phoneme(symbol, formants, 1.0, 0.0, (4000.0, 1500.0), viseme, 0.15)


PAUSE = Phoneme("_", (500.0, 1500.0, 2500.0), 0.0, 0.0, (4000.0, 1500.0), (0.0, 0.0, 0.0, 0.0), 0.3, closed=True)

VOWELS = (
    _vowel("i", (290, 2350, 3050), (0.26, 0.80, 0.0, 0.7)),
    _vowel("I", (400, 2000, 2650), (0.38, 0.50, 0.0, 0.6)),
    _vowel("e", (560, 1850, 2550), (0.58, 0.40, 0.0, 0.6)),
    _vowel("E", (710, 1680, 2500), (0.82, 0.25, 0.0, 0.6)),
    _vowel("a", (800, 1200, 2500), (1.00, 0.00, 0.0, 0.5)),
    _vowel("V", (640, 1280, 2450), (0.72, 0.00, 0.0, 0.4)),
    _vowel("O", (570, 880, 2400), (0.66, -0.35, 0.6, 0.2)),
    _vowel("o", (440, 800, 2350), (0.44, -0.55, 0.8, 0.1)),
    _vowel("u", (310, 760, 2300), (0.24, -0.80, 1.0, 0.0)),
    _vowel("@", (480, 1450, 2450), (0.46, 0.00, 0.1, 0.4)),
)

CONSONANTS = (
    Phoneme("p", (250, 900, 2200), 0.0, 0.5, (1000, 700), (0.0, -0.1, 0.1, 0.0), 0.100, closed=True, burst=True),
    Phoneme("b", (220, 850, 2200), 0.20, 0.25, (900, 600), (0.0, -0.1, 0.1, 0.0), 0.095, closed=True, burst=True),
    Phoneme("m", (230, 1050, 2200), 0.50, 0.0, (900, 600), (0.0, 0.0, 0.1, 0.0), 0.095, closed=True),
    Phoneme("f", (350, 1300, 2400), 0.0, 0.30, (6800, 2800), (0.12, 0.1, 0.0, 1.0), 0.095),
    Phoneme("v", (320, 1200, 2300), 0.35, 0.15, (6500, 2800), (0.12, 0.1, 0.0, 1.0), 0.080),
    Phoneme("s", (350, 1650, 2600), 0.0, 0.70, (6000, 1000), (0.18, 0.5, 0.0, 1.0), 0.100),
    Phoneme("z", (320, 1600, 2550), 0.35, 0.40, (5800, 1000), (0.18, 0.5, 0.0, 1.0), 0.085),
    Phoneme("S", (350, 1700, 2500), 0.0, 0.70, (3300, 700), (0.26, -0.3, 0.7, 0.8), 0.105),
    Phoneme("t", (350, 1750, 2650), 0.0, 0.60, (4500, 1500), (0.22, 0.2, 0.0, 0.8), 0.085, burst=True),
    Phoneme("d", (300, 1700, 2600), 0.20, 0.40, (4000, 1400), (0.24, 0.2, 0.0, 0.7), 0.075, burst=True),
    Phoneme("k", (350, 1900, 2400), 0.0, 0.55, (2000, 700), (0.34, 0.0, 0.0, 0.4), 0.090, burst=True),
    Phoneme("g", (300, 1900, 2400), 0.20, 0.35, (1900, 700), (0.34, 0.0, 0.0, 0.4), 0.080, burst=True),
    Phoneme("n", (270, 1600, 2550), 0.50, 0.0, (900, 600), (0.26, 0.2, 0.0, 0.5), 0.075),
    Phoneme("l", (360, 1250, 2700), 0.65, 0.0, (900, 600), (0.36, 0.2, 0.0, 0.6), 0.070),
    Phoneme("r", (350, 1150, 1650), 0.65, 0.0, (900, 600), (0.30, -0.3, 0.5, 0.3), 0.075),
    Phoneme("w", (300, 700, 2250), 0.60, 0.0, (900, 600), (0.12, -0.8, 1.0, 0.0), 0.080),
    Phoneme("j", (270, 2250, 3000), 0.60, 0.0, (900, 600), (0.24, 0.6, 0.0, 0.6), 0.070),
)

PHONEMES = (PAUSE, *VOWELS, *CONSONANTS)
VOWEL_INDICES = tuple(range(1, 1 + len(VOWELS)))
CONSONANT_INDICES = tuple(range(1 + len(VOWELS), len(PHONEMES)))

FORMANTS = np.array([phoneme.formants for phoneme in PHONEMES])
VISEMES = np.array([phoneme.viseme for phoneme in PHONEMES])
VOICED = np.array([phoneme.voiced for phoneme in PHONEMES])
NOISE = np.array([phoneme.noise for phoneme in PHONEMES])
NOISE_BANDS = np.array([phoneme.noise_band for phoneme in PHONEMES])
CLOSED = np.array([phoneme.closed for phoneme in PHONEMES])
BURST = np.array([phoneme.burst for phoneme in PHONEMES])
