"""SLURM: settings of clusters, batch scripts, checks before a job is queued, and the status of jobs."""
