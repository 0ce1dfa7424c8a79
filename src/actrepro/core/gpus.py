"""The GPU that a job computes on: each job claims one of its own, as long as there are enough.

Snakemake counts GPUs but hands none out, so without this all jobs would meet on the first.
"""

from __future__ import annotations

import ctypes
import itertools
import logging
import os
import stat
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from actrepro.core.errors import ActreproError
from actrepro.core.locks import try_hold

LOG = logging.getLogger("actrepro")
POLL = 1.0  # seconds between two looks for a free GPU


@dataclass(frozen=True)
class Gpu:
    """A CUDA device: torch's number for it in this process, and its name in all of them."""

    index: int
    uuid: str


def visible_gpus() -> tuple[Gpu, ...]:
    """Return the CUDA devices that the driver shows this process, without importing torch.

    The driver hides the devices that CUDA_VISIBLE_DEVICES hides, and numbers the others as
    torch does. The result is empty without a driver, or with one that fails.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        _ask(driver.cuInit, 0)
        _ask(driver.cuDeviceGetCount, ctypes.byref(count))
        return tuple(Gpu(index, _uuid(driver, index)) for index in range(count.value))
    except OSError:
        return ()


def _uuid(driver: ctypes.CDLL, index: int) -> str:
    """Return a GPU's name in hexadecimal digits, as `nvidia-smi -L` writes it after "GPU-"."""
    device, name = ctypes.c_int(0), (ctypes.c_ubyte * 16)()
    # The first version gives all MIG slices of a GPU that GPU's name.
    get_uuid = getattr(driver, "cuDeviceGetUuid_v2", None) or driver.cuDeviceGetUuid
    _ask(driver.cuDeviceGet, ctypes.byref(device), index)
    _ask(get_uuid, ctypes.byref(name), device)
    return str(uuid.UUID(bytes=bytes(name)))


def _ask(function: Callable[..., int], *arguments: object) -> None:
    error = function(*arguments)
    if error != 0:
        raise OSError(error, "the CUDA driver failed")


@contextmanager
def hold_gpu(jobs_per_gpu: int, folder: Path | None = None) -> Iterator[int]:
    """Claim a GPU until the block ends, and give torch's number for it.

    Wait while all GPUs are taken.

    Parameters
    ----------
    jobs_per_gpu
        Number of jobs that may share a GPU, at least 1. They share one only when each GPU has
        a job.
    folder
        The folder of the locks, the same for all processes that share the GPUs. By default
        one per user, among the machine's temporary files.

    Raises
    ------
    ActreproError
        When no GPU is visible, or the folder belongs to somebody else.
    """
    gpus = visible_gpus()
    if not gpus:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        raise ActreproError(
            f"expected a CUDA device, found none (CUDA_VISIBLE_DEVICES: {visible}); see whether "
            "nvidia-smi shows one and unset the variable, or set device: cpu in the config"
        )
    folder = _made(folder or Path(tempfile.gettempdir()) / f"actrepro-gpus-{os.getuid()}")
    with ExitStack() as lock:
        gpu = _claim(gpus, jobs_per_gpu, folder, lock)
        if gpu is None:
            LOG.info(
                "waiting for a GPU: all are taken (GPUs: %d, jobs on each: %d)",
                len(gpus),
                jobs_per_gpu,
            )
        while gpu is None:
            time.sleep(POLL)
            gpu = _claim(gpus, jobs_per_gpu, folder, lock)
        LOG.info("computing on GPU %d (GPU-%s)", gpu.index, gpu.uuid)
        yield gpu.index


def _made(folder: Path) -> Path:
    """Make the folder where it is missing, and check that it is the user's.

    Its name is predictable, so another user may have made it first.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    info = folder.lstat()
    if info.st_uid != os.getuid() or not stat.S_ISDIR(info.st_mode):
        raise ActreproError(
            f"{folder}: expected a folder of your own, found one of user {info.st_uid} or a link; "
            "have it removed, or set TMPDIR to another folder"
        )
    return folder


def _claim(gpus: Sequence[Gpu], jobs_per_gpu: int, folder: Path, lock: ExitStack) -> Gpu | None:
    """Return the GPU with a free slot, first slots first, which `lock` holds from now on."""
    for slot, gpu in itertools.product(range(jobs_per_gpu), gpus):
        held = try_hold(folder / f"{gpu.uuid}.{slot}.lock")
        if held is not None:
            lock.enter_context(held)
            return gpu
    return None
