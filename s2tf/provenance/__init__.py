"""Provenance: the code, data, networks and weights of a run."""
