"""Both stages in one call, and the files that commands read and write around it."""

import json

import av
import numpy as np
import pytest
from PIL import Image
from small_pipelines import coloured_noise, small_portrait_pipeline, small_talking_face_pipeline

from s2tf.cli import main
from s2tf.errors import UserError
from s2tf.media.audio import write_wav
from s2tf.media.video import read_video
from s2tf.pipelines.files import crop_portrait, read_portrait, write_video
from s2tf.pipelines.motion_gains import Gains
from s2tf.pipelines.portrait import PortraitPipeline
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline

SPEECH = coloured_noise(0.5)


@pytest.fixture(scope="module")
def pipeline():
    return SpeechToTalkingFacePipeline(small_portrait_pipeline(), small_talking_face_pipeline())


@pytest.fixture(scope="module")
def folder(pipeline, tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    write_wav(folder / "speech.wav", SPEECH)
    pipeline.save_pretrained(folder / "pipeline")
    return folder


def frames_of(output):
    return np.stack(list(output))


def test_the_pipeline_is_both_stages_one_after_the_other(pipeline):
    options = {"seed": 3, "steps": 2, "sampler": "dpm-solver++", "guidance": 1.5, "temperature": 0.5}
    output = pipeline(SPEECH, **options, gains={"head": 0.5})
    portrait = pipeline.portrait(SPEECH, **options).image
    assert np.array_equal(output.portrait, portrait)
    gains = Gains(head=0.5)
    frames = frames_of(output)
    assert frames.shape == (12, 16, 16, 3)
    assert np.array_equal(frames, frames_of(pipeline.talking_face(SPEECH, portrait, **options, gains=gains)))


def test_a_portrait_that_is_given_speaks_as_the_generated_one(pipeline):
    generated = pipeline(SPEECH, seed=1)
    assert np.array_equal(frames_of(pipeline(SPEECH, generated.portrait, seed=1)), frames_of(generated))
    other = frames_of(pipeline(SPEECH, 255 - generated.portrait, seed=1))
    assert not np.array_equal(other, frames_of(pipeline(SPEECH, seed=1)))


def test_frames_are_rendered_when_they_are_asked_for(pipeline, monkeypatch):
    decoded = []
    autoencoder = pipeline.talking_face.motion_autoencoder
    decode = autoencoder.decode
    monkeypatch.setattr(autoencoder, "decode", lambda *args, **named: (decoded.append(1), decode(*args, **named))[1])
    output = pipeline(SPEECH)
    assert not decoded
    next(output)
    assert len(decoded) == 1


@pytest.mark.parametrize(
    ("speech", "portrait", "message"),
    [
        (SPEECH[None], None, "waveform"),
        (SPEECH, np.zeros((8, 9, 3), np.uint8), "square"),
        (SPEECH, np.zeros((8, 8, 3)), "uint8"),
    ],
)
def test_what_cannot_speak_is_refused_at_the_call(pipeline, speech, portrait, message):
    with pytest.raises(ValueError, match=message):
        pipeline(speech, portrait)


def test_the_second_stage_alone_needs_a_portrait(pipeline):
    with pytest.raises(ValueError, match="no portrait is given"):
        pipeline.talking_face(SPEECH)


def test_a_pipeline_takes_what_it_declares_and_nothing_else():
    portrait, talking = small_portrait_pipeline(), small_talking_face_pipeline()
    assert SpeechToTalkingFacePipeline(talking_face=talking, portrait=portrait).portrait is portrait
    for parts, named in (((portrait, talking, talking), {}), ((portrait,), {"portrait": portrait}), ((), {"face": 1})):
        with pytest.raises(TypeError, match="takes each of portrait, talking_face once"):
            SpeechToTalkingFacePipeline(*parts, **named)
    with pytest.raises(TypeError, match="talking_face is a NoneType, expected a TalkingFacePipeline"):
        SpeechToTalkingFacePipeline(portrait)


def test_random_weights_of_the_stages_are_the_whole_pipelines_too(tmp_path):
    first = small_portrait_pipeline()
    flagged = PortraitPipeline(**first.components, **first.settings, random_weights=["face_decoder"])
    pipeline = SpeechToTalkingFacePipeline(flagged, small_talking_face_pipeline())
    assert pipeline(SPEECH).random_weights == ("face_decoder",)
    again = SpeechToTalkingFacePipeline.from_pretrained(pipeline.save_pretrained(tmp_path))
    assert (again.random_weights, again.portrait.random_weights) == (("face_decoder",), ("face_decoder",))
    assert again.talking_face.random_weights == ()


def test_the_commands_generate_what_the_pipeline_does(pipeline, folder, tmp_path, capsys):
    words = [str(folder / "speech.wav"), "--pipeline", str(folder / "pipeline"), "--seed", "2", "--sampler", "ddim"]
    generate = ["generate", *words, "--steps", "2", "--lips", "0", "--json", str(tmp_path / "g.json")]
    assert main([*generate, "--out", str(tmp_path / "g.mp4"), "--portrait", str(tmp_path / "g.png")]) == 0
    assert json.loads((tmp_path / "g.json").read_text()) == {
        "out": str(tmp_path / "g.mp4"),
        "frames": 12,
        "seconds": 0.48,
        "size": 16,
        "seed": 2,
        "random_weights": [],
    }
    assert main(["portrait", *words, "--steps", "2", "--out", str(tmp_path / "p.png")]) == 0
    assert (tmp_path / "p.png").read_bytes() == (tmp_path / "g.png").read_bytes()
    animate = ["animate", str(tmp_path / "p.png"), *words, "--steps", "2", "--lips", "0"]
    assert main([*animate, "--out", str(tmp_path / "a.mp4")]) == 0
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "g.mp4").read_bytes()
    assert main([*animate, "--out", str(tmp_path / "a.mp4"), "--crop"]) == 2
    assert "the pipeline stores no crop rule" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*animate, "--out", str(tmp_path / "a.mp4"), "--head", "-1"])
    assert "argument --head: '-1', expected a finite number of at least 0" in capsys.readouterr().err


