"""Metrics, and the judges that read pictures for them."""
