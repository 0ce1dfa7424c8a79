"""The benchmark's file: medians over rounds, and every single value beside them."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from actrepro import provenance
from actrepro.benchmarking.measure import Measurements, Outcome, Timing, measure
from actrepro.benchmarking.plan import Plan
from actrepro.benchmarking.processes import Lost
from actrepro.config import BenchmarkConfig, RunConfig
from actrepro.files import write_json

VERSION = 1
NO_PEER = "the plain loop trains CharLM only"
Entry = dict[str, Any]


def make_benchmark(
    config: BenchmarkConfig, corpora: Iterable[Path], output: Path, cores: int
) -> None:
    """Measure everything and write it down.

    Parameters
    ----------
    config
        The benchmark's slice of a study.
    corpora
        `…/{corpus}/corpus.npz` of each corpus that its runs need.
    output
        JSON, described in `docs/benchmark.md`. A number that could not be measured is null,
        and the reason stands beside it.
    cores
        How many cores may be kept busy.

    Raises
    ------
    ActreproError
        When the machine's peak or the operations of a step cannot be measured.
    """
    load = os.getloadavg()[0]
    plan = Plan(config, {path.parent.name: path for path in corpora}, cores)
    write_json(output, {**assembled(plan, measure(plan)), "provenance": _provenance(load)})


def _provenance(load: float) -> Entry:
    return {
        "machine": provenance.machine(),
        "load_before": load,
        "packages": provenance.package_versions(),
        "git": provenance.git_state(),
    }


def assembled(plan: Plan, found: Measurements) -> Entry:
    """All of the file but where it came from."""
    peak = _peak(found)
    return {
        "version": VERSION,
        "settings": plan.config.settings.model_dump(mode="json"),
        "device": plan.device,
        "cores": plan.cores,
        "runs_at_once": plan.at_once,
        "peak": peak,
        "cells": [
            _cell(run, place, found, peak["machine"]) for place, run in enumerate(plan.cells())
        ],
        "growth": _growth(plan, found, peak),
    }


def _peak(found: Measurements) -> Entry:
    """By mode and product the median of the rounds; the peak is the best of these."""
    modes = {
        mode: {
            product: statistics.median(one[mode][product] for one in found.peaks)
            for product in products
        }
        for mode, products in found.peaks[0].items()
    }
    best = {mode: max(products.values()) for mode, products in modes.items()}
    return {
        "gflops_by_product": modes,
        "gflops": best,
        "one_process": best["alone"],
        "machine": max(best.values()),
    }


def quantity(outcomes: Sequence[Outcome], of: Callable[[Timing], float | None]) -> Entry:
    """A number of each round, with their median, least and greatest; null where there is none."""
    return spread([None if isinstance(one, Lost) else of(one) for one in outcomes])


def spread(values: Sequence[float | None]) -> Entry:
    """Median, least and greatest of the values there are, and all of them."""
    there = [value for value in values if value is not None]
    return {
        "median": statistics.median(there) if there else None,
        "low": min(there, default=None),
        "high": max(there, default=None),
        "rounds": list(values),
    }


def _training_speed(one: Timing) -> float:
    return one.characters / one.training_seconds


def _job_speed(one: Timing) -> float:
    return one.characters / one.job_seconds


QUANTITIES: Mapping[str, Callable[[Timing], float | None]] = {
    "training_characters_per_second": _training_speed,
    "job_characters_per_second": _job_speed,
    "seconds_outside_training": lambda one: one.outside_seconds,
    "peak_memory_bytes": lambda one: one.peak_memory_bytes,
    "peak_gpu_memory_bytes": lambda one: one.peak_gpu_memory_bytes,
    "selection_loss": lambda one: one.selection_loss,
}


def _cell(run: RunConfig, place: int, found: Measurements, peak: float) -> Entry:
    ours, plain = found.cells[place], found.plain.get(place)
    flops = found.cell_flops[place]
    return {
        "scale": run.scale,
        "model": run.model,
        "activation": run.activation,
        **_sizes(run, flops),
        "parameters": next((one.parameters for one in ours if isinstance(one, Timing)), None),
        "ours": {**_timed(ours), **_share(ours, flops, peak)},
        "plain": _timed(plain) if plain else {"why": NO_PEER},
        "ratio": _ratio(ours, plain) if plain else None,
    }


def _sizes(run: RunConfig, flops: float) -> Entry:
    protocol = run.protocol
    sizes = ("layers", "width", "heads", "context", "batch", "dropout")
    return {
        **{size: getattr(protocol, size) for size in sizes},
        "steps": protocol.iterations,
        "evaluate_every": protocol.evaluate_every,
        "flops_per_character": flops,
    }


def _timed(outcomes: Sequence[Outcome]) -> Entry:
    quantities = {name: quantity(outcomes, of) for name, of in QUANTITIES.items()}
    return {"why": _why(outcomes), **quantities}


def _why(outcomes: Sequence[Outcome]) -> str | None:
    """The reasons of the rounds without a number."""
    reasons = dict.fromkeys(one.why for one in outcomes if isinstance(one, Lost))
    return "; ".join(reasons) or None


def _share(outcomes: Sequence[Outcome], flops: float, peak: float) -> Entry:
    return {
        "gflops": quantity(outcomes, lambda one: _training_speed(one) * flops / 1e9),
        "share_of_peak": quantity(outcomes, lambda one: _training_speed(one) * flops / 1e9 / peak),
    }


def _ratio(ours: Sequence[Outcome], plain: Sequence[Outcome]) -> Entry:
    """How many times as fast ours is, round by round."""
    speeds = {"training": _training_speed, "jobs": _job_speed}
    pairs = list(zip(ours, plain, strict=True))
    return {
        name: spread(
            [
                speed(one) / speed(peer)
                if isinstance(one, Timing) and isinstance(peer, Timing)
                else None
                for one, peer in pairs
            ]
        )
        for name, speed in speeds.items()
    }


def _growth(plan: Plan, found: Measurements, peak: Entry) -> Entry:
    base = plan.base()
    sizes = {
        size: [
            _grown(run, size, found.grown[size, place], found.grown_flops[size][place], peak)
            for place, run in enumerate(runs)
        ]
        for size, runs in plan.grown().items()
    }
    crowds = [
        {"value": runs, **_timed(outcomes), **_share(outcomes, found.base_flops, peak["machine"])}
        for runs, outcomes in found.crowds.items()
    ]
    named = {key: getattr(base, key) for key in ("scale", "model", "activation")}
    return {"base": {**named, **_sizes(base, found.base_flops)}, **sizes, "runs": crowds}


def _grown(
    run: RunConfig, size: str, outcomes: Sequence[Outcome], flops: float, peak: Entry
) -> Entry:
    """A run by itself with one size changed: a step's seconds, and its share of one core."""
    steps = run.protocol.iterations
    return {
        "value": getattr(run.protocol, size),
        "steps": steps,
        "flops_per_character": flops,
        "parameters": next((one.parameters for one in outcomes if isinstance(one, Timing)), None),
        "seconds_per_step": quantity(outcomes, lambda one: one.training_seconds / steps),
        **_timed(outcomes),
        **_share(outcomes, flops, peak["one_process"]),
    }
