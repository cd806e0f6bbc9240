"""Precompute."""
