"""Steadiness of a video along its own motion: consecutive frames compared after warping (MAD).

The paper computes the mean absolute difference of pixel intensities in [0, 1] "warped along the flow" of RAFT, over
consecutive frames. It does not mention pixels that a motion covers or carries out of the picture. Therefore `MAD` is
the mean over all pixels, as the formula has it, and `MAD_visible` leaves out the pixels without a counterpart, as a
warping error usually does; the share left out is reported as `hidden`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchvision.models.optical_flow import raft_large

from s2tf.metrics.image import check_bytes, unit_range
from s2tf.nn.published_weights import RANDOM, PublishedWeights, weights_record

RAFT = PublishedWeights("RAFT large", "torchvision", "raft_large_C_T_SKHT_V2-ff5fadd5.pth")
RAFT_MULTIPLE, RAFT_LEAST = 8, 128
"""Sides that RAFT takes, in pixels: multiples of the first number, and at least the second one."""
PAIRS_AT_ONCE = 4
"""Pairs of frames that RAFT reads at once: the memory of its correlations grows with the fourth power of the side."""
HIDDEN_SHARE, HIDDEN_PIXELS = 0.01, 0.5
"""Largest squared error of the flow there and back (Sundaram et al. 2010): share of squared flows, squared pixels."""

Flow = Callable[[Tensor, Tensor], Tensor]
"""A function of frames (B, 3, H, W) uint8 and of the next ones: each pixel's motion (B, 2, H, W) in pixels, x and y."""


class FlowReader(Protocol):
    """A network that finds the flow between pictures."""

    @property
    def protocol(self) -> dict[str, Any]:
        """The network, its weights, and the way pictures are brought to a size it takes."""

    def flow(self, frames: Tensor, following: Tensor) -> Tensor:
        """See `Flow`; float32, on the network's device."""


class RaftFlow:
    """RAFT (Teed and Deng 2020), torchvision's large one.

    Pictures are padded, not resized, so that the flow stays in their own pixels: the border is repeated equally on all
    sides up to the next multiple of 8 and to at least 128 pixels, and the flow is cut to the picture.

    Args:
        weights: Path of torchvision's weights.
        device: Device to compute on.
        updates: Number of refinements of the flow.
        allow_random: Allows `random` as `weights`, for trials without the file.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file holds other weights, or `weights` is `random` and that is not allowed.
    """

    def __init__(self, weights: str, device: str = "cpu", updates: int = 12, *, allow_random: bool = False) -> None:
        RAFT.check(weights, allow_random=allow_random)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = raft_large(weights=None)
        if weights != RANDOM:
            try:
                network.load_state_dict(RAFT.read(weights))
            except RuntimeError as error:
                raise RAFT.misfit(weights, error) from error
        self.network = network.requires_grad_(False).eval().to(device)
        self.weights, self.device, self.updates = weights, device, updates

    @property
    def protocol(self) -> dict[str, Any]:
        """See `FlowReader.protocol`."""
        return {
            "flow": f"RAFT large (torchvision), {self.updates} updates",
            "flow weights": weights_record(self.network, self.weights),
            "flow's pictures": f"border repeated to a multiple of {RAFT_MULTIPLE}, {RAFT_LEAST} px at least",
        }

    @torch.no_grad()
    def flow(self, frames: Tensor, following: Tensor) -> Tensor:
        """See `Flow`."""
        height, width = frames.shape[-2:]
        top, bottom = _margins(height)
        left, right = _margins(width)
        one, other = (
            F.pad(unit_range(values) * 2 - 1, (left, right, top, bottom), mode="replicate").to(self.device)
            for values in (frames, following)
        )
        flow = self.network(one, other, num_flow_updates=self.updates)[-1]
        return flow[..., top : top + height, left : left + width].float()


@dataclass(frozen=True)
class MotionDifferences:
    """Differences of N - 1 pairs of consecutive frames, (N - 1,) float64 each, on the CPU."""

    everywhere: Tensor
    """Mean absolute difference over all pixels and colours, of intensities in [0, 1]."""
    visible: Tensor
    """The same over the pixels that are seen in both frames; NaN where there is none."""
    hidden: Tensor
    """Share of the pixels that are not seen in both frames."""


def motion_differences(frames: Tensor, flow: Flow) -> MotionDifferences:
    """Compares each frame with the next one, brought back along the flow between them.

    A pixel is hidden in the next frame where its flow f leads out of the picture, or where the flow b of the next frame
    does not lead back from there: |f + b(x + f)|² > 0.01 (|f|² + |b(x + f)|²) + 0.5. Outside the picture the border's
    colour counts.

    Args:
        frames: Consecutive frames (N, 3, H, W) uint8 of one video, N >= 2.
        flow: Finds flows.

    Raises:
        ValueError: The frames have another shape or type, or are too few.

    Example:
        >>> still = lambda frames, following: torch.zeros(len(frames), 2, *frames.shape[-2:])
        >>> frames = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
        >>> float(motion_differences(frames, still).everywhere)
        0.0
    """
    check_bytes(frames)
    if len(frames) < 2:
        raise ValueError(f"{len(frames)} frames: expected two consecutive ones at least")
    parts = zip(*_compare(frames, flow), strict=True)
    return MotionDifferences(*(torch.cat(part) for part in parts))


