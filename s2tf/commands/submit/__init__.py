"""Queue a training or a whole chain on a SLURM cluster, after a check of everything that it needs."""

SUBCOMMANDS = {"run": "run", "chain": "chain"}
REMOVED = {"": "s2tf submit run EXPERIMENT [key=value ...] --cluster NAME"}
