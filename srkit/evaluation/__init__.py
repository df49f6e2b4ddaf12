"""Models measured and shown beside each other: data, scores, costs, tables, sheets."""
