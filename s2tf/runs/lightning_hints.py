"""Hints that Lightning prints in every training and on which a user of s2tf need not act."""

import logging
import re
import warnings

SILENCED = (
    # Advertises another logger.
    "litlogger",
    # Networks of files that s2tf itself has just written.
    "`weights_only` was not set",
    # Two of Lightning's own calls of torch.
    "LeafSpec",
    # `s2tf submit` writes srun where it is needed.
    "The `srun` command is available",
    # Frozen networks are in eval mode on purpose.
    r"module\(s\) in eval mode",
)
"""Parts of the hints, as regular expressions."""
LOGGERS = (
    "lightning.pytorch.utilities.rank_zero",
    "lightning.pytorch.trainer.connectors.checkpoint_connector",
)


class _Others(logging.Filter):
    """Passes every record but the hints."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is none of the hints."""
        return not any(re.search(part, record.getMessage()) for part in SILENCED)


OTHERS = _Others()


def hide_hints() -> None:
    """Keep the hints out of this process's output; all other messages of Lightning stay."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(OTHERS)
    for part in SILENCED:
        warnings.filterwarnings("ignore", f".*{part}")


def hide_messages() -> None:
    """Keep all messages of Lightning but errors out of this process's output, which has its own lines of progress."""
    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\.")
