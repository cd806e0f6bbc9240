"""Figures of the motion of faces: maps of their landmarks' paths, and curves over time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from s2tf.figures.labels import find_font
from s2tf.media.audio import QUIETEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

DPI = 150
MAP_INCHES = 2.4
CURVE_INCHES = (9.0, 1.05)
"""Width of the figure and height of one panel."""
SYNC_INCHES = 3.2
MARGIN = 0.08
"""Margin of a map, as a share of its side."""
BAR = 0.5
"""Length of the scale bar in a map, in its units."""
UNSEEN = "no face read"


def draw_traces(rows: Mapping[str, Mapping[str, np.ndarray]], fps: float, unit: str, file: Path) -> None:
    """Draw maps of the paths of landmarks, coloured by time: a row for each view, a column for each system.

    The maps of a row have one scale. A step to or from a landmark that is not finite is left out.

    Args:
        rows: Label of each row, and in it (T, P, 2) points of each system, x right and y down.
        fps: Frames a second.
        unit: Unit of the points, for the scale bar.
        file: The picture to write.
    """
    # matplotlib loads slowly, and most callers draw nothing.
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    # One time scale for all maps.
    systems = list(next(iter(rows.values())))
    times = Normalize(0, max(len(points) for maps in rows.values() for points in maps.values()) / fps)
    size = (MAP_INCHES * len(systems) + 1.0, MAP_INCHES * len(rows) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(systems), squeeze=False)
    # A row of maps of one scale, and its scale bar.
    for line, (label, maps) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(label, fontsize=9)
        corner, side = _extent(list(maps.values()))
        for axis, points in zip(line, maps.values(), strict=True):
            axis.set(xlim=(corner[0], corner[0] + side), ylim=(corner[1] + side, corner[1]), xticks=[], yticks=[])
            axis.set_aspect("equal")
            _draw_paths(axis, points, fps, times)
        _draw_bar(line[0], corner, side, unit)
    # Names above the columns, and the scale of time.
    for axis, name in zip(axes[0], systems, strict=True):
        write_label(axis.set_title("", fontsize=10), name)
    bar = figure.colorbar(ScalarMappable(times, "viridis"), ax=axes, shrink=0.6, aspect=30)
    bar.set_label("seconds", fontsize=9)
    figure.savefig(file, dpi=DPI)


def _extent(maps: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """Return upper left corner and side of the square around the finite points of all maps, with a margin."""
    points = np.concatenate([points.reshape(-1, 2) for points in maps])
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return np.zeros(2), 1.0
    low, high = points.min(axis=0), points.max(axis=0)
    side = max(float((high - low).max()), 1e-6) * (1 + 2 * MARGIN)
    return (low + high - side) / 2, side


def _draw_paths(axis: "Axes", points: np.ndarray, fps: float, times: "Normalize") -> None:
    # matplotlib loads slowly, and most callers draw nothing.
    from matplotlib.collections import LineCollection

    if not np.isfinite(points).all(axis=2).any():
        axis.text(0.5, 0.5, UNSEEN, ha="center", va="center", transform=axis.transAxes, fontsize=9)
        return
    steps = np.stack([points[:-1], points[1:]], axis=2)
    known = np.isfinite(steps).all(axis=(2, 3))
    seconds = np.broadcast_to(np.arange(len(steps))[:, None] / fps, known.shape)
    lines = LineCollection(list(steps[known]), cmap="viridis", norm=times, linewidths=0.6, capstyle="round")
    lines.set_array(seconds[known])
    axis.add_collection(lines)


def _draw_bar(axis: "Axes", corner: np.ndarray, side: float, unit: str) -> None:
    x, y = corner + np.array([0.03, 0.97]) * side
    axis.plot([x, x + BAR], [y, y], color="black", linewidth=1.5, solid_capstyle="butt")
    axis.text(x, y - 0.02 * side, f"{BAR:g} {unit}", fontsize=6, va="bottom")


def draw_curves(
    panels: Mapping[str, Mapping[str, np.ndarray]], sound: np.ndarray | None, fps: float, remark: str, file: Path
) -> None:
    """Draw curves of several systems over time, one panel below the other, and the loudness of the sound below them.

    A value that is not finite leaves a gap. The first system is black, the others have colours.

    Args:
        panels: Label of each panel, and in it (T,) values of each system.
        sound: (T,) decibels (`s2tf.media.audio.loudness`), or None for no such panel.
        fps: Frames a second.
        remark: Text below all panels, such as the units.
        file: The picture to write.
    """
    # matplotlib loads slowly, and most callers draw nothing.
    from matplotlib.figure import Figure

    # A panel for each kind of curve.
    count = len(panels) + (sound is not None)
    figure = Figure(figsize=(CURVE_INCHES[0], CURVE_INCHES[1] * count + 0.8), layout="constrained")
    axes = figure.subplots(count, 1, squeeze=False, sharex=True)[:, 0]
    for axis, (label, curves) in zip(axes, panels.items(), strict=False):
        for number, values in enumerate(curves.values()):
            colour = "black" if number == 0 else f"C{number - 1}"
            axis.plot(np.arange(len(values)) / fps, values, color=colour, linewidth=1.0)
        axis.set_ylabel(label, fontsize=8)
    # The loudness.
    if sound is not None:
        seconds = np.arange(len(sound)) / fps
        axes[-1].fill_between(seconds, sound, QUIETEST, color="0.6", linewidth=0)
        axes[-1].set_ylabel("loudness\n(dB)", fontsize=8)
    # Labels and legend.
    for axis in axes:
        axis.tick_params(labelsize=7)
        axis.grid(axis="x", color="0.9", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0)
    axes[-1].set_xlabel(f"seconds\n{remark}", fontsize=8)
    figure.align_ylabels(axes)
    names = list(next(iter(panels.values())))
    _draw_legend(figure, axes[0].lines, names, ncols=min(4, len(names)))
    figure.savefig(file, dpi=DPI)


def _draw_legend(figure: "Figure", lines: "Sequence[Line2D]", names: Sequence[str], ncols: int) -> None:
    # Names are written afterwards, since matplotlib leaves out those that begin with an underscore.
    numbers = [str(number) for number in range(len(names))]
    drawn = figure.legend(lines, numbers, loc="outside upper center", ncols=ncols, fontsize=8, frameon=False)
    for text, name in zip(drawn.get_texts(), names, strict=True):
        write_label(text, name)


def write_label(text: "Text", label: str) -> None:
    """Write a label as it is, by a font that has its letters; dollar signs begin no formula in it."""
    file = find_font(label)
    if file is not None:
        font = text.get_fontproperties().copy()
        font.set_file(file)
        text.set_fontproperties(font)
    text.set_parse_math(False)
    text.set_text(label if file is not None else label.encode("ascii", "backslashreplace").decode())


def draw_sync(offsets: Sequence[int], curves: Mapping[str, Sequence[float]], file: Path) -> None:
    """Draw SyncNet's mean distance of lips and sound at each offset: a deep valley at 0 means speech in sync.

    Args:
        offsets: Offsets in frames, positive where the sound comes before its lips.
        curves: A distance for each offset, by the label of each system; the first is black, the others have colours.
        file: The picture to write.
    """
    # matplotlib loads slowly, and most callers draw nothing.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(CURVE_INCHES[0], SYNC_INCHES), layout="constrained")
    axis = figure.subplots()
    for number, values in enumerate(curves.values()):
        axis.plot(offsets, values, color="black" if number == 0 else f"C{number - 1}", linewidth=1.2)
    lines = list(axis.lines)
    axis.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    axis.set_xlabel("offset in frames; positive: the sound comes before its lips", fontsize=8)
    axis.set_ylabel("SyncNet's distance", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(x=0)
    _draw_legend(figure, lines, list(curves), ncols=1)
    figure.savefig(file, dpi=DPI)
