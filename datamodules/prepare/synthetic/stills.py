"""Single pictures of a synthetic speaker, at moments of a clip whose other frames and sound are not rendered."""

from dataclasses import dataclass, fields, replace

import numpy as np

from datamodules.prepare.synthetic.drawing import render
from datamodules.prepare.synthetic.face import proportions
from datamodules.prepare.synthetic.layers import make_scene
from datamodules.prepare.synthetic.motion import FRAME_RATE, Motion, sample_motion
from datamodules.prepare.synthetic.speaker import Speaker
from datamodules.prepare.synthetic.speech import sample_timeline

SECONDS = 4.0
"""Length of the clip that the moments are chosen from."""


@dataclass(frozen=True)
class SyntheticStills:
    """Pictures with their landmarks."""

    frames: np.ndarray
    """(N, size, size, 3) uint8 RGB."""
    landmarks: np.ndarray
    """(N, 68, 2) float32, iBUG order, x and y in pixels."""


def render_stills(speaker: Speaker, count: int, size: int, seed: int, blinks: float = 0.0) -> SyntheticStills:
    """Render `count` different moments of a speaking person; the same arguments always give the same pictures.

    Args:
        speaker: The person.
        count: Number of pictures.
        size: Side of the pictures in pixels.
        seed: Seed of the words and the motion.
        blinks: Share of the pictures whose lids are put anywhere between open and closed; random moments rarely show a
            blink.

    Raises:
        ValueError: `count` is below 1 or more than the clip's frames.
    """
    total = round(SECONDS * FRAME_RATE)
    if not 1 <= count <= total:
        raise ValueError(f"count is {count}, expected 1 to {total}")
    rng = np.random.default_rng([speaker.seed, speaker.index, seed, 4])
    motion = sample_motion(sample_timeline(SECONDS, speaker.voice.rate, rng), total, rng)
    moments = rng.choice(total, count, replace=False)
    chosen = Motion(**{field.name: getattr(motion, field.name)[moments] for field in fields(Motion)})
    blinking = rng.uniform(size=count) < blinks
    chosen = replace(chosen, blink=np.where(blinking, rng.uniform(size=count), chosen.blink))
    scene = make_scene(proportions(speaker), chosen)
    return SyntheticStills(render(speaker, scene, size), (scene.landmarks * size).astype(np.float32))
