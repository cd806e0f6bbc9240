"""Portraits measured against reference pictures of the same people."""
