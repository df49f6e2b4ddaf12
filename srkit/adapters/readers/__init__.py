"""Files of other programs, read and judged in Python alone."""
