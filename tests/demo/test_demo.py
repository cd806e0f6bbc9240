"""The whole demo, two steps a stage: what it writes, and that its pipeline folder gives the same output again."""

import json

import av
import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from s2tf.cli import main
from s2tf.demo.results import write_speakers
from s2tf.demo.train import DemoSettings, make_shards, train_chain
from s2tf.pipelines.motion_gains import Gains
from s2tf.pipelines.speech_to_talking_face import SpeechToTalkingFacePipeline
from s2tf.reporting.costs.efficiency import count_once

pytestmark = pytest.mark.slow
SETTINGS = DemoSettings(seed=5, speakers=8, val=0.25, test=0.25, seconds=3.0, workers=1, steps=2, compared=1)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    console = Console(quiet=True)
    chain = train_chain(SETTINGS, make_shards(SETTINGS, out, console), out, console)
    return out, chain, write_speakers(SETTINGS, chain, out, console)


def test_every_stage_leaves_its_run(demo):
    _, chain, _ = demo
    for stage in ("conre", "scfp", "motion_autoencoder", "lip_landmarks", "motion_diffusion"):
        run = chain.networks[stage].parent
        assert (run / "config.yaml").is_file()
        assert (run / "checkpoints" / "last.ckpt").is_file()


def test_a_speaker_gets_a_portrait_a_video_with_sound_and_a_sheet(demo):
    out, _, results = demo
    speaker = results.speakers[0]
    folder = out / "speakers" / speaker.key
    with Image.open(folder / "portrait.png") as portrait, Image.open(folder / "sheet.png") as sheet:
        assert portrait.size == (64, 64)
        assert sheet.size[0] > 8 * 128
    with Image.open(out / "portraits.png") as portraits:
        assert portraits.size[0] > len(results.speakers) * 96
    with av.open(str(folder / "talking.mp4")) as video:
        stream, sound = video.streams.video[0], video.streams.audio[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sound.codec_context.name == "aac"
        assert stream.average_rate == 25
        assert sum(1 for _ in video.decode(stream)) == round(len(speaker.waveform) / 16000 * 25) == 75


def test_the_pipeline_folder_gives_the_same_portrait_and_frames_again(demo):
    _, chain, results = demo
    speaker = results.speakers[0]
    pipeline = SpeechToTalkingFacePipeline.from_pretrained(chain.pipeline)
    output = pipeline(speaker.waveform, seed=SETTINGS.seed)
    assert np.array_equal(output.portrait, speaker.portrait)
    assert np.array_equal(np.stack(list(output.frames)), speaker.generated)


@pytest.mark.parametrize(
    ("samples", "frames"), [(1, 1), (640, 1), (3200, 5), (47999, 75), (48001, 75), (75 * 640 + 321, 76)]
)
def test_frames_are_the_rounded_length_of_the_speech(demo, samples, frames):
    _, _, results = demo
    speech = np.tile(results.speakers[0].waveform, 2)[:samples]
    talking = results.pipeline(speech, results.speakers[0].portrait, steps=2)
    assert sum(1 for _ in talking) == frames


def test_half_a_minute_of_speech_is_rendered_as_it_is_asked_for(demo):
    _, _, results = demo
    speech = np.tile(results.speakers[0].waveform, 10)
    talking = results.pipeline.talking_face
    motion = talking.sample_motion(talking.encode_portrait(results.speakers[0].portrait), speech, steps=2)
    assert len(motion.codes) == len(motion.lips) == 750
    frames = talking(speech, results.speakers[0].portrait, steps=2)
    assert next(frames).shape == (128, 128, 3)


def test_gains_hold_still_what_they_are_asked_to(demo, tmp_path, capsys):
    out, chain, results = demo
    talking, speaker = results.pipeline.talking_face, results.speakers[0]
    source = talking.encode_portrait(speaker.portrait)
    free, held = (
        talking.sample_motion(source, speaker.waveform, steps=2, gains=gains)
        for gains in (Gains(), Gains(head=0, lips=0))
    )
    assert torch.equal(held.lips, held.lips[:1].expand_as(held.lips))
    assert not torch.equal(free.lips, held.lips)
    placement = [talking.motion_autoencoder.read_face(source, motion.codes).placement for motion in (free, held)]
    assert placement[1].std(0).max() < 0.2 * placement[0].std(0).max()
    speech = str(out / "speakers" / speaker.key / "speech.wav")
    generate = ["generate", speech, "--pipeline", str(chain.pipeline), "--steps", "2", "--out", str(tmp_path / "g.mp4")]
    assert main([*generate, "--head", "0", "--blink", "0.5", "--lips", "1.5"]) == 0
    with pytest.raises(SystemExit, match="2"):
        main([*generate, "--head", "-1"])
    assert "argument --head: '-1', expected a finite number of at least 0" in capsys.readouterr().err


def test_table_twelve_is_measured_on_this_machine(demo, tmp_path, capsys):
    _, chain, results = demo
    table = ["report", "table", "table12", "--pipeline", str(chain.pipeline), "--json", str(tmp_path / "table12.json")]
    assert main([*table, "--seconds", "0.4"]) == 0
    lines = {
        (line["method"], line["source"]): line for line in json.loads((tmp_path / "table12.json").read_text())["lines"]
    }
    assert ("", "without the speech") not in lines
    counted = lines["HRTF", "ours"]["cells"]["parameters ↓ (M)"]["mean"]
    networks = results.pipeline.talking_face.components.values()
    # The demo's two speech features are two networks.
    assert counted * 1e6 == pytest.approx(sum(network.parameter_count for network in networks))
    assert count_once([*networks, *networks]) == pytest.approx(counted * 1e6)
    assert lines["HRTF-SCFP", "ours"]["cells"]["parameters ↓ (M)"]["mean"] > counted
    assert lines["HRTF", "ours"]["cells"]["speed ↑ (frames a second)"]["mean"] > 0
    capsys.readouterr()
    with pytest.raises(SystemExit, match="2"):
        main([*table, "--seconds", "0"])
    for arguments, message in (
        (["--pipeline", str(tmp_path)], "model_index.json"),
        (["--device", "cuda:7"], "--device cuda:7"),
    ):
        assert main([*table, *arguments]) == 2
        assert message in capsys.readouterr().err


def test_the_commands_generate_from_the_pipeline_folder(demo, tmp_path, capsys):
    out, chain, results = demo
    speech = str(out / "speakers" / results.speakers[0].key / "speech.wav")
    shared = ["--pipeline", str(chain.pipeline), "--steps", "2"]
    assert main(["portrait", speech, *shared, "--out", str(tmp_path / "p.png")]) == 0
    animate = ["animate", str(tmp_path / "p.png"), speech, *shared, "--out", str(tmp_path / "a.mp4")]
    assert main([*animate, "--json", str(tmp_path / "a.json")]) == 0
    assert json.loads((tmp_path / "a.json").read_text())["frames"] == 75
    assert main(["generate", speech, *shared, "--out", str(tmp_path / "g.mp4")]) == 0
    assert main(["generate", "nowhere.wav", *shared, "--out", str(tmp_path / "g.mp4")]) == 2
    assert "nowhere.wav" in capsys.readouterr().err
    assert main(["portrait", speech, "--pipeline", str(tmp_path), "--out", str(tmp_path / "p.png")]) == 2
    assert "model_index.json" in capsys.readouterr().err
