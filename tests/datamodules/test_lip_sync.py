"""Lips and speech of one moment come together, as evaluation reads them; what is too short is said."""

import itertools
import logging
import random

import numpy as np
import pytest
import torch
from tiny_shards import tiny_shards

from datamodules.lip_sync import LipSyncData, View
from datamodules.shards.errors import ShardError
from datamodules.shards.writing import read_split
from s2tf.media.mfcc import mfcc

FRAMES = 40
SIZE = 64


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards", size=SIZE)


def lip_sync(shards, **options):
    return LipSyncData(
        str(shards), **{"batch_size": 2, "num_workers": 0, "size": SIZE, "windows": 5, "gap": 3, **options}
    )


def starts_of(window_mfcc, whole):
    """The first frame of each window (1, 13, 20), by its coefficients in those of the whole clip."""
    starts = []
    for window in window_mfcc[:, 0].numpy():
        slices = np.stack([whole[4 * frame : 4 * frame + 20].T for frame in range((len(whole) - 20) // 4 + 1)])
        (found,) = np.flatnonzero(np.isclose(slices, window, rtol=1e-6, atol=1e-5).all(axis=(1, 2)))
        starts.append(int(found))
    return starts


def test_a_window_is_the_clip_s_frames_and_their_part_of_the_whole_clip_s_coefficients(shards):
    data = lip_sync(shards)
    batch = data.on_device(next(iter(data.val_dataloader())))
    for row, sample in enumerate(read_split(shards, "val")):
        starts = starts_of(batch["mfcc"][row], mfcc(sample.waveform()))
        assert all(later - earlier >= 3 for earlier, later in itertools.pairwise(starts))
        for window, start in zip(batch["lips"][row], starts, strict=True):
            bgr = sample.frames(start, start + 5)[..., ::-1]
            assert np.array_equal(window.numpy(), bgr.transpose(3, 0, 1, 2))


def test_training_shows_a_row_s_windows_in_one_view_and_rows_in_several(shards):
    data = lip_sync(shards, zoom=0.0, brightness=0.3, batch_size=6)
    batch = data.on_device(next(iter(data.train_dataloader())))
    clips = {sample.key: sample for sample in read_split(shards, "train")}
    factors = []
    for row, key in enumerate(batch["key"]):
        starts = starts_of(batch["mfcc"][row], mfcc(clips[key].waveform()))
        true = torch.from_numpy(np.stack([clips[key].frames(start, start + 5) for start in starts]).astype(np.float32))
        # Of dark pixels, which do not reach white.
        dark = true < 150
        shown = batch["lips"][row].permute(0, 2, 3, 4, 1).flip(-1)
        factor = [(shown[window][dark[window]].sum() / true[window][dark[window]].sum()).item() for window in range(5)]
        assert np.ptp(factor) < 0.005
        factors.append(factor[0])
    assert np.ptp(factors) > 0.02
    assert all(0.69 < factor < 1.31 for factor in factors)


def test_a_random_view_stays_inside_the_picture_and_leaves_out_no_more_than_it_may():
    rng = random.Random(0)
    views = [View.random(SIZE, 0.25, 0.2, rng) for _ in range(500)]
    assert all(min(view.left, view.top) >= 0 and max(view.left, view.top) + view.side <= SIZE for view in views)
    assert {view.side for view in views} == set(range(48, SIZE + 1))
    assert all(0.8 <= view.brightness <= 1.2 for view in views)
    corner = np.zeros((SIZE, SIZE, 3), np.uint8)
    corner[8:24, 16:32] = 100
    assert (View(16, 8, 16, 1.5).of(corner, 32) == 150).all()
    assert (View(0, 0, SIZE, 3.0).of(corner, SIZE)[8:24, 16:32] == 255).all()


def test_a_clip_too_short_for_its_windows_is_named_and_counted(shards, caplog):
    # 33 frames from the first to the last window, five of it, one before and one behind.
    assert next(iter(lip_sync(shards, windows=2, gap=33).val_dataloader()))["key"]
    short = lip_sync(shards, windows=2, gap=34)
    with pytest.raises(ShardError, match=r"has 40 frames with sound, but 2 windows 34 frames apart need 41") as caught:
        next(iter(short.val_dataloader()))
    assert "max_broken" in str(caught.value)
    with caplog.at_level(logging.WARNING, logger="datamodules.streaming.sampling"):
        assert not list(lip_sync(shards, windows=2, gap=34, max_broken=2).val_dataloader())
    assert caplog.text.count("need 41") == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [({"windows": 1}, "windows 1"), ({"gap": 0}, "gap 0"), ({"zoom": 1.0}, "zoom 1.0"), ({"brightness": -0.1}, "-0.1")],
)
def test_options_out_of_range_are_named(options, says):
    with pytest.raises(ValueError, match=r"data\.init_args") as caught:
        lip_sync("unread", **options)
    assert says in str(caught.value)


def test_pictures_larger_than_the_stored_ones_are_refused(shards):
    with pytest.raises(ValueError, match="96 px"):
        lip_sync(shards, size=96).setup("fit")
