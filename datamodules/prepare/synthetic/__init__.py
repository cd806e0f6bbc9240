"""Synthetic speakers: drawn faces with a voice that fits them, and the truth about both."""
