"""Time and memory of all measures over all pairs, streamed.

Run `python tests/slow/benchmarks/measures.py`.

Predictions are made chunk by chunk and never whole in memory, as they are when read
from files; making them is not counted. Run with OMP_NUM_THREADS=1 for one core.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import Counter

import numpy as np

from actrepro.measures import (
    CHUNK,
    GROUP_MEASURES,
    PAIR_MEASURES,
    RUN_MEASURES,
    Floats,
    Targets,
    all_pairs,
    leave_one_out_sums,
)
from actrepro.predict.store import Probabilities

LEAST = np.float32(1.2e-38)


def make_chunk(
    generator: np.random.Generator, runs: int, positions: int, symbols: int
) -> tuple[Probabilities, Targets]:
    """Return sharp predictions that runs share in part, like those of a trained model."""
    shape = (runs, positions, symbols)
    shared = 3 * generator.standard_normal(shape[1:], dtype=np.float32)
    logits = shared + generator.standard_normal(shape, dtype=np.float32)
    p = np.exp(logits - logits.max(axis=2, keepdims=True))
    p /= p.sum(axis=2, keepdims=True)
    return np.maximum(p, LEAST), generator.integers(0, symbols, positions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--positions", type=int, default=55_000)
    parser.add_argument("--symbols", type=int, default=65)
    parser.add_argument("--chunk", type=int, default=CHUNK)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    pairs = all_pairs(arguments.runs)
    sums: dict[str, Floats] = {}
    seconds: Counter[str] = Counter()
    for start in range(0, arguments.positions, arguments.chunk):
        size = min(arguments.chunk, arguments.positions - start)
        p, targets = make_chunk(generator, arguments.runs, size, arguments.symbols)
        jobs = {
            **{one.id: (one.sums, (p, targets)) for one in RUN_MEASURES},
            **{one.id: (one.sums, (p, targets, pairs)) for one in PAIR_MEASURES},
            **{one.id: (leave_one_out_sums, (one, p, targets)) for one in GROUP_MEASURES},
        }
        for id_, (function, values) in jobs.items():
            began = time.process_time()
            sums[id_] = sums.get(id_, 0) + function(*values)
            seconds[id_] += time.process_time() - began
    for measure in (*RUN_MEASURES, *PAIR_MEASURES, *GROUP_MEASURES):
        mean = measure.finish(sums[measure.id], arguments.positions).mean()
        print(f"{measure.id:24} {seconds[measure.id]:7.2f} s   mean value {mean:.6f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'all':24} {seconds.total():7.2f} s of one core, peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
