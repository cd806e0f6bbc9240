"""The commands of `s2tf --help`, one per file or folder."""
