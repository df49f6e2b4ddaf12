"""Models by name and by file: cards, registry, formats, weights."""
