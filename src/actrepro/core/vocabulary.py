"""How a training run ends: the values of `status` in `run.json`, in a checkpoint, in `stats.json`.

A lost run is recorded with why it was lost, and is in no number.
"""

from __future__ import annotations

FINISHED = "finished"
# A loss was NaN or infinite.
DIVERGED = "diverged"
# The machine could not do it: out of memory.
FAILED = "failed"
LOST = (DIVERGED, FAILED)
