"""Weights of some forty networks that are not srkit's own, by way of the package spandrel."""
