"""Stand-ins for what ships with the package, small and of random weights."""

import shutil
from pathlib import Path

import torch
from small_pipelines import small_portrait_pipeline, small_talking_face_pipeline

from s2tf.evaluation.judge_training import JudgeData, fingerprint_of
from s2tf.faces.judge_network import FaceReader
from s2tf.faces.judges import Judges
from s2tf.packaged.files import FOLDER, JUDGES, PIPELINE, SPEECH, VARIABLE
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline

OUTPUTS = {"face": 20, "gender": 1, "mouth": 41, "pose": 7}
"""Number of values that each judge reads."""


def packaged_stand_in(folder: Path) -> dict[str, str]:
    """Write a pipeline and the sample of speech into a folder; returns the environment in which they are packaged."""
    pipeline = SpeechToTalkingFacePipeline(small_portrait_pipeline(), small_talking_face_pipeline())
    pipeline.save_pretrained(folder / PIPELINE, precision=16)
    shutil.copy(FOLDER / SPEECH, folder / SPEECH)
    return {VARIABLE: str(folder)}


def judges_stand_in(folder: Path) -> dict[str, str]:
    """Write untrained judges that are taken for those of this version; returns the environment of `folder`."""
    torch.manual_seed(0)
    networks = {name: FaceReader(outputs, width=8) for name, outputs in OUTPUTS.items()}
    settings = {"fingerprint": fingerprint_of(JudgeData()), "accuracy": {"gender accuracy": 0.5}}
    Judges(**networks, settings=settings).save(folder / JUDGES, precision=16)
    return {VARIABLE: str(folder)}
