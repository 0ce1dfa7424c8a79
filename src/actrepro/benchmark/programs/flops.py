"""How many floating point operations runs take per character.

    python -m actrepro.benchmark.programs.flops < runs.json

The runs are a list of `{"run": a RunConfig, "corpus": its path}`; one line of JSON tells the
operations per character of each.
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
    """Operations per character of a step, as `actrepro.models.flops.count_flops` counts them.

    One sequence suffices, since products grow in step with the batch.
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
    """Count for each run that standard input names."""
    counts = []
    for asked in json.load(sys.stdin):
        request = RunConfig.model_validate(asked["run"])
        counts.append(step_flops(request, len(load_corpus(Path(asked["corpus"])).symbols)))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
