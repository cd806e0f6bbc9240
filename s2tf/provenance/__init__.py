"""Provenance: the code, data, networks and weights that a run was made of."""
