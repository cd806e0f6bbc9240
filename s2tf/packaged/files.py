"""Finds the files that ship with the package."""

import os
from pathlib import Path

from s2tf.errors import UserError

FOLDER = Path(__file__).parent
VARIABLE = "S2TF_PACKAGED"
"""Environment variable: a folder that takes the place of the package's own, with the same names in it."""
PIPELINE, JUDGES, SPEECH = "speech_to_talking_face", "judges", "speech.wav"
SAMPLE = "sample"
"""Name of the sample of speech on command lines; `./sample` is a file of that name."""
PIPELINE_NOTE = "the packaged pipeline, trained on synthetic speakers: its faces are drawn ones"
SPEECH_NOTE = "the sample speech (a synthetic voice)"


def _folder() -> Path:
    """Return the folder of what ships: `S2TF_PACKAGED`, else the package's own."""
    return Path(os.environ.get(VARIABLE, FOLDER))


def packaged_pipeline() -> Path:
    """Return the folder of the packaged pipeline.

    Raises:
        UserError: No pipeline is packaged, as in a checkout from before it was trained.
    """
    folder = _folder() / PIPELINE
    if not folder.is_dir():
        raise UserError(
            f"{folder} is missing, expected the packaged pipeline: name another one, such as "
            "`--pipeline demo/pipeline` after `s2tf demo --out demo`"
        )
    return folder


def packaged_judges() -> Path:
    """Return the folder of the packaged judges, which may be absent."""
    return _folder() / JUDGES


def sample_speech() -> Path:
    """Return the sample of speech: 5 seconds of a synthetic voice, WAV of 16 kHz and one channel.

    Raises:
        UserError: The file is absent.
    """
    path = _folder() / SPEECH
    if not path.is_file():
        raise UserError(f"{path} is missing, expected the packaged sample of speech: name a sound file")
    return path
