"""Whether the machine was the benchmark's own: what other programs did on it meanwhile."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
IDLE = slice(3, 5)  # in its first line: idle, and waiting for a disk
ALL = slice(8)  # guests' time, which follows, is counted among users' already


@dataclass(frozen=True)
class Moment:
    """Seconds until now: by the clock, of all cores at work, and of this program's share."""

    clock: float
    busy: float | None
    own: float

    @classmethod
    def now(cls) -> Moment:
        """Children that have ended are this program's; they are what is timed."""
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return cls(time.monotonic(), _busy(), own)


def share_of_others(start: Moment, end: Moment) -> float | None:
    """Which share of the machine's cores others kept busy; None where no system tells."""
    if start.busy is None or end.busy is None:
        return None
    others = (end.busy - start.busy) - (end.own - start.own)
    return max(0.0, others) / ((end.clock - start.clock) * (os.cpu_count() or 1))


def _busy() -> float | None:
    try:
        first = STAT.read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return None
    ticks = list(map(int, first.split()[1:]))
    return (sum(ticks[ALL]) - sum(ticks[IDLE])) / os.sysconf("SC_CLK_TCK")
