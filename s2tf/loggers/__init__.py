"""Lightning loggers: the journal, and W&B behind it."""
