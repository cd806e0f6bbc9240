"""A finished run of each stage measured on the test clips of its data, one file per stage."""
