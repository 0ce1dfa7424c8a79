"""Starting and leaving torch quickly, for jobs that last seconds, and memory kept in between.

A study on a CPU starts torch once per run, and a small run trains for a second.
Of the 2.3 seconds that starting and leaving took where it was measured, 0.6 went
to registering shape rules that only torch's compiler and its `meta` device use,
and 0.4 to freeing at the end what the system frees anyway.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from types import ModuleType

from actrepro.config.study import RunConfig
from actrepro.core.gpus import hold_card
from actrepro.core.machine import cuda_usable

COMPILER_RULES = "torch._meta_registrations"
# glibc's numbers for `mallopt` (malloc.h).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
# Given back when the process ends.
_KEPT = ExitStack()


def start_torch(requests: Sequence[RunConfig], jobs_per_card: int = 1) -> None:
    """Import torch, without its compiler's rules where no request can need them.

    A user's own model may be compiled, and deterministic kernels on CUDA import
    the compiler: both get all of torch. Where a GPU will compute, one is taken.
    """
    own = any(request.custom_models for request in requests)
    if "torch" not in sys.modules and not own and not cuda_usable():
        sys.modules[COMPILER_RULES] = ModuleType(COMPILER_RULES)
    # What an import makes stays; looking through it for garbage is in vain.
    gc.disable()
    import torch  # noqa: F401

    gc.freeze()
    gc.enable()
    keep_freed_memory()
    take_card(requests[0].device, jobs_per_card)


def keep_freed_memory() -> None:
    """Use memory again that was freed, instead of giving it back to the system.

    Every step frees its activations and asks for as much again. The system hands out each page
    anew and filled with zeros, which took up to a tenth of a step of a large model. Only glibc
    knows these settings; elsewhere nothing is changed.
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def take_card(device: str, jobs_per_card: int) -> None:
    """Where a GPU will compute, take one that has a place free, until the process ends.

    Snakemake tells no job which GPU is its own, so all would take the first.
    """
    if device == "cpu" or not cuda_usable():
        return
    index = _KEPT.enter_context(hold_card(jobs_per_card))
    import torch

    torch.cuda.set_device(index)


def leave_at_once() -> None:
    """End the process with success; every file of the job is written and closed by now."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
