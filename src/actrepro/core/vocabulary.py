"""Values of a training run's `status` in `run.json`, in a checkpoint, in `stats.json`.

A lost run is recorded with its reason and excluded from every statistic.
"""

from __future__ import annotations

FINISHED = "finished"
# A loss was NaN or infinite.
DIVERGED = "diverged"
# The machine ran out of memory.
FAILED = "failed"
LOST = (DIVERGED, FAILED)
