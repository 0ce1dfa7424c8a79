"""What a training run's bytes depend on: runs of one identity are one and the same run.

Told without torch, so that a run's record can be asked which source has made it.
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
    """All that a run's bytes depend on, part by part, as a message names them.

    Parameters
    ----------
    source
        `training_fingerprint` of the library.
    packages, machine, device, threads
        As `run.json` has them; of the packages only some count.
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
    """One hash of all parts."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()
