"""The networks, plain modules: one file per part of the paper's figure."""
