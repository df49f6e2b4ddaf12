"""Networks, one architecture a file; each reads like the figure in its paper."""
