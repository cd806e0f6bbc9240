"""Runs command lines on bad input."""

import numpy as np
import pytest
from PIL import Image
from small_pipelines import coloured_noise, small_portrait_pipeline, small_talking_face_pipeline
from tiny_shards import tiny_shards

from s2tf.cli import main
from s2tf.media.audio import write_wav
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline


@pytest.fixture(scope="session")
def places(tmp_path_factory):
    """Files for the places of a command line; nothing writes into them."""
    root = tmp_path_factory.mktemp("places")
    write_wav(root / "speech.wav", coloured_noise(0.5))
    pipeline = SpeechToTalkingFacePipeline(small_portrait_pipeline(), small_talking_face_pipeline())
    pipeline.save_pretrained(root / "pipeline")
    (root / "faces").mkdir()
    Image.fromarray(np.full((32, 32, 3), 120, np.uint8)).save(root / "face.png")
    Image.fromarray(np.full((32, 32, 3), 120, np.uint8)).save(root / "faces" / "face.png")
    tiny_shards(root / "shards")
    assert (
        main(
            [
                "generate",
                str(root / "speech.wav"),
                "--pipeline",
                str(root / "pipeline"),
                "--steps",
                "1",
                "--out",
                str(root / "video.mp4"),
            ]
        )
        == 0
    )
    names = {"speech": "speech.wav", "face": "face.png", "video": "video.mp4"}
    return {name: root / names.get(name, name) for name in ("speech", "face", "video", "faces", "pipeline", "shards")}


@pytest.fixture
def answer(places, tmp_path, capsys, monkeypatch):
    """Run a command line on bad input, and return its only line; the folder of its results stays empty."""
    monkeypatch.setenv("S2TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def run(line, *more, status=2, **other):
        out = tmp_path / "results" / "out"
        out.parent.mkdir(exist_ok=True)
        words = [word.format(**{**places, "out": out, **other}) for word in line.split()] + [str(one) for one in more]
        capsys.readouterr()
        try:
            found = main(words)
        except SystemExit as end:
            found = end.code
        error = capsys.readouterr().err
        assert found == status, error
        (only,) = error.splitlines()
        assert only.startswith("s2tf ")
        assert "Traceback" not in only
        assert not list(out.parent.iterdir()), "something was left behind"
        return only

    return run
