import torch

from s2tf.losses.flow import face_points, point_flow_loss
from s2tf.nn.lips import place_lips
from s2tf.nn.warping import Warp


def test_the_true_shift_costs_nothing_and_another_one_its_distance():
    target = torch.rand(2, 5, 2) - 0.5
    source = target + torch.tensor([0.2, -0.1])
    flow = torch.tensor([0.2, -0.1]).view(1, 2, 1, 1).expand(2, -1, 16, 16)
    torch.testing.assert_close(point_flow_loss(flow, source, target), torch.tensor(0.0))
    torch.testing.assert_close(point_flow_loss(torch.zeros_like(flow), source, target), torch.tensor(0.15))


def test_the_flow_that_the_loss_wants_moves_the_source_onto_the_target():
    line = (2 * torch.arange(64) + 1) / 64 - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    spot = lambda at: torch.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 0.01)[None, None]  # noqa: E731
    source, target = torch.tensor([0.3, 0.1]), torch.tensor([-0.2, 0.2])
    flow = (source - target).view(1, 2, 1, 1).expand(1, -1, 64, 64)
    assert point_flow_loss(flow, source.view(1, 1, 2), target.view(1, 1, 2)) < 1e-6
    inner = slice(16, 48)
    warped = Warp(64)(spot(source), flow)
    torch.testing.assert_close(warped[..., inner, inner], spot(target)[..., inner, inner], atol=0.02, rtol=0)


def test_face_points_move_with_the_placement_and_begin_with_lips_and_eyes():
    lips = torch.rand(1, 20, 2) - 0.5
    placement = torch.tensor([[0.1, 0.2, -0.5, 0.3]])
    eyes = torch.rand(1, 12, 2) - 0.5
    points = face_points(lips, eyes, placement)
    torch.testing.assert_close(points[:, :20], place_lips(lips, placement))
    torch.testing.assert_close(points[:, 20:32], place_lips(eyes, placement))
    shifted = face_points(lips, eyes, placement + torch.tensor([0.2, 0.0, 0.0, 0.0]))
    torch.testing.assert_close(shifted - points, torch.tensor([0.2, 0.0]).expand_as(points))
