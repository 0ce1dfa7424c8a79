"""Values of a training run's `status` in `run.json`, in a checkpoint, in `stats.json`.

A lost run is recorded with its reason and excluded from every statistic.
"""

from __future__ import annotations

from typing import Final, Literal

Status = Literal["finished", "diverged", "failed"]
FINISHED: Final = "finished"
# A loss was NaN or infinite.
DIVERGED: Final = "diverged"
# The machine ran out of memory.
FAILED: Final = "failed"
LOST: tuple[Status, ...] = (DIVERGED, FAILED)
