import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_files import number_of, numbered_frame, tone, write_video

from s2tf.media import video
from s2tf.media.sound import read_audio
from s2tf.media.video import VideoStream, read_video
from s2tf.media.video_writer import VideoWriter


@pytest.mark.parametrize("rate", [15, Fraction(2213, 100), Fraction(30000, 1001), 30, 60])
def test_resampling_is_by_timestamp_and_never_drifts(tmp_path, rate):
    times = [Fraction(number) / Fraction(rate) for number in range(int(2 * rate))]
    path = write_video(tmp_path / "clip.mp4", [numbered_frame(n) for n in range(len(times))], times=times)
    clip = read_video(path)
    assert len(clip.frames) == round(len(times) / Fraction(rate) * 25)
    for index, frame in enumerate(clip.frames):
        shown = number_of(frame) / rate
        assert abs(shown - Fraction(index, 25)) <= Fraction(1, 2) / rate + Fraction(1, 50)


@given(
    rate=st.fractions(Fraction(5), Fraction(120), max_denominator=1001),
    jitter=st.floats(0, 0.45),
    origin=st.floats(0, 20),
    seed=st.integers(0, 9),
)
@settings(max_examples=25, deadline=None)
def test_ten_minutes_drift_by_no_more_than_half_a_frame_at_any_rate(rate, jitter, origin, seed):
    count = int(600 * rate)
    shifts = np.random.default_rng(seed).uniform(-jitter, jitter, count) / float(rate)
    times = origin + np.arange(count) / float(rate) + shifts
    pictures = ((time, 1 / float(rate), number) for number, time in enumerate(times))
    shown = times[[number for _, _, number in video._nearest(pictures, times[0], Fraction(25), None)]] - times[0]
    wanted = np.arange(len(shown)) / 25
    half = np.diff(times).max() / 2
    assert abs(len(shown) - (times[-1] - times[0] + 1 / float(rate)) * 25) <= 1
    # The last picture is held for its own duration.
    assert np.abs(shown - wanted)[:-1].max() <= max(half, 1 / float(rate)) + 1e-6
    inside = wanted <= times[-1] - times[0]
    assert np.abs(shown - wanted)[inside].max() <= half + 1e-6


def test_a_variable_frame_rate_follows_the_timestamps(tmp_path):
    times = [Fraction(0), Fraction(1, 25), Fraction(2, 25), Fraction(11, 25), Fraction(12, 25), Fraction(13, 25)]
    path = write_video(tmp_path / "vfr.mkv", [numbered_frame(n) for n in range(6)], times=times)
    numbers = [number_of(frame) for frame in read_video(path).frames[:14]]
    assert numbers == [0, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4, 5]


def test_a_part_of_a_clip_is_the_same_as_that_part_of_the_whole(tmp_path):
    times = [Fraction(number, 30) for number in range(90)]
    path = write_video(tmp_path / "clip.mp4", [numbered_frame(n) for n in range(90)], times=times, waveform=tone(3.0))
    whole, part = read_video(path), read_video(path, max_seconds=0.8, start=1.6)
    assert np.array_equal(part.frames, whole.frames[40:60])
    sound = read_audio(path, start=1.6, max_seconds=0.8)
    assert len(sound) == 12800
    assert np.corrcoef(sound, read_audio(path)[25600:38400])[0, 1] > 0.99


def test_sound_that_begins_later_than_the_picture_is_preceded_by_silence(tmp_path):
    times = [Fraction(number, 25) for number in range(50)]
    click = np.zeros(16000, np.float32)
    click[4000:4100] = 0.9
    frames = [numbered_frame(n) for n in range(50)]
    path = write_video(tmp_path / "late.mkv", frames, times=times, waveform=click, sound_start=0.5)
    sound = read_audio(path)
    assert abs(int(np.argmax(np.abs(sound) > 0.4)) - 12000) < 160
    path = write_video(tmp_path / "early.mkv", frames, times=[time + Fraction(1, 5) for time in times], waveform=click)
    assert abs(int(np.argmax(np.abs(read_audio(path)) > 0.4)) - 800) < 160


@pytest.mark.parametrize("seconds", [0.01, 0.2, 1.0, 2.52])
@pytest.mark.parametrize("frames", [1, 25, 62])
def test_the_writer_gives_exactly_its_frames_and_as_much_sound(tmp_path, frames, seconds):
    path = tmp_path / "talking.mp4"
    with VideoWriter(path, (64, 48), waveform=tone(seconds)) as writer:
        for number in range(frames):
            writer.write(numbered_frame(number, 64, 48))
    clip = read_video(path)
    assert clip.frames.shape == (frames, 64, 48, 3)
    assert [number_of(frame) for frame in clip.frames] == list(range(frames))
    assert abs(len(read_audio(path)) / 16000 - frames / 25) < 1 / 25
    with av.open(str(path)) as container:
        assert abs(container.duration / av.time_base - frames / 25) < 1 / 25
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")


