"""The checks that claims are put to: one module per subject."""

from __future__ import annotations
