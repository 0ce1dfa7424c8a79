"""Floating point operations of runs, per character.

    python -m actrepro.benchmark.programs.flops < runs.json

The runs are a list of `{"run": a RunConfig, "corpus": its path}`. The program prints one line of
JSON with the operations per character of each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from actrepro.config.study import RunConfig
from actrepro.data.corpus import load_corpus
from actrepro.models import build_from_protocol
from actrepro.models.flops import count_flops


def step_flops(request: RunConfig, symbols: int) -> float:
    """Count a step's operations per character with `actrepro.models.flops.count_flops`.

    One sequence suffices, since products are proportional to the batch.
    """
    protocol = request.protocol.model_copy(update={"dropout": 0.0})
    model = build_from_protocol(
        request.model,
        protocol,
        request.activation,
        symbols,
        seed=request.seed,
        custom_models=request.custom_models,
    )
    codes = torch.arange(protocol.context + 1).remainder(symbols)[None]
    return count_flops(model, codes) / protocol.context


def main() -> None:
    """Count the operations of each run on standard input."""
    counts = []
    for entry in json.load(sys.stdin):
        request = RunConfig.model_validate(entry["run"])
        counts.append(step_flops(request, len(load_corpus(Path(entry["corpus"])).symbols)))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
