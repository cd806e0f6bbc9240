import numpy as np
import pytest
import torch

from s2tf.faces.judges import Move, moved_pose
from s2tf.faces.lips import head_pose, to_picture_units

FRAMES = 12


@pytest.fixture
def landmarks():
    """Faces (T, 68, 2) of 64 pixels that move, turn and speak."""
    rng = np.random.default_rng(0)
    face = rng.uniform(20, 44, size=(68, 2))
    face[36], face[45] = (18, 26), (46, 27)
    return face + 0.5 * rng.normal(size=(FRAMES, 68, 2)) + 3 * np.sin(np.arange(FRAMES))[:, None, None]


def test_a_moved_picture_has_the_moved_faces_pose(landmarks):
    points = to_picture_units(landmarks, 64)
    move = Move(torch.full((FRAMES,), 1.03), torch.tensor([[0.05, -0.02]]).repeat(FRAMES, 1))
    moved = (points - move.offset.numpy()[:, None]) / move.scale.numpy()[:, None, None]
    before, after = (torch.from_numpy(np.pad(head_pose(one), ((0, 0), (0, 1)))).float() for one in (points, moved))
    torch.testing.assert_close(moved_pose(before, move), after, atol=1e-5, rtol=1e-5)
