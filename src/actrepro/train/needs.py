"""What training needs of a machine: memory and minutes, for whoever hands out machines.

Rough, and on the safe side: twice the memory that was measured, three times the minutes. A
job that runs out of either is tried again with more, and goes on from its snapshot.
"""

from __future__ import annotations

from actrepro.config.protocol import Protocol

# Python, torch, and what a scheduler starts around a job: 400 MB were measured.
MEGABYTES = 1000
# The same with CUDA's libraries; all else is in the GPU's memory.
MEGABYTES_WITH_CUDA = 5000
# Tensors [tokens, width] that a layer keeps for the backward pass: 29 to 44 were measured.
TENSORS = 70
# Floating-point operations in a second: a third of what was measured on one core, and what
# any GPU of the last ten years reaches on models that do not fill it.
SPEED = 1.5e10
SPEED_WITH_CUDA = 5e11
SHORTEST = 10
# Queues have their limits, and a run that goes on from its snapshot loses nothing by them.
LONGEST = 24 * 60


def training_megabytes(protocol: Protocol, cuda: bool) -> int:
    """Memory of the host that one job needs, in MB."""
    if cuda:
        return MEGABYTES_WITH_CUDA
    tokens = protocol.batch * protocol.context
    kept = 4 * TENSORS * tokens * protocol.layers * protocol.width
    return MEGABYTES + kept // 2**20


def training_minutes(protocol: Protocol, runs: int, cuda: bool) -> int:
    """Time to train so many runs one after another, in minutes."""
    weights = 12 * protocol.layers * protocol.width**2
    tokens = protocol.batch * protocol.context * protocol.iterations
    seconds = runs * 6 * weights * tokens / (SPEED_WITH_CUDA if cuda else SPEED)
    return min(SHORTEST + round(seconds / 60), LONGEST)
