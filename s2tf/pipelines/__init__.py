"""Inference without Lightning."""
