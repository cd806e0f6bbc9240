"""Runs: an experiment YAML becomes a trained run folder; chains of them."""
