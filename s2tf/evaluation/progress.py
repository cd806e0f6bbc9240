"""Time left of a long evaluation, in words."""


def time_left(seconds: float) -> str:
    """Write the time that is left, such as `about 12 min left`."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit} left"
    return f"about {seconds:.0f} s left"
