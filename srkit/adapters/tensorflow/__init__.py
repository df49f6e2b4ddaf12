"""TensorFlow: frozen graphs."""
