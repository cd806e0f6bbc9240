"""Synthetic pictures with edges and fine structure, and what may happen to pictures."""

import io

import numpy as np
import torch
from PIL import Image
from scipy import ndimage


def textured(count=4, side=128, seed=0):
    """(count, 3, side, side) uint8: noise at several scales and rectangles with sharp edges."""
    rng = np.random.default_rng(seed)
    pictures = np.zeros((count, 3, side, side))
    for sigma, weight in ((0.7, 0.15), (3, 0.4), (12, 1.0)):
        noise = ndimage.gaussian_filter(rng.normal(size=pictures.shape), (0, 0, sigma, sigma), mode="wrap")
        pictures += weight * noise / noise.std()
    for picture in pictures:
        for _ in range(12):
            top, left = rng.integers(0, side - 8, size=2)
            height, width = rng.integers(8, side // 3, size=2)
            picture[:, top : top + height, left : left + width] += rng.normal(size=(3, 1, 1))
    return to_bytes(127 + 40 * pictures)


def to_bytes(values):
    return torch.from_numpy(np.clip(np.round(values), 0, 255).astype(np.uint8))


def blurred(frames, sigma):
    return to_bytes(ndimage.gaussian_filter(frames.numpy().astype(float), (0, 0, sigma, sigma)))


def noisy(frames, deviation):
    rng = np.random.default_rng(1)
    return to_bytes(frames.numpy() + deviation * rng.normal(size=frames.shape))


def jpeg(frames, loss):
    """Coded with quality 100 - loss."""
    coded = []
    for frame in frames.permute(0, 2, 3, 1).numpy():
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=100 - loss)
        coded.append(np.asarray(Image.open(buffer)))
    return torch.from_numpy(np.stack(coded)).permute(0, 3, 1, 2)
