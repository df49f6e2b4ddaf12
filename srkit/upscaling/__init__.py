"""How a picture becomes a large one: tiles, strips, rows, parts and clips, and what a model is asked."""
