"""Start and exit torch quickly, for jobs that last seconds.

A study on a CPU starts torch once per run, and a small run trains for a second. Starting and
exiting took 2.3 seconds when it was measured. Of these, torch spent 0.6 on registering shape rules
that only its compiler and its `meta` device use, and 0.4 on freeing memory that the system frees
anyway.
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
from actrepro.core.gpus import hold_gpu
from actrepro.core.machine import cuda_usable

COMPILER_RULES = "torch._meta_registrations"
# Parameters of glibc's `mallopt` (malloc.h).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
# Released when the process ends.
_HELD = ExitStack()


def start_torch(requests: Sequence[RunConfig], jobs_per_gpu: int = 1) -> None:
    """Import torch, without the rules of its compiler if no request can need them.

    Custom models may be compiled, and deterministic kernels on CUDA import the compiler, so both
    get all of torch. If a GPU computes, the process claims one.
    """
    custom = any(request.custom_models for request in requests)
    if "torch" not in sys.modules and not custom and not cuda_usable():
        sys.modules[COMPILER_RULES] = ModuleType(COMPILER_RULES)
    # Objects that an import creates stay alive, so the garbage collector need not search them.
    gc.disable()
    import torch  # noqa: F401

    gc.freeze()
    gc.enable()
    keep_freed_memory()
    claim_gpu(requests[0].device, jobs_per_gpu)


def keep_freed_memory() -> None:
    """Reuse freed memory instead of returning it to the system.

    Every step frees its activations and allocates as much again. The system fills each new page
    with zeros, which took up to a tenth of a step of a large model. Only glibc has these settings;
    on other systems this function changes nothing.
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def claim_gpu(device: str, jobs_per_gpu: int) -> None:
    """If a GPU computes, claim one with a free place until the process ends.

    Snakemake assigns no GPU to a job, so without this all jobs would use the first one.
    """
    if device == "cpu" or not cuda_usable():
        return
    index = _HELD.enter_context(hold_gpu(jobs_per_gpu))
    import torch

    torch.cuda.set_device(index)


def exit_now() -> None:
    """End the process with status 0. The job must have written and closed its files."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
