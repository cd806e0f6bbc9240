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
            portrait=np.full((64, 64, 3), (tone, 0, 255), np.uint8),
            generated=clip.frames,
        )
        for number, tone in enumerate(TONES[: COLUMNS + 1])
    ]
    sheet = np.asarray(draw_portraits(speakers).convert("RGB")).astype(int)
    # A full row, then one alone; the rest of its row is white.
    places = [np.argwhere((sheet == (tone, 0, 255)).all(axis=2)) for tone in TONES[: COLUMNS + 1]]
    assert [len(place) for place in places] == [96 * 96] * (COLUMNS + 1)
    tops = [place[:, 0].min() for place in places]
    assert len(set(tops[:COLUMNS])) == 1
    assert tops[COLUMNS] > tops[0] + 2 * 96
