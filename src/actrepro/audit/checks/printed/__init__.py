"""Checks of numbers against other printed numbers."""
