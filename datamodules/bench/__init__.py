"""What `s2tf bench data` measures."""
