"""Evaluation of portraits."""
