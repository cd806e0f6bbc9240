"""The losses of all stages."""
