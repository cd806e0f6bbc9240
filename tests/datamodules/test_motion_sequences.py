import random
from dataclasses import replace

import pytest
import torch
from tiny_shards import tiny_shards

from datamodules.frame_pairs import FramePairData
from datamodules.motion_sequences import MotionSequenceData
from datamodules.shards.errors import ShardError
from datamodules.shards.samples import DEPTH
from datamodules.shards.writing import read_split
from s2tf.models.audio_to_mesh import lips_of
from s2tf.nn.lips import place_lips


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_shards(tmp_path_factory.mktemp("data") / "shards", 6)


def sequences(shards, **options):
    return MotionSequenceData(str(shards), batch_size=2, num_workers=0, **{"frames": 20, "space": True, **options})


def test_faces_in_space_come_with_their_lips_and_the_recording_s_level(shards):
    batch = next(iter(sequences(shards, points=68, level="recording").val_dataloader()))
    assert tuple(batch["face"].shape[1:]) == (20, 68, 3)
    torch.testing.assert_close(lips_of(batch["face"]), batch["lips"])
    torch.testing.assert_close(lips_of(batch["reference_face"]), batch["reference_lips"])
    sample = next(iter(read_split(shards, "val")))
    sound = sample.waveform()
    torch.testing.assert_close(batch["level"][0], torch.tensor([sound.mean(), sound.var()]))
    assert batch["length"].tolist() == [20] * len(batch["key"])


def test_a_clip_shorter_than_the_window_tells_its_length(shards):
    batch = next(iter(sequences(shards, frames=60).val_dataloader()))
    assert batch["length"][0] == 40


def test_pairs_in_space_are_placed_as_in_the_plane(shards):
    plane, space = (
        next(iter(FramePairData(str(shards), 2, 0, input_size=32, output_size=32, space=space).val_dataloader()))
        for space in (False, True)
    )
    assert tuple(space["target_lips"].shape[1:]) == (20, 3)
    for part in ("lips", "eyes"):
        placed = [place_lips(one[f"target_{part}"], one["target_placement"]) for one in (plane, space)]
        torch.testing.assert_close(*placed, atol=1e-4, rtol=0)


def test_landmarks_without_depth_are_refused_with_a_way_out(shards):
    sample = next(iter(read_split(shards, "val")))
    flat = replace(sample, members={name: data for name, data in sample.members.items() if name != DEPTH})
    with pytest.raises(ShardError, match=r"neither the depth .* nor a face mesh.*--landmarks mediapipe"):
        sequences(shards).sampler().evaluate(flat, 0, random.Random(0))
    for options in ({"points": 70}, {"points": 68, "space": False}):
        with pytest.raises(ValueError, match="expected one of 68, 468, 478, with space true"):
            sequences(shards, **options)
