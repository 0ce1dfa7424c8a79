"""Predictions: making them, storing them, and what makes them comparable."""
