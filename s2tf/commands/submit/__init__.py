"""Queue a training or a whole chain on a SLURM cluster, after everything that it needs was checked."""

SUBCOMMANDS = {"run": "run", "chain": "chain"}
REMOVED = {"": "s2tf submit run EXPERIMENT [key=value ...] --cluster NAME"}
