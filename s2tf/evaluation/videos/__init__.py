"""Evaluation of videos."""
