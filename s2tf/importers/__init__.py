"""Public weights become networks of ours: one explicit name map per source."""
