"""Image files: reading and writing them, whole and by rows, one module a format."""