def test_a_picture_that_is_not_square_is_refused_with_a_way_out(tmp_path):
    Image.new("RGB", (32, 24)).save(tmp_path / "wide.png")
    with pytest.raises(UserError, match="32x24 pixels, expected a square portrait; `--crop` finds the face"):
        read_portrait(tmp_path / "wide.png")
    with pytest.raises(UserError, match="no crop rule"):
        crop_portrait(tmp_path / "wide.png", None)


def test_a_portrait_is_upright_and_its_transparent_parts_have_the_chosen_colour(tmp_path):
    """As a viewer shows it: a phone turns its photos by a tag, not in their pixels."""
    upright = np.zeros((32, 32, 3), np.uint8)
    upright[:16, 4:] = 200
    tag = Image.Exif()
    tag[0x0112] = 6
    turned = Image.fromarray(upright).transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "photo.jpg", quality=98, subsampling=0, exif=tag)
    assert np.abs(read_portrait(tmp_path / "photo.jpg").astype(int) - upright).mean() < 3
    Image.new("RGBA", (32, 32), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_portrait(tmp_path / "clear.png") == 128).all()
    assert (read_portrait(tmp_path / "clear.png", (1, 2, 3)) == (1, 2, 3)).all()


def test_a_video_file_names_networks_of_random_weights(tmp_path):
    frames = [np.full((16, 16, 3), value, np.uint8) for value in range(5)]
    video = write_video(frames, SPEECH, tmp_path / "new" / "v.mp4", ["face_decoder"])
    assert (video.frames, video.size, video.seconds) == (5, 16, 0.2)
    assert len(read_video(video.path).frames) == 5
    with av.open(str(video.path)) as container:
        assert container.metadata["comment"] == "random weights: face_decoder"
    with pytest.raises(ValueError, match="no frame"):
        write_video([], SPEECH, tmp_path / "empty.mp4")
