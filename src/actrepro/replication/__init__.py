"""Comparison with the same runs made elsewhere, and records of published studies."""
