"""Peak of the machine: the speed of single matrix products.

    python -m actrepro.benchmark.programs.gemm DEVICE PRECISION THREADS SECONDS M,K,N …

The program prints one line of JSON: GFLOP/s by product (2·m·k·n floating point operations per
call, the median over the calls in SECONDS).
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import torch

from actrepro.train.devices import computing_in

LEAST_CALLS = 3


def main(device: str, precision: str, threads: str, seconds: str, *products: str) -> None:
    """Time each product for a number of seconds and print its speed."""
    torch.set_num_threads(int(threads))
    with computing_in(precision, torch.device(device)):
        # A warm-up: idle cores are slow at first.
        _gflops(products[0], device, precision, float(seconds))
        speeds = {
            product: _gflops(product, device, precision, float(seconds)) for product in products
        }
    print(json.dumps(speeds))


def _gflops(product: str, device: str, precision: str, seconds: float) -> float:
    """Measure GFLOP/s of `[m, k] @ [k, n]` for a number of seconds, with at least three calls."""
    m, k, n = map(int, product.split(","))
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    shapes = ((m, k), (k, n), (m, n))
    a, b, out = (torch.randn(shape, device=device, dtype=dtype) for shape in shapes)
    times: list[float] = []
    while sum(times) < seconds or len(times) < LEAST_CALLS:
        _wait(device)
        started = time.perf_counter()
        torch.mm(a, b, out=out)
        _wait(device)
        times.append(time.perf_counter() - started)
    return 2 * m * k * n / statistics.median(times) / 1e9


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main(*sys.argv[1:])
