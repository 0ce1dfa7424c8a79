"""Identity of a training run: all that its bytes depend on.

It needs no torch, so that a run's record can be compared with the current source quickly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from actrepro.config.study import RunConfig

BYTES_DEPEND_ON = ("torch", "numpy")


def identity_parts(
    request: RunConfig,
    corpus_sha256: str,
    source: str,
    packages: Mapping[str, str],
    machine: Mapping[str, Any],
    device: str,
    threads: int,
) -> dict[str, str]:
    """Return all that a run's bytes depend on, part by part, under the names used in messages.

    Parameters
    ----------
    source
        `training_fingerprint` of the library.
    packages, machine, device, threads
        As in `run.json`; only some of the packages count.
    """
    return {
        "request": request.model_dump_json(),
        "text": corpus_sha256,
        "source": source,
        "set of packages": json.dumps(
            {name: packages[name] for name in ("python", *BYTES_DEPEND_ON)}
        ),
        "machine": json.dumps(machine),
        "device": device,
        "number of threads": str(threads),
    }


def identity_sha256(parts: Mapping[str, str]) -> str:
    """Compute one SHA-256 (hex) of all parts."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()
