"""The denoiser of motion: the UNet of Dhariwal and Nichol (ADM), in one dimension, over time."""

import math
from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from s2tf.models.lip_landmarks import paired
from s2tf.nn.convolution import make_norm
from s2tf.nn.network import Network

FADE = 8.0
"""Frames over which the start code fades by e."""


class MotionUNet(Network):
    """The denoiser ε̂(M_t, t, z^s) of Eq. 20: the noise in motion codes, from the noisy codes, t and speech features.

    As in ADM: residual blocks of group norm, SiLU and convolution (here over time), up- and down-sampling inside
    residual blocks, attention at the coarse levels, and a condition that scales and shifts after the second norm. Here
    the condition is one vector per frame, the time embedding plus the projected speech, averaged at the coarse levels;
    the speech is also concatenated to the input.

    A start code gives the first frame. It is concatenated to the input of every frame, with a flag, and both fade with
    exp(-frame / 8): convolutions, which know no position, read their distance from the start from it.

    T may be any number from 1. Both ends are padded by copies of their own frame, by one stride of the coarsest level
    or a little more, and cropped again: lengths become multiples of the stride, and zero padding stays far away.
    """

    def __init__(
        self,
        motion_dim: int = 20,
        feature_dim: int = 1024,
        channels: Sequence[int] = (256, 384, 512),
        blocks_per_level: int = 2,
        attention_levels: Sequence[int] = (1, 2),
        head_dim: int = 64,
        condition_dim: int = 512,
        dropout: float = 0.1,
    ) -> None:
        """Build the denoiser.

        Args:
            motion_dim: dimensions m of the motion code.
            feature_dim: channels C of the speech features.
            channels: width of each level, finest first; every level halves the frames of the one before.
            blocks_per_level: residual blocks per level on the way down (one more on the way up).
            attention_levels: indices into `channels` of the levels with attention; the middle has it always.
            head_dim: channels per attention head; must divide the width of the levels with attention.
            condition_dim: width of the condition.
            dropout: probability in the residual blocks.

        Raises:
            ValueError: `head_dim` does not divide a width, or `attention_levels` names no level.
        """
        super().__init__()
        _check_sizes(channels, attention_levels, head_dim)
        self.motion_dim, self.feature_dim = motion_dim, feature_dim
        self.stride = 2 ** (len(channels) - 1)
        self.frequencies = channels[0]
        self.time = nn.Sequential(
            nn.Linear(self.frequencies, condition_dim), nn.SiLU(), nn.Linear(condition_dim, condition_dim)
        )
        self.speech = nn.Conv1d(2 * feature_dim, condition_dim, 3, padding=1)
        inputs = 2 * motion_dim + 1 + condition_dim
        self.enter = nn.Conv1d(inputs, channels[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        part = _PartFactory(condition_dim, dropout, head_dim, frozenset(attention_levels))
        skips = part.way_down(self.down, channels, blocks_per_level)
        last = channels[-1]
        self.middle = nn.ModuleList([part.block(last, last), Attention(last, head_dim), part.block(last, last)])
        part.way_up(self.up, channels, blocks_per_level, skips)
        self.leave = nn.Sequential(make_norm("group", channels[0]), nn.SiLU(), _zeroed(_conv(channels[0], motion_dim)))

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        features: Tensor,
        start: Tensor | None = None,
        started: Tensor | None = None,
    ) -> Tensor:
        """Predict the noise.

        Args:
            x_t: noisy normalised motion codes, shape (B, T, m).
            t: noise levels, shape (B,).
            features: speech features, shape (B, 2 T, C); zeros where there is no condition.
            start: normalised code of the first frame, shape (B, m); None leaves it open.
            started: mask of the rows that have a start, shape (B,) bool; None: all, if `start` is given.

        Returns:
            ε, shape (B, T, m).

        Raises:
            ValueError: features and codes do not fit each other.
        """
        frames = x_t.shape[1]
        speech = paired(features, self.feature_dim)
        if x_t.shape[2] != self.motion_dim or speech.shape[1] != frames:
            raise ValueError(
                f"codes of shape {tuple(x_t.shape)} with features of shape {tuple(features.shape)}: expected "
                f"(B, T, {self.motion_dim}) and (B, 2 T, {self.feature_dim})"
            )
        state = torch.cat([x_t, _known(x_t, start, started)], dim=2)
        state, speech = (self._padded(value.transpose(1, 2)) for value in (state, speech))
        speech = self.speech(speech)
        condition = self.time(timestep_embedding(t, self.frequencies).to(x_t))[:, :, None] + speech
        hidden = self.enter(torch.cat([state, speech], dim=1))
        predicted = self.leave(self._through_levels(hidden, F.silu(condition)))
        return predicted[:, :, self.stride : self.stride + frames].transpose(1, 2)

    def _through_levels(self, hidden: Tensor, condition: Tensor) -> Tensor:
        conditions = {condition.shape[2]: condition}
        skips = [hidden]
        for parts in self.down:
            hidden = _run(parts, hidden, conditions)
            skips.append(hidden)
        hidden = _run(self.middle, hidden, conditions)
        for parts in self.up:
            hidden = _run(parts, torch.cat([hidden, skips.pop()], dim=1), conditions)
        return hidden

    def _padded(self, sequence: Tensor) -> Tensor:
        """(B, C, T) continued at both ends to a multiple of the stride."""
        return F.pad(sequence, (self.stride, self.stride + -sequence.shape[2] % self.stride), mode="replicate")


class ResidualBlock(nn.Module):
    """Norm, SiLU, convolution, twice; scaled and shifted in between; `resample` changes the number of frames."""

    def __init__(self, c_in: int, c_out: int, condition_dim: int, dropout: float, resample: float = 1.0) -> None:
        super().__init__()
        self.resample = resample
        self.norm_in = make_norm("group", c_in)
        self.conv_in = _conv(c_in, c_out)
        self.to_scale_shift = nn.Conv1d(condition_dim, 2 * c_out, 1)
        self.norm_out = make_norm("group", c_out)
        self.dropout = nn.Dropout(dropout)
        self.conv_out = _zeroed(_conv(c_out, c_out))
        self.skip = nn.Identity() if c_in == c_out else nn.Conv1d(c_in, c_out, 1)

    def forward(self, hidden: Tensor, conditions: dict[int, Tensor]) -> Tensor:
        """(B, C, T) to (B, C', T · resample); `conditions` holds (B, E, T') by T' and is filled as needed."""
        update = self.conv_in(self._resampled(F.silu(self.norm_in(hidden))))
        frames = update.shape[2]
        if frames not in conditions:
            finest = conditions[max(conditions)]
            conditions[frames] = F.avg_pool1d(finest, finest.shape[2] // frames)
        scale, shift = self.to_scale_shift(conditions[frames]).chunk(2, dim=1)
        update = F.silu(self.norm_out(update) * (1 + scale) + shift)
        return self.skip(self._resampled(hidden)) + self.conv_out(self.dropout(update))

    def _resampled(self, hidden: Tensor) -> Tensor:
        if self.resample > 1:
            return hidden.repeat_interleave(2, dim=2)
        return F.avg_pool1d(hidden, 2) if self.resample < 1 else hidden


class Attention(nn.Module):
    """Residual self-attention over time."""

    def __init__(self, channels: int, head_dim: int) -> None:
        super().__init__()
        self.heads = channels // head_dim
        self.norm = make_norm("group", channels)
        self.to_qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.leave = _zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        qkv = self.to_qkv(self.norm(hidden)).unflatten(1, (3, self.heads, -1)).transpose(-1, -2)
        query, key, value = qkv.unbind(dim=1)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return hidden + self.leave(mixed.transpose(-1, -2).flatten(1, 2))


class _PartFactory:
    """Builds the residual blocks and attentions of the ways down and up, which share their settings."""

    def __init__(self, condition_dim: int, dropout: float, head_dim: int, attention: frozenset[int]) -> None:
        self.condition_dim, self.dropout = condition_dim, dropout
        self.head_dim, self.attention = head_dim, attention

    def block(self, c_in: int, c_out: int, resample: float = 1.0) -> ResidualBlock:
        return ResidualBlock(c_in, c_out, self.condition_dim, self.dropout, resample)

    def way_down(self, way: nn.ModuleList, channels: Sequence[int], blocks: int) -> list[int]:
        """Fill the way down; returns the widths of the features kept for the way up, in order."""
        width = channels[0]
        skips = [width]
        for level, c_out in enumerate(channels):
            if level > 0:
                way.append(nn.ModuleList([self.block(width, width, 0.5)]))
                skips.append(width)
            for _ in range(blocks):
                way.append(self._with_attention(self.block(width, c_out), level, c_out))
                skips.append(c_out)
                width = c_out
        return skips

    def way_up(self, way: nn.ModuleList, channels: Sequence[int], blocks: int, skips: list[int]) -> None:
        skips, width = list(skips), channels[-1]
        for level, c_out in reversed(list(enumerate(channels))):
            for index in range(blocks + 1):
                parts = self._with_attention(self.block(width + skips.pop(), c_out), level, c_out)
                if level > 0 and index == blocks:
                    parts.append(self.block(c_out, c_out, 2.0))
                way.append(parts)
                width = c_out

    def _with_attention(self, block: ResidualBlock, level: int, width: int) -> nn.ModuleList:
        attention = [Attention(width, self.head_dim)] if level in self.attention else []
        return nn.ModuleList([block, *attention])


def timestep_embedding(t: Tensor, size: int) -> Tensor:
    """Cosines and sines of t (B,) at `size` / 2 frequencies from 1 down to 1/10000: (B, size) float32."""
    frequencies = torch.exp(-math.log(10_000) * torch.arange(size // 2, device=t.device) / (size // 2))
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def _known(x_t: Tensor, start: Tensor | None, started: Tensor | None) -> Tensor:
    """The start code with a flag beside it, both fading from the first frame on; zeros without one: (B, T, m + 1)."""
    batch, frames, size = x_t.shape
    if start is None:
        return x_t.new_zeros(batch, frames, size + 1)
    flag = x_t.new_ones(batch, 1) if started is None else started.to(x_t)[:, None]
    fade = torch.exp(-torch.arange(frames, device=x_t.device) / FADE).to(x_t)
    return torch.cat([start.to(x_t) * flag, flag], dim=1)[:, None] * fade[:, None]


def _run(parts: nn.Module, hidden: Tensor, conditions: dict[int, Tensor]) -> Tensor:
    for part in parts.children():
        hidden = part(hidden, conditions) if isinstance(part, ResidualBlock) else part(hidden)
    return hidden


def _conv(c_in: int, c_out: int) -> nn.Conv1d:
    return nn.Conv1d(c_in, c_out, 3, padding=1)


def _zeroed(convolution: nn.Conv1d) -> nn.Conv1d:
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)
    return convolution


def _check_sizes(channels: Sequence[int], attention_levels: Sequence[int], head_dim: int) -> None:
    for level in attention_levels:
        if not 0 <= level < len(channels):
            raise ValueError(f"attention_levels names {level}, expected indices of the {len(channels)} levels")
    for width in {channels[-1], *(channels[level] for level in attention_levels)}:
        if width % head_dim:
            raise ValueError(f"head_dim is {head_dim}, expected a divisor of {width}, a width that has attention")
