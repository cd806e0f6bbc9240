"""SLURM: what a cluster offers, the scripts of its jobs, and what it says about them."""
