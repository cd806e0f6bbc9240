"""Importers of public weights: one file per source, each an explicit map of every tensor."""
