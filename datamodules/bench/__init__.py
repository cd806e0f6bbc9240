"""The measurements of `s2tf bench data`."""
