"""Content of the dashboard of one of the paper's ablations, independent of W&B: its arms, its panels, its table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from s2tf.reporting.paper import TABLES, PaperTable

ABLATIONS = ("table3", "table4", "table5", "table6", "table10", "table11")
"""Tables of the paper's ablations."""
PREFIX = "metrics"
"""Prefix of the numbers that `s2tf evaluate` writes into a run's summary."""


@dataclass(frozen=True)
class Arm:
    """One row of the table: runs whose mean is shown."""

    label: str
    groups: tuple[str, ...]
    """W&B's groups, which are our experiments' names."""


@dataclass(frozen=True)
class Panel:
    """One picture of the dashboard."""

    kind: Literal["lines", "media", "bars"]
    title: str
    keys: tuple[str, ...]
    """Keys of the log, or for bars of the summary."""


@dataclass(frozen=True)
class Section:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """A dashboard of one table."""

    table: str
    title: str
    arms: tuple[Arm, ...]
    sections: tuple[Section, ...]
    columns: tuple[str, ...]
    """The table's numbers by their names in the summary."""
    text: str = ""
    """The table in Markdown: the paper's numbers, and ours where there are runs."""

    def to_json(self) -> dict[str, Any]:
        """Return the dashboard as a JSON object."""
        return asdict(self)


CURVES: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "portraits": (
        ("denoising loss", ("train/loss", "val/loss")),
        ("distance to the reference face, and of the mean face", ("val/portrait_l1", "val/mean_face_l1")),
    ),
    "reconstruction": (
        ("reconstruction", ("train/l1", "train/vgg")),
        ("generator and discriminator", ("train/adversarial", "train/discriminator")),
        ("codebook", ("train/codebook", "train/commitment", "train/perplexity")),
        ("PSNR, and gain over the copied source, dB", ("val/psnr", "val/psnr_gain")),
        ("SSIM", ("val/ssim", "val/ssim_copy_source")),
    ),
    "motion": (("denoising loss", ("train/loss", "val/loss")),),
}
"""Titles and keys of the log, by the kind of a table; a run that does not log a key has no line for it."""
SAMPLES: Mapping[str, tuple[str, ...]] = {
    "portraits": ("true", "reconstructed", "generated", "mean_face"),
    "reconstruction": ("target", "rebuilt", "video-0", "video-1"),
    "motion": ("codes/true", "codes/generated", "sound-0"),
}
"""Names of the samples that stages show, by the kind of a table."""
SPEED = (
    ("samples a second", ("throughput/samples_per_second",)),
    ("MFU", ("throughput/mfu",)),
    ("share of time spent waiting for data", ("throughput/data_wait_share",)),
    ("memory, GB", ("throughput/gpu_memory_peak_gb", "throughput/process_memory_peak_gb")),
)


def ablation(name: str, text: str = "") -> Dashboard:
    """Return the dashboard of one of `ABLATIONS`.

    Args:
        name: Name of the table, such as `table3`.
        text: The table in Markdown.
    """
    table = TABLES[name]
    columns = tuple(column.measurement for column in table.columns if column.measurement)
    sections = (
        Section("Losses", _panels("lines", CURVES[table.kind])),
        Section("Samples by arm", tuple(Panel("media", key, (f"samples/{key}",)) for key in SAMPLES[table.kind])),
        Section(f"Table {table.number}", tuple(_bars(table))),
        Section("Speed", _panels("lines", SPEED)),
    )
    return Dashboard(
        table=name,
        title=f"Table {table.number}: {table.title}",
        arms=tuple(Arm(row.label, row.runs) for row in table.rows if row.runs),
        sections=sections,
        columns=tuple(f"{PREFIX}/{column}/value" for column in columns),
        text=text,
    )


def _panels(kind: Literal["lines", "media"], entries: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[Panel, ...]:
    return tuple(Panel(kind, title, keys) for title, keys in entries)


def _bars(table: PaperTable) -> list[Panel]:
    return [
        Panel("bars", column.heading, (f"{PREFIX}/{column.measurement}/value",))
        for column in table.columns
        if column.measurement
    ]
