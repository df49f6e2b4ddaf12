"""How a picture becomes a large one: tiles, strips, rows, parts, clips; what models are asked."""
