"""Videos and sound come out as a player shows and plays them, whatever the file's container says about it."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from player_files import ORIENTATIONS, mux_sound, scene, set_matrix, shown, write, write_wav
from video_files import tone, write_video

from s2tf.media.container import has_sound
from s2tf.media.sound import read_audio, read_sound
from s2tf.media.video import VideoStream, read_video

RATE = 16000


def difference(first, second):
    return np.abs(first.astype(int) - second.astype(int)).mean()


@pytest.mark.parametrize("matrix", ORIENTATIONS)
def test_all_eight_orientations_are_shown_upright(tmp_path, matrix):
    path = write(tmp_path / "clip.mp4", [scene()] * 3)
    set_matrix(path, *matrix)
    frames = read_video(path).frames
    wanted = shown(scene(), *matrix)
    assert frames.shape[1:] == wanted.shape
    assert difference(frames[0], wanted) < 4
    with VideoStream(path) as stream:
        assert stream.size == wanted.shape[:2]


@pytest.mark.parametrize(("aspect", "width"), [(Fraction(8, 5), 205), (Fraction(8, 9), 114), (Fraction(1), 128)])
def test_pixels_that_are_not_square_are_stretched(tmp_path, aspect, width):
    path = write(
        tmp_path / "clip.mkv", [scene()] * 3, setup=lambda stream: setattr(stream, "sample_aspect_ratio", aspect)
    )
    assert read_video(path).frames.shape[1:] == (96, width, 3)


def test_the_containers_aspect_counts_where_the_stream_has_none(tmp_path):
    path = write(
        tmp_path / "clip.mp4",
        [scene()] * 3,
        codec="libvpx-vp9",
        options={},
        setup=lambda stream: setattr(stream, "sample_aspect_ratio", Fraction(3, 2)),
    )
    assert read_video(path).frames.shape[1:] == (96, 192, 3)


def pq(light):
    power = (np.maximum(light, 0) / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(light):
    """Light of a display of 1000 nits; the inverse of ITU-R BT.2100's OOTF and the OETF."""
    scene_light = np.maximum(light, 0) / 1000
    luma = np.maximum(scene_light @ [0.2627, 0.6780, 0.0593], 1e-9)
    scene_light = np.maximum(scene_light * (luma ** (1 / 1.2 - 1))[..., None], 0)
    high = 0.17883277 * np.log(np.maximum(12 * scene_light - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene_light <= 1 / 12, np.sqrt(3 * scene_light), high)


TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


@pytest.mark.parametrize(
    ("curve", "transfer"), [(pq, 16), (hlg, 18), (lambda light: np.maximum(light / 203, 0) ** (1 / 2.4), 14)]
)
def test_high_dynamic_range_comes_out_as_the_standard_range(tmp_path, curve, transfer):
    # Diffuse white at 203 nits (ITU-R BT.2408).
    light = (scene() / 255.0) ** 2.4 @ TO_BT2020.T * 203.0
    coded = (np.clip(curve(light), 0, 1) * 65535).round().astype(np.uint16)
    path = tmp_path / "clip.mov"
    names = {16: "smpte2084", 18: "arib-std-b67", 14: "bt2020-10"}
    with av.open(str(path), "w") as container:
        options = {
            "crf": "4",
            "x265-params": f"log-level=none:colorprim=bt2020:transfer={names[transfer]}:colormatrix=bt2020nc",
        }
        video = container.add_stream("libx265", rate=25, options=options)
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p10le"
        video.codec_context.color_primaries, video.codec_context.color_trc = 9, transfer
        video.codec_context.colorspace, video.codec_context.color_range = 9, 1
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(coded, format="rgb48le")
            frame = frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    clip = read_video(path)
    assert difference(clip.frames[1], scene()) < 8
    assert [note.kind for note in clip.notes] == ["tone-mapped"]


def test_interlaced_pictures_are_deinterlaced(tmp_path):
    # A bright bar moves by its width between the two fields of each picture.
    pictures = []
    for index in range(10):
        picture = np.full((96, 128, 3), 40, np.uint8)
        picture[0::2, 8 * index : 8 * index + 16] = 220
        picture[1::2, 8 * index + 4 : 8 * index + 20] = 220
        pictures.append(picture)
    options = {"flags": "+ilme+ildct", "qscale": "2", "top": "1"}
    path = write(tmp_path / "clip.mpg", pictures, codec="mpeg2video", options=options)
    clip = read_video(path)
    assert [note.kind for note in clip.notes] == ["deinterlaced"]
    combed = np.abs(np.diff(clip.frames[3].astype(int), axis=0)).mean()
    assert combed < 0.5 * np.abs(np.diff(pictures[3].astype(int), axis=0)).mean()


def test_the_default_track_is_heard(tmp_path):
    low, high = tone(2.0, 300.0), tone(2.0, 900.0)
    path = write(
        tmp_path / "clip.mp4",
        [scene()] * 50,
        tracks=((low, "mono", av.stream.Disposition(0)), (high, "mono", av.stream.Disposition.default)),
    )
    sound = read_sound(path)
    assert pitch(sound.waveform) == pytest.approx(900, abs=5)
    assert [note.kind for note in sound.notes] == ["several tracks"]


def pitch(waveform):
    spectrum = np.abs(np.fft.rfft(waveform))
    return np.argmax(spectrum) * RATE / len(waveform)


def test_a_cover_is_no_video(tmp_path):
    path = write(tmp_path / "clip.mp4", [scene()] * 3)
    with av.open(str(path)) as source, av.open(str(tmp_path / "cover.mkv"), "w") as target:
        cover = target.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        stream = target.add_stream_from_template(source.streams.video[0])
        target.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        target.mux(cover.encode(None))
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert read_video(tmp_path / "cover.mkv").frames.shape[1:] == (96, 128, 3)


@pytest.mark.parametrize("suffix", ["ts", "mpg", "mkv"])
def test_parts_whose_clock_restarts_follow_one_another_in_step(tmp_path, suffix):
    bright, dark = [np.full((64, 64, 3), 200, np.uint8)] * 50, [np.full((64, 64, 3), 50, np.uint8)] * 50
    codec, options = ("mpeg2video", {"qscale": "2"}) if suffix == "mpg" else ("libx264", {"crf": "6"})
    first = write(tmp_path / f"a.{suffix}", bright, waveform=tone(2.0, 300.0), codec=codec, options=options)
    second = write(tmp_path / f"b.{suffix}", dark, waveform=tone(2.0, 900.0), codec=codec, options=options)
    path = tmp_path / f"joined.{suffix}"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    clip = read_video(path)
    sound = read_sound(path, origin=clip.origin)
    assert len(clip.frames) == pytest.approx(100, abs=1)
    levels = clip.frames.mean(axis=(1, 2, 3))
    border = int(np.argmax(levels < 125))
    assert border == pytest.approx(50, abs=1)
    assert pitch(sound.waveform[8000:24000]) == pytest.approx(300, abs=5)
    assert pitch(sound.waveform[40000:56000]) == pytest.approx(900, abs=5)
    # The sounds meet where the pictures do.
    pieces = [pitch(sound.waveform[at : at + 1600]) for at in range(28800, 35200, 320)]
    change = 28800 + 320 * next(index for index, found in enumerate(pieces) if found > 600) + 800
    assert change / 640 == pytest.approx(border, abs=2.5)
    assert "joined" in {note.kind for note in clip.notes} & {note.kind for note in sound.notes}


def test_a_part_without_sound_is_silent_and_the_next_ones_are_in_step(tmp_path):
    dark, bright = [np.full((64, 64, 3), 50, np.uint8)] * 50, [np.full((64, 64, 3), 200, np.uint8)] * 50
    title = write(tmp_path / "title.ts", dark)
    talk = write(tmp_path / "talk.ts", bright, waveform=tone(2.0, 300.0))
    for name, parts in {"a": (title, talk), "b": (talk, title, talk)}.items():
        path = tmp_path / f"{name}.ts"
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        clip = read_video(path)
        waveform = read_audio(path, origin=clip.origin)
        assert len(clip.frames) == pytest.approx(50 * len(parts), abs=1)
        for index, part in enumerate(parts):
            middle = slice(32000 * index + 8000, 32000 * index + 24000)
            assert (np.abs(waveform[middle]).max() > 0.1) == (part is talk)


def test_a_long_hole_in_the_sound_of_a_broadcast_is_silence(tmp_path):
    path = tmp_path / "hole.ts"
    pictures, sound = [np.full((64, 64, 3), 90, np.uint8)] * 400, tone(16.0)
    whole = write(tmp_path / "whole.ts", pictures, waveform=sound)
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        streams = {one.index: target.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            seconds = None if packet.dts is None else float(packet.dts * packet.time_base)
            if seconds is None or (packet.stream.type == "audio" and 3 < seconds < 15):
                continue
            packet.stream = streams[packet.stream.index]
            target.mux(packet)
    clip = read_video(path)
    sound = read_sound(path, origin=clip.origin)
    assert len(clip.frames) == pytest.approx(400, abs=1)
    assert len(sound.waveform) == pytest.approx(16 * 16000, abs=1600)
    assert np.abs(sound.waveform[-8000:]).max() > 0.1
    assert not np.abs(sound.waveform[5 * 16000 : 12 * 16000]).any()
    assert sound.notes == clip.notes == ()


@pytest.mark.parametrize(("suffix", "codec"), [("aac", "aac"), ("mp3", "mp3")])
def test_a_length_that_is_guessed_from_the_bit_rate_is_not_missed(tmp_path, suffix, codec):
    samples = np.concatenate([np.zeros(16000 * 10), np.random.default_rng(0).normal(0, 0.2, 16000 * 10)])
    path = tmp_path / f"clip.{suffix}"
    with av.open(str(path), "w", options={"write_xing": "0"} if suffix == "mp3" else {}) as container:
        stream = container.add_stream(codec, rate=48000, layout="mono", options={"q": "4"} if suffix == "mp3" else {})
        mux_sound(container, stream, samples, "mono")
    assert not {note.kind for note in read_sound(path).notes} & {"broken off", "joined"}


def test_pictures_that_change_their_size_are_fitted_to_the_first(tmp_path):
    parts = [write(tmp_path / "a.ts", [scene()] * 25), write(tmp_path / "b.ts", [scene(192, 256)] * 25)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    clip = read_video(path)
    assert clip.frames.shape == (50, 96, 128, 3)
    assert difference(clip.frames[40], scene()) < 8
    assert {note.kind for note in clip.notes} == {"joined", "resized"}


def test_sound_that_changes_its_format_is_heard_to_the_end(tmp_path):
    parts = [
        write(tmp_path / "a.ts", [scene()] * 50, tracks=((tone(2.0, 300.0), "mono", None),)),
        write(tmp_path / "b.ts", [scene()] * 50, tracks=((np.stack([tone(2.0, 900.0)] * 2), "stereo", None),)),
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    sound = read_sound(path)
    assert pitch(sound.waveform[40000:56000]) == pytest.approx(900, abs=5)
    assert "format changes" in {note.kind for note in sound.notes}


def test_a_damaged_packet_costs_no_recording(tmp_path):
    path = write(tmp_path / "clip.mp4", [scene()] * 75, waveform=tone(3.0))
    whole = read_audio(path)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        broken = [packet for packet in container.demux(audio=0) if packet.size][60:62]
        for packet in broken:
            data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(data)
    sound = read_sound(path)
    assert len(sound.waveform) == len(whole)
    assert np.corrcoef(sound.waveform[:16000], whole[:16000])[0, 1] > 0.999
    assert np.corrcoef(sound.waveform[-8000:], whole[-8000:])[0, 1] > 0.99
    (note,) = sound.notes
    assert note.kind == "damaged"
    assert "at 1." in note.text


def test_a_file_that_was_cut_says_where_it_ends(tmp_path):
    path = write(tmp_path / "clip.mkv", [scene()] * 75, waveform=tone(3.0))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    with VideoStream(path) as stream:
        list(stream)
        assert "broken off" in {note.kind for note in stream.notes}


def test_a_last_picture_that_is_shown_for_long_is_no_early_end(tmp_path):
    times = [Fraction(0), Fraction(4), Fraction(8)]
    path = write_video(tmp_path / "slides.mp4", [scene()] * 3, times=times)
    with VideoStream(path) as stream:
        frames = sum(1 for _ in stream)
        assert stream.notes == ()
    assert frames > 200


@pytest.mark.parametrize("channel", [0, 1])
def test_channels_that_cancel_each_other_give_the_louder_one(tmp_path, channel):
    speech = tone(1.0)
    channels = np.stack([speech, -speech])
    channels[1 - channel] *= 0.9
    sound = read_sound(write_wav(tmp_path / "clip.wav", channels))
    assert np.corrcoef(sound.waveform, channels[channel])[0, 1] > 0.999
    assert [note.kind for note in sound.notes] == ["one channel"]


def test_channels_that_cancel_for_a_part_of_the_time_are_noticed_too(tmp_path):
    speech = np.concatenate([tone(2.0), tone(2.0, 500.0)])
    channels = np.stack([speech, speech * np.repeat([1, -1], 32000)])
    sound = read_sound(write_wav(tmp_path / "clip.wav", channels))
    assert np.corrcoef(sound.waveform, speech)[0, 1] > 0.999
    assert [note.kind for note in sound.notes] == ["one channel"]


@pytest.mark.parametrize("value", [40.0, 5000.0])
def test_single_wild_samples_do_not_change_the_level(tmp_path, value):
    samples = tone(2.0)
    samples[16000] = value
    sound = read_sound(write_wav(tmp_path / "clip.wav", samples))
    assert np.abs(sound.waveform - np.clip(samples, -1, 1)).max() < 1e-4
    (note,) = sound.notes
    assert "1 samples of up to" in note.text
    assert "at 1.00 s" in note.text


def test_speech_in_one_of_two_channels_is_mixed_as_usual(tmp_path):
    sound = read_sound(write_wav(tmp_path / "clip.wav", np.stack([tone(1.0), np.zeros(16000)])))
    assert np.abs(sound.waveform - 0.5 * tone(1.0)).max() < 1e-5
    assert sound.notes == ()


@pytest.mark.parametrize("full", [2**15, 2**31])
def test_whole_numbers_stored_as_floats_are_brought_into_range(tmp_path, full):
    sound = read_sound(write_wav(tmp_path / "clip.wav", tone(1.0) * full))
    assert np.abs(sound.waveform - tone(1.0)).max() < 1e-4
    assert [note.kind for note in sound.notes] == ["rescaled"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_named_with_file_and_time(tmp_path, value):
    samples = tone(2.0)
    samples[20000] = value
    path = write_wav(tmp_path / "clip.wav", samples)
    with pytest.raises(ValueError, match=r"clip.wav: the sound is not finite \(NaN or infinity\) at 1.25 s"):
        read_audio(path)
    assert len(read_audio(path, max_seconds=1.0)) == 16000


def test_clipped_and_quiet_sound_is_noted(tmp_path):
    loud = read_sound(write_wav(tmp_path / "loud.wav", np.clip(tone(1.0) * 4, -1, 1)))
    quiet = read_sound(write_wav(tmp_path / "quiet.wav", tone(1.0) * 0.01))
    assert [note.kind for note in loud.notes] == ["clipped"]
    assert [note.kind for note in quiet.notes] == ["quiet"]


@pytest.mark.parametrize("name", ["12:30 take.wav", "100 %d.wav", "-take.wav", "concat:a.wav", "a\\b.wav", "[x].wav"])
def test_names_are_names(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_wav(tmp_path / "plain.wav", tone(0.5)).rename(tmp_path / name)
    assert len(read_audio(Path(name))) == 8000
    assert has_sound(Path(name))


def test_tags_in_another_encoding_do_not_matter(tmp_path):
    path = write(tmp_path / "clip.mp4", [scene()] * 3)
    with av.open(str(path)) as source, av.open(str(tmp_path / "tag.mkv"), "w") as target:
        target.metadata["title"] = "cafe"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    data = (tmp_path / "tag.mkv").read_bytes().replace(b"cafe", b"caf\xe9")
    (tmp_path / "tag.mkv").write_bytes(data)
    assert len(read_video(tmp_path / "tag.mkv").frames) == 3