class MotionDifference(Metric):
    """MAD of videos: `{"MAD": ..., "MAD_visible": ..., "hidden": ...}`, see the module.

    All three are means over pairs of consecutive frames, which all have the same weight.

    Args:
        reader: The network that finds the flows.
    """

    full_state_update = False
    higher_is_better = False
    everywhere: Tensor
    visible: Tensor
    hidden: Tensor
    pairs: Tensor
    visible_pairs: Tensor

    def __init__(self, reader: FlowReader, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reader = reader
        for name in ("everywhere", "visible", "hidden"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("pairs", "visible_pairs"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, frames: Tensor) -> None:
        """Adds consecutive frames (N, 3, H, W) uint8 of one video, which are N - 1 pairs.

        A long video can be added in several parts, each of which begins with the last frame of the part before.

        Raises:
            ValueError: There are fewer than two frames, or they are not uint8.
        """
        values = motion_differences(frames, self.reader.flow)
        self.everywhere += values.everywhere.sum()
        self.visible += values.visible.nansum()
        self.hidden += values.hidden.sum()
        self.pairs += len(values.hidden)
        self.visible_pairs += values.visible.isfinite().sum()

    def compute(self) -> dict[str, Tensor]:
        """The means over all pairs; `MAD_visible` over those with a visible pixel."""
        return {
            "MAD": self.everywhere / self.pairs,
            "MAD_visible": self.visible / self.visible_pairs,
            "hidden": self.hidden / self.pairs,
        }

    @property
    def protocol(self) -> dict[str, Any]:
        """The conditions of the numbers."""
        return {
            **self.reader.protocol,
            "MAD": "frame t + 1 warped to t along t's flow, bilinear, all pixels, intensities in [0, 1]",
            "MAD_visible": f"without pixels whose flow leads out of the picture or there and back misses by "
            f"|f + b|² > {HIDDEN_SHARE} (|f|² + |b|²) + {HIDDEN_PIXELS}",
            "pairs": int(self.pairs),
            "pairs without a visible pixel": int(self.pairs - self.visible_pairs),
        }


def _compare(frames: Tensor, flow: Flow) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    pairs = zip(frames[:-1].split(PAIRS_AT_ONCE), frames[1:].split(PAIRS_AT_ONCE), strict=True)
    for one, other in pairs:
        forward, backward = flow(one, other).double(), flow(other, one).double()
        before, behind = (_intensity(some).to(forward.device) for some in (one, other))
        difference = (_warp(behind, forward) - before).abs().mean(1)
        seen = ~_hidden(forward, backward)
        visible = (difference * seen).sum((1, 2)) / seen.sum((1, 2))
        yield difference.mean((1, 2)).cpu(), visible.cpu(), 1 - seen.double().mean((1, 2)).cpu()


def _intensity(frames: Tensor) -> Tensor:
    # In float64, so that a flow of zero gives back the pixels up to 1e-16.
    return unit_range(frames).double()


def _warp(values: Tensor, flow: Tensor) -> Tensor:
    """Values (B, C, H, W) at each pixel's place plus its flow (B, 2, H, W), bilinear; outside, those of the border."""
    size = torch.tensor([values.shape[-1], values.shape[-2]]).to(flow)
    positions = (2 * _targets(flow).permute(0, 2, 3, 1) + 1) / size - 1
    return F.grid_sample(values, positions, mode="bilinear", padding_mode="border", align_corners=False)


def _targets(flow: Tensor) -> Tensor:
    """(B, 2, H, W) targets of the pixels, x and y; the centre of the first pixel is 0."""
    height, width = flow.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return flow + torch.stack([x, y]).to(flow)


def _hidden(forward: Tensor, backward: Tensor) -> Tensor:
    """(B, H, W) bool: the pixel has no counterpart in the other frame."""
    height, width = forward.shape[-2:]
    x, y = _targets(forward).unbind(1)
    outside = (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)
    back = _warp(backward, forward)
    miss = (forward + back).square().sum(1)
    return outside | (miss > HIDDEN_SHARE * (forward.square().sum(1) + back.square().sum(1)) + HIDDEN_PIXELS)


def _margins(side: int) -> tuple[int, int]:
    """Pixels that are added before and behind."""
    missing = max(RAFT_LEAST, -(-side // RAFT_MULTIPLE) * RAFT_MULTIPLE) - side
    return missing // 2, missing - missing // 2
