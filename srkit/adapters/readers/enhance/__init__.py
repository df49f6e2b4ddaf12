"""neural-enhance: its files, its network's shape and its way of tiling, for any framework."""