def test_a_click_stays_at_its_frame_through_writer_and_reader(tmp_path):
    click = np.zeros(32000, np.float32)
    click[16000:16160] = 0.9
    with VideoWriter(tmp_path / "click.mp4", (64, 64), waveform=click) as writer:
        for number in range(50):
            writer.write(numbered_frame(number))
    assert abs(int(np.argmax(np.abs(read_audio(tmp_path / "click.mp4")) > 0.4)) - 16000) < 320


def test_an_odd_size_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match="65x64"):
        VideoWriter(tmp_path / "odd.mp4", (64, 65))


def test_a_frame_of_another_size_is_an_error_and_leaves_no_file(tmp_path):
    def write_two_sizes():
        with VideoWriter(tmp_path / "a.mp4", (64, 64)) as writer:
            writer.write(numbered_frame(0))
            writer.write(numbered_frame(0, 32, 32))

    with pytest.raises(ValueError, match="frame 1"):
        write_two_sizes()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fps", "seconds", "start"), [(25, None, 0.0), (10, None, 0.0), (25, 0.8, 1.6), (30, 9.0, 2.0)]
)
def test_a_stream_gives_exactly_the_frames_and_the_origin_of_the_whole_clip(tmp_path, fps, seconds, start):
    times = [Fraction(1, 5) + Fraction(number * 1001, 30000) for number in range(80)]
    frames = [numbered_frame(n, 48, 64) for n in range(80)]
    path = write_video(tmp_path / "clip.mkv", frames, times=times)
    clip = read_video(path, fps, seconds, start=start)
    with VideoStream(path, fps, seconds, start=start) as stream:
        assert (stream.origin, stream.fps, stream.size) == (clip.origin, clip.fps, clip.frames.shape[1:3])
        assert np.array_equal(np.stack(list(stream)), clip.frames)
        assert next(stream, None) is None
    assert clip.origin == pytest.approx(0.2, abs=0.002)


def test_a_stream_holds_a_few_pictures_however_long_the_video_is(tmp_path):
    times = [Fraction(n, 25) for n in range(500)]
    path = write_video(tmp_path / "long.mp4", [numbered_frame(n % 250) for n in range(500)], times=times)
    with VideoStream(path) as stream:
        tracemalloc.start()
        count = sum(1 for _ in stream)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert count == 500
    assert peak < 20 * 64 * 64 * 3


def test_a_stream_that_is_left_early_gives_no_more_frames(tmp_path):
    path = write_video(
        tmp_path / "clip.mp4", [numbered_frame(n) for n in range(9)], times=[Fraction(n, 25) for n in range(9)]
    )
    with VideoStream(path) as stream:
        assert number_of(next(stream)) == 0
    assert next(stream, None) is None


def test_a_start_after_the_end_is_one_clear_error(tmp_path):
    path = write_video(tmp_path / "short.mp4", [numbered_frame(0)], times=[Fraction(0)])
    with pytest.raises(ValueError, match=r"short\.mp4 has no picture after 3 s"):
        read_video(path, start=3.0)


@pytest.mark.parametrize("read", [read_video, VideoStream, read_audio])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"not a video" * 100, "a text, 'not a video"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "pointer of git-lfs for a file of 9 bytes",
        ),
        (b"<!DOCTYPE html><title>Sign in</title>", "an HTML page, 'Sign in'"),
        (b"", "empty"),
        (bytes(range(200, 256)) * 20, "Invalid data"),
        # Broken, but of a kind that is read.
        (b"RIFF\x10\0\0\0WAVE" + b"\xff" * 200, ": (?!it is a RIFF)"),
    ],
)
def test_an_unreadable_file_is_one_clear_error(tmp_path, read, data, kind):
    path = tmp_path / "broken.mp4"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"broken\.mp4.*{kind}"):
        read(path)
    with pytest.raises(FileNotFoundError, match=r"absent\.mp4"):
        read(tmp_path / "absent.mp4")


def test_a_video_without_sound_says_so(tmp_path):
    path = write_video(tmp_path / "mute.mp4", [numbered_frame(0)], times=[Fraction(0)])
    with pytest.raises(ValueError, match=r"mute\.mp4 has no sound track"):
        read_audio(path)


def test_a_comment_stands_in_the_files_metadata(tmp_path):
    with VideoWriter(tmp_path / "noted.mp4", (64, 64), comment="random weights: decoder") as writer:
        writer.write(numbered_frame(0, 64, 64))
    with av.open(str(tmp_path / "noted.mp4")) as container:
        assert container.metadata["comment"] == "random weights: decoder"
