"""Texts: where they come from, how they are cleaned, and the part that every run predicts."""
