"""Folders of videos for the tests of `s2tf evaluate videos`."""

import pytest
from video_folders import FRAMES, noisy, talking, write


@pytest.fixture
def folders(tmp_path):
    """Three clips, one in a folder of its own."""
    for number, key in enumerate(("a", "b", "deep/c")):
        frames = talking(number, FRAMES + number)
        write(tmp_path / "true" / f"{key}.mp4", frames)
        write(tmp_path / "made" / f"{key}.mp4", noisy(frames, 10.0))
    return tmp_path
