"""What the machine can do: the speed of single matrix products.

    python -m actrepro.benchmark.programs.gemm DEVICE PRECISION THREADS SECONDS M,K,N …

One line of JSON: by product, GFLOP/s (2·m·k·n floating point operations per call, the median
over the calls in SECONDS).
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
    """Time each product for so many seconds and print its speed."""
    torch.set_num_threads(int(threads))
    with computing_in(precision, torch.device(device)):
        # Cores that idled before are slow at first.
        _gflops(products[0], device, precision, float(seconds))
        speeds = {one: _gflops(one, device, precision, float(seconds)) for one in products}
    print(json.dumps(speeds))


def _gflops(product: str, device: str, precision: str, seconds: float) -> float:
    """GFLOP/s of `[m, k] @ [k, n]`; as long as asked, and three calls at least."""
    m, k, n = map(int, product.split(","))
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    shapes = ((m, k), (k, n), (m, n))
    a, b, out = (torch.randn(shape, device=device, dtype=dtype) for shape in shapes)
    took: list[float] = []
    while sum(took) < seconds or len(took) < LEAST_CALLS:
        _wait(device)
        started = time.perf_counter()
        torch.mm(a, b, out=out)
        _wait(device)
        took.append(time.perf_counter() - started)
    return 2 * m * k * n / statistics.median(took) / 1e9


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main(*sys.argv[1:])
