"""Rows of frame pairs, 16 pixels in and 32 out, of smooth random colours."""

import torch


def rows(count: int = 4, value: float = 1.0) -> list[dict]:
    generator = torch.Generator().manual_seed(3)
    colours = torch.rand(2 * count, 3, 2, 2, generator=generator) * 2 - 1
    pictures = torch.nn.functional.interpolate(colours, size=32, mode="bilinear").view(count, 2, 3, 32, 32)
    return [
        {
            "key": f"clip-{index}",
            "source": torch.nn.functional.avg_pool2d(pair[0], 2),
            "target": torch.nn.functional.avg_pool2d(pair[1], 2) * value,
            "source_output": pair[0],
            "target_output": pair[1],
            "source_lips": torch.rand(20, 2, generator=generator),
            "target_lips": torch.rand(20, 2, generator=generator),
            "source_eyes": torch.rand(12, 2, generator=generator),
            "target_eyes": torch.rand(12, 2, generator=generator),
            "source_placement": torch.zeros(4),
            "target_placement": torch.full((4,), 0.1),
        }
        for index, pair in enumerate(pictures)
    ]
