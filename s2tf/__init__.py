"""s2tf: train, ablate and compare systems that turn speech alone into a talking face."""

__version__ = "0.2.0"
