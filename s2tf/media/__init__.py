"""The only door to files of sound and picture."""
