"""OpenVINO as a runtime of networks on torch."""
