"""Lightning callbacks: averages, checkpoints, progress, previews, throughput, the record of a run."""
