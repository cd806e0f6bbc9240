"""Where a run is to be seen in W&B since it has begun there."""

from pathlib import Path

from s2tf.fault_tolerance.atomic_files import atomic_write

PAGE_FILE = "wandb_page"
OFFLINE = "offline"


def note_page(folder: Path, page: str) -> None:
    """Note a run's page.

    Args:
        folder: of the run.
        page: its address, `offline` where it is written to disk, or `disabled`.
    """
    atomic_write(folder / PAGE_FILE, f"{page}\n")


def read_page(folder: Path) -> str:
    """What was noted when the run began last; empty before that, and where it is not in W&B."""
    path = folder / PAGE_FILE
    return path.read_text().strip() if path.is_file() else ""
