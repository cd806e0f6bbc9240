"""Public weights become s2tf networks: one explicit name map for each source."""
