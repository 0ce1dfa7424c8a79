"""Models with one fault each, built as a user's own model is."""

from __future__ import annotations
