"""ONNX files: judging, running them on ONNX Runtime, and writing them."""
