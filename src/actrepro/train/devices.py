"""On what a job computes, and every setting that its bytes depend on.

What holds: on one machine, with one build of torch, the same request gives the same
bytes. What makes it so:

- CPU: one thread a job, whatever `--cores` says, since the order of sums depends on it.
- CUDA: deterministic kernels, a fixed workspace for cuBLAS, no choice of kernels by timing.
- Random numbers come from streams that are named for what they feed (`actrepro.core.seeds`),
  dropout's from torch's own state, which a snapshot of training keeps.

What does not: other processors, other versions of torch or numpy, a GPU against a CPU, or
another precision. How far such runs differ, `snakemake elsewhere` measures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from actrepro.core.errors import ActreproError


def prepare_torch(device: str, threads: int) -> torch.device:
    """Fix threads and deterministic kernels, and choose the device.

    Parameters
    ----------
    device
        cpu, cuda, or auto: CUDA where torch finds it.

    Raises
    ------
    ActreproError
        When CUDA is asked for and torch finds none.
    """
    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise ActreproError(
            "device: cuda was asked for, but torch finds no CUDA device; set device: auto or cpu, "
            "or install a CUDA build of torch and its driver"
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        _use_reproducible_kernels()
    return torch.device(device)


def _use_reproducible_kernels() -> None:
    """On a GPU the fast kernels add in any order, or round. A CPU's do not, on one thread.

    The switch imports torch's compiler (two seconds), so a CPU job leaves it alone.
    """
    # cuBLAS reads this when CUDA starts; without it its reductions differ from call to call.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    # Nothing here reads memory before it writes it, so filling it first would only cost time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # torch lets cuDNN round, in an LSTM say, where nothing asks for it: evaluation, predictions.
    torch.backends.cudnn.allow_tf32 = False


@contextmanager
def computing_in(precision: str, device: torch.device) -> Iterator[None]:
    """Multiply matrices as a scale's `precision` says; weights and sums stay float32.

    Parameters
    ----------
    precision
        fp32; tf32, on a GPU only: factors rounded to 10 bits; bf16: activations of 8 bits
        wherever torch's autocast holds that to be safe.
    """
    if precision == "bf16":
        with torch.autocast(device.type, dtype=torch.bfloat16):
            yield
    elif device.type == "cuda":
        with _tf32(precision == "tf32"):
            yield
    else:
        yield


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
