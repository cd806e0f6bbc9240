"""The training stages, one LightningModule per file."""
