"""Stand-ins for what ships with the package, small and of random weights."""

import shutil
from pathlib import Path

from small_pipelines import small_portrait_pipeline, small_talking_face_pipeline

from s2tf.packaged.files import FOLDER, PIPELINE, SPEECH, VARIABLE
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline


def packaged_stand_in(folder: Path) -> dict[str, str]:
    """Write a pipeline and the sample of speech into a folder; returns the environment in which they are packaged."""
    pipeline = SpeechToTalkingFacePipeline(small_portrait_pipeline(), small_talking_face_pipeline())
    pipeline.save_pretrained(folder / PIPELINE, precision=16)
    shutil.copy(FOLDER / SPEECH, folder / SPEECH)
    return {VARIABLE: str(folder)}
