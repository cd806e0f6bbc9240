"""Synthetic speakers: rendered faces with a voice that fits them, and the ground truth about both."""
