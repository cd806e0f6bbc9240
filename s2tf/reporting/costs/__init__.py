"""Costs of the networks: parameters, memory, communication, and the speed of generation."""
