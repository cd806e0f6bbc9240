"""Videos of the same clip by several systems, side by side."""
