"""The networks, plain modules without Lightning: one file per part of the paper's figures."""
