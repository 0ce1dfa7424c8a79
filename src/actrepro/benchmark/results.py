"""The benchmark's file: medians over rounds, and every single value beside them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from actrepro.benchmark.measure import (
    OURS,
    Measurements,
    Outcome,
    Peak,
    Timed,
    Timing,
    key_of,
    measure,
    sides,
)
from actrepro.benchmark.plan import Plan
from actrepro.benchmark.processes import Lost
from actrepro.benchmark.quiet import Moment, share_of_others
from actrepro.config.study import BenchmarkConfig, RunConfig
from actrepro.core import machine as provenance
from actrepro.core.files import write_json

VERSION = 1
NO_PEER = "the plain loop trains CharLM only"
SIZES = ("layers", "width", "heads", "context", "batch", "dropout", "precision")

Entry = dict[str, Any]
Number = Callable[[Timing], float | None]


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
        How many may be kept busy.

    Raises
    ------
    ActreproError
        When the machine's peak or the operations of a step cannot be measured.
    """
    plan = Plan(config, {path.parent.name: path for path in corpora}, cores)
    start = Moment.now()
    found = measure(plan)
    others = share_of_others(start, Moment.now())
    write_json(
        output, {**assembled(plan, found), "share_of_others": others, "provenance": _provenance()}
    )


def _provenance() -> Entry:
    return {
        "machine": provenance.machine(),
        "packages": provenance.package_versions(),
        "git": provenance.git_state(),
    }


def assembled(plan: Plan, found: Measurements) -> Entry:
    """All of the file but where it came from."""
    peaks = {precision: _peak(rounds) for precision, rounds in found.peaks.items()}
    return {
        "version": VERSION,
        "settings": plan.config.settings.model_dump(mode="json"),
        "device": plan.device,
        "device_name": _device_name(found),
        "cores": plan.cores,
        "jobs_at_once": plan.jobs_at_once,
        "peak": peaks,
        "cells": [_cell(plan, run, found, peaks) for run in plan.cells()],
        "growth": _growth(plan, found, peaks),
    }


def _device_name(found: Measurements) -> str | None:
    every = (one for outcomes in found.outcomes.values() for one in outcomes)
    return next((one.device for one in every if isinstance(one, Timing)), None)


def _peak(rounds: Sequence[Peak]) -> Entry:
    """By mode and product the median of the rounds; a peak is the best product's."""
    modes = {
        mode: {name: statistics.median(one[mode][name] for one in rounds) for name in products}
        for mode, products in rounds[0].items()
    }
    best = {mode: max(products.values()) for mode, products in modes.items()}
    return {
        "gflops_by_product": modes,
        "gflops": best,
        "one_process": best["alone"],
        "machine": max(best.values()),
    }


def spread(values: Sequence[float | None]) -> Entry:
    """Median, least and greatest of the values there are, and the value of each round."""
    there = [value for value in values if value is not None]
    return {
        "median": statistics.median(there) if there else None,
        "low": min(there, default=None),
        "high": max(there, default=None),
        "rounds": list(values),
    }


def _quantity(outcomes: Sequence[Outcome], number: Number) -> Entry:
    return spread([None if isinstance(one, Lost) else number(one) for one in outcomes])


def _training_speed(one: Timing) -> float:
    return one.characters / one.training_seconds


def _job_speed(one: Timing) -> float:
    return one.characters / one.job_seconds


QUANTITIES: Mapping[str, Number] = {
    "training_characters_per_second": _training_speed,
    "job_characters_per_second": _job_speed,
    "seconds_outside_training": lambda one: one.outside_seconds,
    "peak_memory_bytes": lambda one: one.peak_memory_bytes,
    "peak_gpu_memory_bytes": lambda one: one.peak_gpu_memory_bytes,
    "selection_loss": lambda one: one.selection_loss,
}


