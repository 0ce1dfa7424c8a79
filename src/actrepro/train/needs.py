"""Memory and minutes that training needs, for schedulers such as Slurm.

The estimates are rough and generous: twice the measured memory, three times the measured minutes.
A job that runs out of either is started again with more, and continues from its resume point.
"""

from __future__ import annotations

from actrepro.config.protocol import Protocol

# Python, torch and the processes that a scheduler adds: 400 MB were measured.
MEGABYTES = 1000
# The same with the libraries of CUDA. Everything else is in the GPU's memory.
MEGABYTES_WITH_CUDA = 5000
# Tensors [tokens, width] that a layer keeps for the backward pass: 29 to 44 were measured.
TENSORS = 70
# Floating-point operations in a second: a third of what was measured on one core, and what
# any GPU of the last ten years reaches on models that do not fill it.
SPEED = 1.5e10
SPEED_WITH_CUDA = 5e11
SHORTEST = 10
# Queues limit minutes, and a run that continues from its resume point loses nothing by that.
LONGEST = 24 * 60


def training_megabytes(protocol: Protocol, cuda: bool) -> int:
    """Estimate the host memory of a training job, in MB."""
    if cuda:
        return MEGABYTES_WITH_CUDA
    tokens = protocol.batch * protocol.context
    stored = 4 * TENSORS * tokens * protocol.layers * protocol.width
    return MEGABYTES + stored // 2**20


def training_minutes(protocol: Protocol, runs: int, cuda: bool) -> int:
    """Estimate the minutes that training a number of runs one after another takes."""
    weights = 12 * protocol.layers * protocol.width**2
    tokens = protocol.batch * protocol.context * protocol.iterations
    seconds = runs * 6 * weights * tokens / (SPEED_WITH_CUDA if cuda else SPEED)
    return min(SHORTEST + round(seconds / 60), LONGEST)
