"""Address of a run in W&B, noted when it begins there."""

from pathlib import Path

from s2tf.fault_tolerance.atomic_files import atomic_write

PAGE_FILE = "wandb_page"
OFFLINE = "offline"


def note_page(folder: Path, page: str) -> None:
    """Note a run's page.

    Args:
        folder: Run folder.
        page: Address of the page, `offline` if the run is written to disk, or `disabled`.
    """
    atomic_write(folder / PAGE_FILE, f"{page}\n")


def read_page(folder: Path) -> str:
    """Read the page that was noted when the run began last; empty before that, and for a run without W&B."""
    path = folder / PAGE_FILE
    return path.read_text().strip() if path.is_file() else ""
