"""From videos, portraits or a finished run to `metrics.json`."""