def _cell(plan: Plan, run: RunConfig, found: Measurements, peaks: Mapping[str, Entry]) -> Entry:
    ours, *peers = (found.outcomes[one.key] for one in sides(plan, run))
    flops, peak = found.flops[key_of(run)], peaks[run.protocol.precision]["machine"]
    entry = {
        **_named(run),
        **_sizes(run, flops),
        "runs_per_job": plan.runs_per_job(run),
        "parameters": _parameters(ours),
        "ours": {**_timed(ours), **_share(ours, flops, peak)},
    }
    if not peers:
        return {**entry, "plain": {"why": NO_PEER}, "ratio": None}
    [plain] = peers
    return {**entry, "plain": _timed(plain), "ratio": _ratio(ours, plain)}


def _named(run: RunConfig) -> Entry:
    return {"scale": run.scale, "model": run.model, "activation": run.activation}


def _sizes(run: RunConfig, flops: float) -> Entry:
    protocol = run.protocol
    return {
        **{size: getattr(protocol, size) for size in SIZES},
        "steps": protocol.iterations,
        "evaluate_every": protocol.evaluate_every,
        "history_windows": protocol.history_windows,
        "flops_per_character": flops,
    }


def _parameters(outcomes: Sequence[Outcome]) -> int | None:
    return next((one.parameters for one in outcomes if isinstance(one, Timing)), None)


def _timed(outcomes: Sequence[Outcome]) -> Entry:
    quantities = {name: _quantity(outcomes, number) for name, number in QUANTITIES.items()}
    return {"why": _why(outcomes), **quantities}


def _why(outcomes: Sequence[Outcome]) -> str | None:
    """The reasons of the rounds without a number."""
    reasons = dict.fromkeys(one.why for one in outcomes if isinstance(one, Lost))
    return "; ".join(reasons) or None


def _share(outcomes: Sequence[Outcome], flops: float, peak: float) -> Entry:
    def gflops(one: Timing) -> float:
        return _training_speed(one) * flops / 1e9

    return {
        "gflops": _quantity(outcomes, gflops),
        "share_of_peak": _quantity(outcomes, lambda one: gflops(one) / peak),
    }


def _ratio(ours: Sequence[Outcome], plain: Sequence[Outcome]) -> Entry:
    """How many times as fast ours is, round by round."""
    pairs = list(zip(ours, plain, strict=True))
    return {
        "training": spread([_times_as_fast(*pair, _training_speed) for pair in pairs]),
        "jobs": spread([_times_as_fast(*pair, _job_speed) for pair in pairs]),
    }


def _times_as_fast(one: Outcome, peer: Outcome, speed: Callable[[Timing], float]) -> float | None:
    if isinstance(one, Lost) or isinstance(peer, Lost):
        return None
    return speed(one) / speed(peer)


def _growth(plan: Plan, found: Measurements, peaks: Mapping[str, Entry]) -> Entry:
    base = plan.base()
    peak, flops = peaks[base.protocol.precision], found.flops[key_of(base)]
    crowds = {jobs: found.outcomes[Timed(base, OURS, jobs).key] for jobs in plan.crowds()}
    return {
        "base": {**_named(base), **_sizes(base, flops)},
        **{
            size: [_grown(run, size, found, peak["one_process"]) for run in runs]
            for size, runs in plan.grown().items()
        },
        "runs": [
            {"value": jobs, **_timed(outcomes), **_share(outcomes, flops, peak["machine"])}
            for jobs, outcomes in crowds.items()
        ],
    }


def _grown(run: RunConfig, size: str, found: Measurements, peak: float) -> Entry:
    """A run by itself, of another size: what a step takes, and its share of one process's peak."""
    outcomes = found.outcomes[Timed(run, OURS, 1).key]
    flops, steps = found.flops[key_of(run)], run.protocol.iterations
    return {
        "value": getattr(run.protocol, size),
        "steps": steps,
        "flops_per_character": flops,
        "parameters": _parameters(outcomes),
        "seconds_per_step": _quantity(outcomes, lambda one: one.training_seconds / steps),
        **_timed(outcomes),
        **_share(outcomes, flops, peak),
    }
