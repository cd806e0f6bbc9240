import pytest
import torch
from textures import noisy, textured
from torchvision.models.optical_flow import raft_large

from s2tf.metrics.motion_difference import MotionDifference, RaftFlow, motion_differences


class Known:
    """A flow that is known: (H, W) moved by a constant number of pixels from frame to frame."""

    protocol = {"flow": "known"}  # noqa: RUF012

    def __init__(self, x=0.0, y=0.0):
        self.x, self.y, self.last = x, y, None

    def flow(self, frames, following):
        # Backwards where it is asked for the pairs of the last call the other way round.
        back = self.last is not None and torch.equal(following, self.last)
        self.last = None if back else frames
        sign = -1.0 if back else 1.0
        height, width = frames.shape[-2:]
        return sign * torch.tensor([self.x, self.y]).view(1, 2, 1, 1).expand(len(frames), 2, height, width)


def still(frames, following):
    return torch.zeros(len(frames), 2, *frames.shape[-2:])


def moving(count, x, y):
    """A texture (count, 3, 60, 80) that goes right by x and down by y from frame to frame."""
    texture = textured(1, 128)[0]
    return torch.stack([texture.roll((y * t, x * t), (1, 2))[:, :60, :80] for t in range(count)])


def test_a_texture_that_moves_along_its_flow_is_steady():
    frames = moving(7, 3, -2)
    values = motion_differences(frames, Known(3, -2).flow)
    assert values.visible.max() < 1e-12
    # Three columns and two rows leave the picture.
    assert values.hidden.tolist() == pytest.approx([1 - 77 * 58 / (80 * 60)] * 6)
    assert (values.everywhere > 0).all()
    assert (values.everywhere < 0.2 * motion_differences(frames, still).everywhere).all()


def test_motion_by_parts_of_a_pixel_is_steady_too():
    x = torch.arange(90.0)
    lines = torch.stack([127 + 100 * torch.sin((x - 0.4 * t) / 5) for t in range(3)]).round().byte()
    frames = lines.view(3, 1, 1, 90).expand(3, 3, 40, 90)
    along = motion_differences(frames, Known(0.4).flow).visible
    assert (along < 0.004).all()
    assert (motion_differences(frames, still).visible > 4 * along).all()


def test_what_stands_still_is_zero_and_what_flickers_has_its_amplitude():
    frames = textured(1, 101).expand(3, -1, -1, -1)
    assert motion_differences(frames, still).everywhere.max() < 1e-15
    levels = torch.tensor([100, 120, 100, 120, 100], dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 3, 33, 50)
    values = motion_differences(levels, still)
    assert values.everywhere.tolist() == pytest.approx([20 / 255] * 4, abs=1e-7)
    assert values.visible.tolist() == pytest.approx([20 / 255] * 4, abs=1e-7)
    assert values.hidden.tolist() == [0] * 4


def test_what_a_moving_thing_covers_is_left_out():
    ground, thing = textured(2, 64)
    frames = ground.repeat(2, 1, 1, 1)
    forward, backward = torch.zeros(2, 1, 2, 64, 64)
    for frame, flow, left, step in ((0, forward, 10, 8.0), (1, backward, 18, -8.0)):
        frames[frame, :, 20:40, left : left + 20] = thing[:, 20:40, :20]
        flow[:, 0, 20:40, left : left + 20] = step
    values = motion_differences(frames, lambda one, _: forward if torch.equal(one[0], frames[0]) else backward)
    assert values.hidden.item() == pytest.approx(20 * 8 / 64**2)
    assert values.visible.item() < 1e-12
    assert values.everywhere.item() > 1e-3


def test_flicker_shows_the_more_the_stronger_it_is():
    frames = textured(1, 64).expand(6, -1, -1, -1)
    values = []
    for deviation in (0, 2, 5, 12):
        metric = MotionDifference(Known())
        metric.update(noisy(frames, deviation))
        values.append(metric.compute()["MAD"].item())
    assert values[0] < 1e-15
    assert values == sorted(set(values))


def test_runs_that_overlap_by_a_frame_are_the_whole_video():
    frames = noisy(moving(11, 1, 0), 5)
    whole, one, other = (MotionDifference(Known(1)) for _ in range(3))
    whole.update(frames)
    one.update(frames[:6])
    other.update(frames[5:])
    one.merge_state(other)
    for name, value in whole.compute().items():
        assert one.compute()[name].item() == pytest.approx(value.item(), rel=1e-12)
    assert one.protocol == whole.protocol
    assert one.protocol["pairs"] == 10


def test_a_pair_without_a_visible_pixel_is_counted_and_in_no_mean():
    metric = MotionDifference(Known(500))
    metric.update(moving(2, 0, 0))
    metric.reader = Known()
    metric.update(moving(2, 0, 0))
    assert metric.compute()["MAD_visible"] < 1e-15
    assert metric.compute()["hidden"] == 0.5
    assert metric.protocol["pairs without a visible pixel"] == 1


def test_one_frame_is_refused():
    with pytest.raises(ValueError, match="1 frames: expected two consecutive"):
        motion_differences(textured(1, 32), still)


@pytest.fixture(scope="module")
def raft(tmp_path_factory):
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "raft.pth"
    torch.save(raft_large(weights=None).state_dict(), path)
    return str(path)


def test_raft_is_torchvisions_and_takes_any_size(raft):
    reader = RaftFlow(raft, updates=2)
    frames = textured(2, 136)[..., :128, :]
    network = raft_large(weights=None).eval()
    network.load_state_dict(torch.load(raft, weights_only=True))
    with torch.no_grad():
        expected = network(*(frames[i : i + 1] / 127.5 - 1 for i in (0, 1)), num_flow_updates=2)[-1]
    torch.testing.assert_close(reader.flow(frames[:1], frames[1:]), expected, atol=1e-4, rtol=1e-4)
    small = frames[..., :50, :131]
    assert reader.flow(small[:1], small[1:]).shape == (1, 2, 50, 131)
    assert reader.protocol["flow"] == "RAFT large (torchvision), 2 updates"
    assert len(reader.protocol["flow weights"]) == 16


def test_raft_of_random_weights_says_so_and_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="random weights is no metric"):
        RaftFlow("random")
    assert RaftFlow("random", allow_random=True).protocol["flow weights"] == "RANDOM WEIGHTS"
    with pytest.raises(FileNotFoundError, match="does not exist, expected torchvision's raft_large_C_T_SKHT_V2"):
        RaftFlow(str(tmp_path / "absent.pth"))
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="other.pth does not fit RAFT large"):
        RaftFlow(str(tmp_path / "other.pth"))
