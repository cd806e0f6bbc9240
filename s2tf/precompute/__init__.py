"""Data that must exist before a stage can train: speech features, motion codes, face priors."""
