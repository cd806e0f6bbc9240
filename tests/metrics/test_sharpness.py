import itertools

import numpy as np
import pytest
import torch
from scipy import ndimage
from textures import blurred, textured

from s2tf.metrics.sharpness import Sharpness, cpbd, gradient_energy


def ramp(width, contrast, side=64):
    """A picture whose luma rises over so many steps in its middle; the gradient is steepest in the middle of them."""
    x = np.arange(side) - (side - width) // 2
    line = 100 + contrast * (1 - np.cos(np.pi * np.clip(x / width, 0, 1))) / 2
    return torch.from_numpy(np.broadcast_to(line.round(), (1, 3, side, side)).astype(np.uint8))


@pytest.mark.parametrize(("contrast", "widest"), [(100, 3), (50, 5)])
def test_an_edge_is_sharp_up_to_the_just_noticeable_width_of_its_contrast(contrast, widest):
    sharp = [width for width in range(1, 9) if cpbd(ramp(width, contrast)).item() == 1]
    blurry = [width for width in range(1, 9) if cpbd(ramp(width, contrast)).item() == 0]
    assert sharp == list(range(1, widest + 1))
    assert blurry == list(range(widest + 1, 9))


def scanned(picture):
    """The same measure of one grey picture (H, W) uint8, pixel by pixel."""
    luma = picture.astype(float)
    across, down = (ndimage.sobel(luma, axis, mode="nearest") for axis in (1, 0))
    threshold = 4 * (across**2 + down**2).mean()
    sharp = edges = 0
    for top in range(0, luma.shape[0], 64):
        for left in range(0, luma.shape[1], 64):
            block = luma[top : top + 64, left : left + 64]
            found = []
            for y in range(top, top + block.shape[0]):
                for x in range(left, left + block.shape[1]):
                    size = abs(across[y])
                    before = size[x - 1] if x else 0
                    behind = size[x + 1] if x + 1 < len(size) else 0
                    strong = across[y, x] ** 2 + down[y, x] ** 2 > threshold
                    if strong and before < size[x] >= behind:
                        found.append(width_at(luma[y] * np.sign(across[y, x]), x))
            if len(found) > 0.002 * block.size:
                noticed = 5 if np.ptp(block) <= 50 else 3
                edges += len(found)
                sharp += sum(width <= noticed for width in found)
    return sharp / edges


def width_at(row, x):
    """How far to either side of x the row rises to the right."""
    first = last = x
    while first > 0 and row[first - 1] < row[first]:
        first -= 1
    while last + 1 < len(row) and row[last] < row[last + 1]:
        last += 1
    return last - first


def test_it_is_what_scanning_the_rows_gives():
    picture = blurred(textured(1, 144, seed=3), 0.6)[0, 0, :100].numpy()
    expected = scanned(picture)
    assert 0.1 < expected < 0.9
    grey = torch.from_numpy(picture).expand(1, 3, -1, -1)
    assert cpbd(grey).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_more_a_picture_is_blurred_the_less_sharp_it_is(seed):
    frames = textured(4, 128, seed)
    for measure in (cpbd, gradient_energy):
        values = [measure(blurred(frames, sigma)).mean().item() for sigma in (0, 0.5, 0.8, 1.2, 2.0)]
        assert all(a > b for a, b in itertools.pairwise(values)), values
        assert 0 <= values[-1] <= values[0] <= 1


def test_frames_do_not_touch_each_other_and_a_plain_one_has_no_edge():
    frames = torch.cat([textured(2, 128), torch.full((1, 3, 128, 128), 90, dtype=torch.uint8)])
    one_by_one = torch.cat([cpbd(frame[None]) for frame in frames])
    assert torch.equal(cpbd(frames), one_by_one)
    assert one_by_one[-1] == 0


def test_parts_in_any_split_are_the_whole():
    frames = textured(20, 64)
    whole, one, other = (Sharpness() for _ in range(3))
    whole.update(frames)
    one.update(frames[:3])
    other.update(frames[3:])
    one.merge_state(other)
    for name, value in whole.compute().items():
        assert one.compute()[name].item() == pytest.approx(value.item(), rel=1e-12)
    assert one.protocol == whole.protocol
    assert one.protocol["frames"] == 20
