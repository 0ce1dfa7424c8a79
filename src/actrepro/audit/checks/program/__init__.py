"""Checks of what the program can do."""
