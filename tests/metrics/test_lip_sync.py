import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_lip_sync import sync_distances, track_scores

from s2tf.faces.track_settings import TrackSettings
from s2tf.faces.tracks import TrackCrops, whole_frames
from s2tf.media.mfcc import mfcc
from s2tf.metrics.lip_sync import SHIFT, LipSync, LipSyncReader, LipSyncScore
from s2tf.models.syncnet import SyncNet


@pytest.fixture(scope="module")
def network():
    """Small, with statistics of its norms as after training, so that a batch must not change its numbers."""
    torch.manual_seed(0)
    network = SyncNet(size=72, width=0.05, embedding=16)
    for name, values in network.named_buffers():
        if name.endswith("running_mean"):
            values.uniform_(-0.2, 0.2)
        if name.endswith("running_var"):
            values.uniform_(0.5, 2)
    return network.eval()


def clip(frames, samples=None, seed=0):
    random = np.random.default_rng(seed)
    samples = frames * 640 if samples is None else samples
    crops = random.integers(0, 256, (frames, 72, 72, 3), dtype=np.uint8)
    return crops, (random.normal(size=samples) * 0.1).astype(np.float32)


def distances_by_definition(lips, audio, shift):
    """In float64, pair by pair."""
    lips, audio = lips.double().numpy(), audio.double().numpy()
    sums = np.zeros(2 * shift + 1)
    for i, one in enumerate(lips):
        for s in range(-shift, shift + 1):
            other = audio[i + s] if 0 <= i + s < len(audio) else np.zeros_like(one)
            sums[s + shift] += np.sqrt(((one - other + 1e-6) ** 2).sum())
    return sums / len(lips)


@torch.inference_mode()
def whole_clip(network, crops, waveform):
    """The score of a clip in memory, window by window."""
    windows = min(len(crops), len(waveform) // 640) - 5
    bgr = np.ascontiguousarray(crops[..., ::-1].transpose(3, 0, 1, 2)).astype(np.float32)
    lips = torch.from_numpy(np.stack([bgr[:, i : i + 5] for i in range(windows)]))
    columns = mfcc(waveform).T
    audio = torch.from_numpy(np.stack([columns[None, :, 4 * i : 4 * i + 20] for i in range(windows)]))
    return LipSyncScore.of_distances(sync_distances(network.lips(lips), network.audio(audio)), windows)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 6), st.integers(0, 1000))
def test_distances_are_those_of_the_definition_with_zeros_beyond_the_ends(lips, audio, shift, seed):
    generator = torch.Generator().manual_seed(seed)
    one, other = (torch.randn(count, 5, generator=generator) for count in (lips, audio))
    ours = sync_distances(one, other, shift)
    assert ours.shape == (2 * shift + 1,)
    np.testing.assert_allclose(ours, distances_by_definition(one, other, shift), rtol=1e-5)


@pytest.mark.parametrize("delay", range(-SHIFT, SHIFT + 1))
def test_speech_that_is_delayed_by_k_frames_has_offset_minus_k(delay):
    event = torch.randn(100, 8, generator=torch.Generator().manual_seed(1)) * 3
    # What the lips do in frame i is heard in frame i + delay.
    lips, audio = event[20:80], event[20 - delay : 80 - delay]
    score = LipSyncScore.of_distances(sync_distances(lips, audio), len(lips))
    assert score.offset == -delay


def test_a_score_is_the_least_distance_and_how_far_the_median_is_above_it():
    distances = torch.tensor([4.0, 7.0, 1.0, 6.0, 5.0], dtype=torch.float64)
    score = LipSyncScore.of_distances(distances, 9)
    assert score == LipSyncScore(1.0, 4.0, 0, 9, (4.0, 7.0, 1.0, 6.0, 5.0))
    assert LipSyncScore.of_distances(distances.roll(-2), 9).offset == 2
    with pytest.raises(ValueError, match="finite"):
        LipSyncScore.of_distances(distances / 0 * 0, 9)


