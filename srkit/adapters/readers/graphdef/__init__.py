"""TensorFlow's frozen graphs, read and judged without TensorFlow."""
