"""MediaPipe's face mesh and its correspondence to the 68 landmarks of iBUG."""

import numpy as np

MESH_TO_IBUG: tuple[tuple[int, ...], ...] = (
    *((127,), (234,), (93,), (132, 58), (58, 172), (136,), (150,), (176,), (152,)),  # jaw, its left half and the chin
    *((400,), (379,), (365,), (397, 288), (361,), (323,), (454,), (356,)),  # jaw, its right half
    *((70,), (63,), (105,), (66,), (107,), (336,), (296,), (334,), (293,), (300,)),  # brows
    *((168, 6), (197, 195), (5,), (4,), (75,), (97,), (2,), (326,), (305,)),  # nose
    *((33,), (160,), (158,), (133,), (153,), (144,)),  # eye at the picture's left
    *((362,), (385,), (387,), (263,), (373,), (380,)),  # eye at the picture's right
    *((61,), (39,), (37,), (0,), (267,), (269,), (291,), (321,), (314,), (17,), (84,), (91,)),  # outer lips
    *((78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,)),  # inner lips
)
"""Vertices of the face mesh for each of the 68 points of iBUG, which is the middle where there are two."""
MESH_POINTS = 478
_FIRST = np.array([pair[0] for pair in MESH_TO_IBUG])
_SECOND = np.array([pair[-1] for pair in MESH_TO_IBUG])


def to_ibug(mesh: np.ndarray, axes: slice = slice(0, 2)) -> np.ndarray:
    """The 68 points (..., 68, A) of a face mesh (..., 478, 3), with the coordinates that `axes` chooses: x and y."""
    return (mesh[..., _FIRST, axes] + mesh[..., _SECOND, axes]) / 2
