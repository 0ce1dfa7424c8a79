"""Predictions: making, storing and checking them."""
