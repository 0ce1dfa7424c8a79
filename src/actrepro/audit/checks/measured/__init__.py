"""Checks of what claims say about results."""
