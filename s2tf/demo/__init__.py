"""The whole chain at demo width, end to end, with the numbers that it must reach."""
