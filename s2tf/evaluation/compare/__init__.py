"""Comparison of videos by eye."""
