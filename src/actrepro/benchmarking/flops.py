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
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from actrepro.config import RunConfig
from actrepro.corpus import load_corpus
from actrepro.models import build_from_protocol


def step_flops(request: RunConfig, symbols: int) -> float:
    """Operations per character of a step, forward and backward: those that the model needs.

    Counted are multiplications and additions of matrix products; what is done element by
    element (activation, norms, dropout, optimiser) is not. Attention counts in full, future
    included, whatever an implementation leaves out (as in Chowdhery et al. 2022, appendix B),
    so that the count depends on the model alone. One sequence suffices, since products grow
    in step with the batch.
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
    # torch's counter knows nothing of oneDNN's LSTM and of a CPU's fused attention, which are
    # one operation each.
    with (
        torch.backends.mkldnn.flags(enabled=False),
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
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
