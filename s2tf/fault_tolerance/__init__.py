"""Fault tolerance: locks, atomic files, whole checkpoints, the journal, signals, and the first failure."""
