"""What the tests on a cluster share."""

# Workers are other processes, where no fixture reaches: the precision is asked for.
EXACT = {"precision": "float32"}