@settings(max_examples=15, deadline=None)
@given(st.integers(6, 60), st.integers(6 * 640, 60 * 640), st.integers(1, 25), st.integers(0, 1000))
def test_a_clip_read_in_pieces_scores_as_the_whole(network, frames, samples, batch, seed):
    crops, waveform = clip(frames, samples, seed)
    cuts = np.sort(np.random.default_rng(seed).integers(0, frames + 1, 5))
    reader = LipSyncReader(network, waveform, batch)
    for piece in np.split(crops, cuts):
        reader.update(piece)
    score, whole = reader.score(), whole_clip(network, crops, waveform)
    assert score.windows == whole.windows == min(frames, samples // 640) - 5
    np.testing.assert_allclose(score.distances, whole.distances, rtol=1e-4)
    assert score.lse_d == pytest.approx(min(score.distances))


def test_memory_does_not_grow_with_the_frames(network):
    crops, waveform = clip(200)
    reader = LipSyncReader(network, waveform, batch=8)
    sizes = []
    for begin in range(0, 200, 4):
        reader.update(crops[begin : begin + 4])
        sizes.append(len(pickle.dumps(reader)))
    assert max(sizes[25:]) <= max(sizes[:25]) + 1000


def test_every_track_is_scored_against_the_speech_from_its_first_frame_on(network):
    crops, waveform = clip(80)
    # Two faces at a time: all of the clip, and frames 30 to 59 of it turned upside down.
    turned = np.ascontiguousarray(crops[30:60, ::-1])
    pieces = [TrackCrops(0, begin, crops[begin : begin + 8], begin == 72) for begin in range(0, 80, 8)]
    pieces[5:5] = [TrackCrops(4, 30, turned[:11], False), TrackCrops(4, 41, turned[11:], True)]
    second, first = track_scores(pieces, waveform, network)
    for score, (shown, heard) in ((first, (crops, waveform)), (second, (turned, waveform[30 * 640 :]))):
        np.testing.assert_allclose(score.distances, whole_clip(network, shown, heard).distances, rtol=1e-4)
        assert score.windows == len(shown) - 5


def test_whole_frames_are_scored_too(network):
    crops, waveform = clip(20)
    frames = [np.repeat(frame, 2, axis=1) for frame in crops]
    (score,) = track_scores(whole_frames(frames, 72), waveform, network)
    assert score.windows == 15


def test_what_cannot_be_measured_says_why(network):
    crops, waveform = clip(10)
    with pytest.raises(ValueError, match=r"3839 samples of speech, expected at least 3840 \(6 frames\)"):
        LipSyncReader(network, waveform[:3839])
    reader = LipSyncReader(network, waveform)
    reader.update(crops[:5])
    with pytest.raises(ValueError, match="5 frames of a face, expected at least 6"):
        reader.score()
    with pytest.raises(ValueError, match=r"crops are uint8 \(1, 96, 96, 3\), expected uint8 \(n, 72, 72, 3\)"):
        reader.update(np.zeros((1, 96, 96, 3), np.uint8))
    with pytest.raises(ValueError, match="crops are float32"):
        reader.update(crops.astype(np.float32))


def test_the_metric_averages_clips_counts_failures_and_merges_exactly(network):
    scores = [LipSyncScore(8.0, 5.0, -2, 50, ()), LipSyncScore(10.0, 1.0, 4, 9, ()), LipSyncScore(6.0, 3.0, 0, 70, ())]
    crop = TrackSettings(size=72).to_json()
    whole, one, other = (LipSync(network, crop) for _ in range(3))
    for score in (*scores, None):
        whole.update(score)
    one.update(scores[0])
    other.update(scores[1])
    other.update(None)
    other.update(scores[2])
    one.merge_state(other)
    for metric in (whole, one):
        values = {name: float(value) for name, value in metric.compute().items()}
        assert values == {"LSE-D": 8.0, "LSE-C": 3.0, "offset": 2.0, "failed": 1.0}
        assert metric.protocol["clips"] == 3
        assert metric.protocol["failed"] == 1
    assert whole.protocol["crop"]["detector"] == "dlib"
    assert whole.protocol["network"] == network.fingerprint()


def test_where_all_clips_fail_there_is_no_mean(network):
    metric = LipSync(network, {"whole frame": 72})
    metric.update(None)
    values = metric.compute()
    assert values["LSE-D"].isnan()
    assert values["failed"] == 1
