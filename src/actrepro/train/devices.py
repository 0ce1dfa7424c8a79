"""The device of a job, and every setting that its bytes depend on.

On one machine, with one build of torch, the same request gives the same bytes, because of these
settings:

- CPU: one thread per job for any `--cores`, since the order of sums depends on the threads.
- CUDA: deterministic kernels, a fixed workspace for cuBLAS, no choice of kernels by timing.
- Random numbers come from streams with names (`actrepro.core.seeds`). Those of dropout come from
  torch's own state, which a resume point contains.

Bytes differ between processors, versions of torch or numpy, GPU and CPU, and precisions.
`snakemake elsewhere` measures how far such runs differ.
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
        cpu, cuda, or auto: CUDA if torch finds it.

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
    """Select kernels that give the same bytes on every call.

    The fast kernels of a GPU add in any order, or round. On one thread those of a CPU do not, and
    the switch imports torch's compiler (two seconds), so CPU jobs do not call this.
    """
    # cuBLAS reads this when CUDA starts. Without it, its reductions vary between calls.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    # The code writes memory before it reads it, so filling it first would only cost time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # By default torch lets cuDNN round to TF32, for example in an LSTM. Evaluation and
    # predictions must be in float32.
    torch.backends.cudnn.allow_tf32 = False


@contextmanager
def computing_in(precision: str, device: torch.device) -> Iterator[None]:
    """Multiply matrices in the precision of a scale. Weights and sums stay float32.

    Parameters
    ----------
    precision
        fp32; tf32, on a GPU only: factors rounded to 10 bits; bf16: activations of 8 bits where
        torch's autocast allows it.
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
