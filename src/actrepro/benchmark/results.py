"""The benchmark's file: medians over rounds, and the value of each round."""

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
    """Measure everything and write the results.

    Parameters
    ----------
    config
        The benchmark's slice of a study.
    corpora
        `…/{corpus}/corpus.npz` of each corpus that its runs need.
    output
        JSON, described in `docs/benchmark.md`. A number that could not be measured is null,
        with the reason beside it.
    cores
        Number of cores that may be kept busy.

    Raises
    ------
    ActreproError
        When the machine's peak or the operations of a step cannot be measured.
    """
    plan = Plan(config, {path.parent.name: path for path in corpora}, cores)
    start = Moment.now()
    measured = measure(plan)
    others = share_of_others(start, Moment.now())
    content = assembled(plan, measured)
    write_json(output, {**content, "share_of_others": others, "provenance": _provenance()})


def _provenance() -> Entry:
    return {
        "machine": provenance.machine(),
        "packages": provenance.package_versions(),
        "git": provenance.git_state(),
    }


def assembled(plan: Plan, measured: Measurements) -> Entry:
    """Return the file's content without its provenance."""
    peaks = {precision: _peak(rounds) for precision, rounds in measured.peaks.items()}
    return {
        "version": VERSION,
        "settings": plan.config.settings.model_dump(mode="json"),
        "device": plan.device,
        "device_name": _device_name(measured),
        "cores": plan.cores,
        "jobs_at_once": plan.jobs_at_once,
        "peak": peaks,
        "cells": [_cell(plan, run, measured, peaks) for run in plan.cells()],
        "growth": _growth(plan, measured, peaks),
    }


def _device_name(measured: Measurements) -> str | None:
    every = (outcome for outcomes in measured.outcomes.values() for outcome in outcomes)
    return next((outcome.device for outcome in every if isinstance(outcome, Timing)), None)


def _peak(rounds: Sequence[Peak]) -> Entry:
    """Compute medians over rounds by mode and product; the peak is the best product's."""
    modes = {
        mode: {name: statistics.median(peak[mode][name] for peak in rounds) for name in products}
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
    """Return median, least and greatest of the measured values, and the value of each round."""
    measured = [value for value in values if value is not None]
    return {
        "median": statistics.median(measured) if measured else None,
        "low": min(measured, default=None),
        "high": max(measured, default=None),
        "rounds": list(values),
    }


def _quantity(outcomes: Sequence[Outcome], number: Number) -> Entry:
    return spread([None if isinstance(outcome, Lost) else number(outcome) for outcome in outcomes])


def _training_speed(timing: Timing) -> float:
    return timing.characters / timing.training_seconds


def _job_speed(timing: Timing) -> float:
    return timing.characters / timing.job_seconds


QUANTITIES: Mapping[str, Number] = {
    "training_characters_per_second": _training_speed,
    "job_characters_per_second": _job_speed,
    "seconds_outside_training": lambda timing: timing.outside_seconds,
    "peak_memory_bytes": lambda timing: timing.peak_memory_bytes,
    "peak_gpu_memory_bytes": lambda timing: timing.peak_gpu_memory_bytes,
    "selection_loss": lambda timing: timing.selection_loss,
}


def _cell(plan: Plan, run: RunConfig, measured: Measurements, peaks: Mapping[str, Entry]) -> Entry:
    ours, *peers = (measured.outcomes[timed.key] for timed in sides(plan, run))
    flops, peak = measured.flops[key_of(run)], peaks[run.protocol.precision]["machine"]
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
    return next((timing.parameters for timing in outcomes if isinstance(timing, Timing)), None)


def _timed(outcomes: Sequence[Outcome]) -> Entry:
    quantities = {name: _quantity(outcomes, number) for name, number in QUANTITIES.items()}
    return {"why": _why(outcomes), **quantities}


def _why(outcomes: Sequence[Outcome]) -> str | None:
    """Join the reasons of the rounds without a number."""
    reasons = dict.fromkeys(lost.why for lost in outcomes if isinstance(lost, Lost))
    return "; ".join(reasons) or None


def _share(outcomes: Sequence[Outcome], flops: float, peak: float) -> Entry:
    def gflops(timing: Timing) -> float:
        return _training_speed(timing) * flops / 1e9

    return {
        "gflops": _quantity(outcomes, gflops),
        "share_of_peak": _quantity(outcomes, lambda timing: gflops(timing) / peak),
    }


def _ratio(ours: Sequence[Outcome], plain: Sequence[Outcome]) -> Entry:
    """Compute our speed as a multiple of the plain loop's, round by round."""
    pairs = list(zip(ours, plain, strict=True))
    return {
        "training": spread([_times_as_fast(*pair, _training_speed) for pair in pairs]),
        "jobs": spread([_times_as_fast(*pair, _job_speed) for pair in pairs]),
    }


def _times_as_fast(ours: Outcome, peer: Outcome, speed: Callable[[Timing], float]) -> float | None:
    if isinstance(ours, Lost) or isinstance(peer, Lost):
        return None
    return speed(ours) / speed(peer)


def _growth(plan: Plan, measured: Measurements, peaks: Mapping[str, Entry]) -> Entry:
    base = plan.base()
    peak, flops = peaks[base.protocol.precision], measured.flops[key_of(base)]
    crowds = {jobs: measured.outcomes[Timed(base, OURS, jobs).key] for jobs in plan.crowds()}
    return {
        "base": {**_named(base), **_sizes(base, flops)},
        **{
            size: [_grown(run, size, measured, peak["one_process"]) for run in runs]
            for size, runs in plan.grown().items()
        },
        "runs": [
            {"value": jobs, **_timed(outcomes), **_share(outcomes, flops, peak["machine"])}
            for jobs, outcomes in crowds.items()
        ],
    }


def _grown(run: RunConfig, size: str, measured: Measurements, peak: float) -> Entry:
    """Describe a single run of another size: its time per step and share of a process's peak."""
    outcomes = measured.outcomes[Timed(run, OURS, 1).key]
    flops, steps = measured.flops[key_of(run)], run.protocol.iterations
    return {
        "value": getattr(run.protocol, size),
        "steps": steps,
        "flops_per_character": flops,
        "parameters": _parameters(outcomes),
        "seconds_per_step": _quantity(outcomes, lambda timing: timing.training_seconds / steps),
        **_timed(outcomes),
        **_share(outcomes, flops, peak),
    }
