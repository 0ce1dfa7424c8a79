"""How many floating point operations a training step takes, counted and not estimated.

    python -m actrepro.benchmarking.flops < runs.json

The runs are a list of `{"run": a RunConfig, "corpus": its path}`; one line of JSON tells the
operations per character of each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch.utils.flop_counter import FlopCounterMode

from actrepro.config import RunConfig
from actrepro.corpus import load_corpus
from actrepro.models import build_from_protocol


def step_flops(request: RunConfig, symbols: int) -> float:
    """Operations per character of a step, forward and backward, on a CPU.

    Counted are the matrix products that are really done, a multiplication and an addition
    each: what a loop spends on elements (activation, norms, dropout, optimiser) is not
    among them. One sequence suffices, since products grow in step with the batch.
    """
    protocol = request.protocol
    model = build_from_protocol(
        request.model,
        protocol,
        request.activation,
        symbols,
        seed=request.seed,
        custom_models=request.custom_models,
    )
    codes = torch.arange(protocol.context + 1).remainder(symbols)[None]
    # oneDNN's LSTM is one operation, of which torch's counter knows nothing.
    with torch.backends.mkldnn.flags(enabled=False), FlopCounterMode(display=False) as counter:
        logits = model(codes[:, :-1])
        torch.autograd.backward(F.cross_entropy(logits.flatten(0, 1), codes[0, 1:]))
    flops: int = counter.get_total_flops()
    return flops / protocol.context


def main() -> None:
    """Count for each run that standard input names."""
    counts = []
    for asked in json.load(sys.stdin):
        request = RunConfig.model_validate(asked["run"])
        counts.append(step_flops(request, len(load_corpus(Path(asked["corpus"])).symbols)))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
