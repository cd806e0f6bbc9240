"""The demo's sheet of all portraits."""

import numpy as np

from datamodules.prepare.synthetic.clip import render_clip
from datamodules.prepare.synthetic.speaker import make_speaker
from s2tf.demo.results import COLUMNS, UnseenSpeaker, draw_portraits

TONES = np.arange(40, 240, 20)


def test_every_portrait_stands_below_its_speaker():
    clip = render_clip(make_speaker(1, 0), 0.2, 64, 0)
    speakers = [
        UnseenSpeaker(
            key=str(number),
            gender=0,
            waveform=clip.waveform,
            frames=clip.frames,
            landmarks=clip.landmarks,
            portrait=np.full((64, 64, 3), tone, np.uint8),
            generated=clip.frames,
        )
        for number, tone in enumerate(TONES[: COLUMNS + 1])
    ]
    sheet = np.asarray(draw_portraits(speakers).convert("L"))
    # The grey portraits: a full row, then one alone; the rest of its row is white.
    for tone in TONES[: COLUMNS + 1]:
        assert (sheet == tone).sum() >= 96 * 96
    rows = [np.flatnonzero((sheet == tone).sum(axis=1) >= 96).mean() for tone in TONES[: COLUMNS + 1]]
    assert len(set(rows[:COLUMNS])) == 1
    assert rows[COLUMNS] > rows[0] + 2 * 96 - 1
