"""Load of other programs on the machine while the benchmark ran."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

# The first line of /proc/stat has ticks of all cores by kind: user, nice, system, idle, iowait, …
STAT = Path("/proc/stat")
IDLE = slice(3, 5)  # idle, and waiting for a disk
ALL = slice(8)  # without the guests' times that follow, which user time includes already


@dataclass(frozen=True)
class Moment:
    """Seconds until now: of the clock, of all busy cores, and of this process and its children."""

    clock: float
    busy: float | None
    ours: float

    @classmethod
    def now(cls) -> Moment:
        """Read the times; children count once they have ended, and the timed programs have."""
        times = os.times()
        ours = times.user + times.system + times.children_user + times.children_system
        return cls(time.monotonic(), _busy(), ours)


def share_of_others(start: Moment, end: Moment) -> float | None:
    """Compute the share of the machine's cores that others kept busy; None where unknown."""
    if start.busy is None or end.busy is None:
        return None
    others = (end.busy - start.busy) - (end.ours - start.ours)
    # Not below 0: the kernel counts both times in ticks, and rounds them separately.
    return max(0.0, others) / ((end.clock - start.clock) * (os.cpu_count() or 1))


def _busy() -> float | None:
    """Return the seconds that all cores have been busy since the machine started."""
    try:
        first = STAT.read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return None
    ticks = list(map(int, first.split()[1:]))
    return (sum(ticks[ALL]) - sum(ticks[IDLE])) / os.sysconf("SC_CLK_TCK")
