"""Time of a training step on one core, by kind of operation.

Run `python tests/slow/benchmarks/profile_training.py`.

For each model, milliseconds a step and the share of each kind of operation, by torch's
profiler; what is left is Python and what the profiler itself costs. The products of attention
in training are numpy's, of which the profiler does not know, and count as attention.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from actrepro.config.names import model_names
from actrepro.config.reading import default_study
from actrepro.models import build_from_protocol
from actrepro.train.devices import prepare_torch
from actrepro.train.optimiser import AdamW
from actrepro.train.startup import keep_freed_memory
from actrepro.train.stepping import Stepper

SYMBOLS = 65
KINDS = {
    "products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"),
    "LSTM": ("aten::mkldnn_rnn_layer", "aten::mkldnn_rnn_layer_backward"),
    "activation": ("gelu", "silu", "relu", "threshold", "hardsigmoid", "_SmeLU", "addcmul"),
    "softmax, norms": ("softmax", "layer_norm"),
    "attention": ("_CausalAttention", "scaled_dot_product"),
    "copies": ("aten::copy_", "aten::cat"),
    "sums": ("aten::add", "aten::sum", "aten::mul"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="cpu")
    parser.add_argument("--activation", default="gelu")
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    keep_freed_memory()
    prepare_torch("cpu", 1)
    for model in model_names():
        stepper = _stepper(model, arguments.scale, arguments.activation, 2 * arguments.steps + 1)
        stepper.step(0)
        began = time.perf_counter()
        for step in range(1, arguments.steps + 1):
            stepper.step(step)
        seconds = (time.perf_counter() - began) / arguments.steps
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            for step in range(arguments.steps + 1, 2 * arguments.steps + 1):
                stepper.step(step)
        shares = _shares(profiled)
        text = ", ".join(f"{kind} {share:.0%}" for kind, share in shares.most_common())
        print(f"{model:16} {1000 * seconds:7.1f} ms a step: {text}")


def _stepper(model: str, scale: str, activation: str, steps: int) -> Stepper:
    protocol = default_study().protocols[scale].for_model(model)
    built = build_from_protocol(model, protocol, activation, SYMBOLS, seed=1)
    generator = np.random.default_rng(0)
    text = torch.from_numpy(generator.integers(SYMBOLS, size=100_000))
    starts = generator.integers(100_000 - protocol.context, size=(steps, protocol.batch))
    optimiser = AdamW(built, protocol.learning_rate)
    return Stepper(built, optimiser, text, starts, protocol.context, protocol.precision)


def _shares(profiled: profile) -> Counter[str]:
    """Return each kind of operation's share of the total self time."""
    found: Counter[str] = Counter()
    for one in profiled.key_averages():
        found[_kind(one.key)] += one.self_cpu_time_total
    total = found.total()
    return Counter({kind: spent / total for kind, spent in found.items()})


def _kind(name: str) -> str:
    for kind, names in KINDS.items():
        if name in names or any(part in name for part in names if "::" not in part):
            return kind
    return "other"


if __name__ == "__main__":
    main()
