"""The checks that claims are put to: one module for each thing that they look at."""

from __future__ import annotations
