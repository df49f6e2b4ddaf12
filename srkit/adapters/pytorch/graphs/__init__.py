"""Networks that were read and judged, rebuilt for torch."""
