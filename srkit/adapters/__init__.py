"""One module or package a framework; frameworks are imported nowhere else."""
