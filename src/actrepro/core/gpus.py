"""Which GPU a job computes on: each takes a card of its own, as far as there are enough.

Snakemake counts cards but hands none out, so without this all jobs would meet on the first.
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
POLL = 1.0  # seconds between two looks for a free card


@dataclass(frozen=True)
class Card:
    """A CUDA device: torch's number for it in this process, and its name in all of them."""

    index: int
    uuid: str


def visible_cards() -> tuple[Card, ...]:
    """The CUDA devices that the driver shows this process; asked without importing torch.

    The driver leaves out what CUDA_VISIBLE_DEVICES leaves out, and counts as torch does.
    None where there is no driver, or one that fails.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        _ask(driver.cuInit, 0)
        _ask(driver.cuDeviceGetCount, ctypes.byref(count))
        return tuple(Card(index, _uuid(driver, index)) for index in range(count.value))
    except OSError:
        return ()


def _uuid(driver: ctypes.CDLL, index: int) -> str:
    """A card's name in hexadecimal digits, written as `nvidia-smi -L` does after "GPU-"."""
    device, name = ctypes.c_int(0), (ctypes.c_ubyte * 16)()
    # The first version gives all MIG slices of a card that card's name.
    get_uuid = getattr(driver, "cuDeviceGetUuid_v2", None) or driver.cuDeviceGetUuid
    _ask(driver.cuDeviceGet, ctypes.byref(device), index)
    _ask(get_uuid, ctypes.byref(name), device)
    return str(uuid.UUID(bytes=bytes(name)))


def _ask(function: Callable[..., int], *arguments: object) -> None:
    error = function(*arguments)
    if error != 0:
        raise OSError(error, "the CUDA driver failed")


@contextmanager
def hold_card(jobs_per_card: int, folder: Path | None = None) -> Iterator[int]:
    """The number that torch gives the card which is this job's until the block ends.

    When all cards are taken, it waits until one is free.

    Parameters
    ----------
    jobs_per_card
        How many jobs may share a card, at least 1. They share one only when each card has one.
    folder
        Where the locks lie, the same for all processes that share the cards. By default one
        per user, among the machine's temporary files.

    Raises
    ------
    ActreproError
        When no card is visible; when the folder is somebody else's.
    """
    cards = visible_cards()
    if not cards:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        raise ActreproError(
            f"expected a CUDA device, found none (CUDA_VISIBLE_DEVICES: {visible}); see whether "
            "nvidia-smi shows one and unset the variable, or set device: cpu in the config"
        )
    folder = _own(folder or Path(tempfile.gettempdir()) / f"actrepro-cards-{os.getuid()}")
    with ExitStack() as lock:
        card = _take(cards, jobs_per_card, folder, lock)
        if card is None:
            LOG.info(
                "waiting for a card: all are taken (cards: %d, jobs on each: %d)",
                len(cards),
                jobs_per_card,
            )
        while card is None:
            time.sleep(POLL)
            card = _take(cards, jobs_per_card, folder, lock)
        LOG.info("computing on card %d (GPU-%s)", card.index, card.uuid)
        yield card.index


def _own(folder: Path) -> Path:
    """The folder, made where it is missing; its name is known, so others may have been there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise ActreproError(
            f"{folder}: expected a folder of your own, found one of user {found.st_uid} or a link; "
            "have it removed, or set TMPDIR to another folder"
        )
    return folder


def _take(cards: Sequence[Card], jobs_per_card: int, folder: Path, lock: ExitStack) -> Card | None:
    """The card with a free slot, first slots first, which `lock` holds from now on."""
    for slot, card in itertools.product(range(jobs_per_card), cards):
        held = try_hold(folder / f"{card.uuid}.{slot}.lock")
        if held is not None:
            lock.enter_context(held)
            return card
    return None
