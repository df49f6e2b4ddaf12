"""How networks run on torch: devices, precision, memory, and rows in strips."""
