"""The benchmark's file: medians over rounds, and the value of each round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

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
from actrepro.benchmark.shapes import (
    Grown,
    Growth,
    Measured,
    Provenance,
    Ratio,
    Settings,
    Sized,
    Speeds,
    Spread,
    TimedCell,
    Times,
    TrainingBenchmark,
)
from actrepro.benchmark.shapes import Peak as PeakEntry
from actrepro.config.study import BenchmarkConfig, RunConfig
from actrepro.core import machine as provenance
from actrepro.core.files import write_json

VERSION = 1
NO_PEER = "the plain loop trains CharLM only"

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
    file: TrainingBenchmark = {
        **assembled(plan, measured),
        "share_of_others": others,
        "provenance": _provenance(),
    }
    write_json(output, file)


def _provenance() -> Provenance:
    return {
        "machine": provenance.machine(),
        "packages": provenance.package_versions(),
        "git": provenance.git_state(),
    }


def assembled(plan: Plan, measured: Measurements) -> Measured:
    """Return the file's content without its provenance."""
    peaks = {precision: _peak(rounds) for precision, rounds in measured.peaks.items()}
    return {
        "version": VERSION,
        "settings": cast(Settings, plan.config.settings.model_dump(mode="json")),
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


def _peak(rounds: Sequence[Peak]) -> PeakEntry:
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


def spread(values: Sequence[float | None]) -> Spread:
    """Return median, least and greatest of the measured values, and the value of each round."""
    measured = [value for value in values if value is not None]
    return {
        "median": statistics.median(measured) if measured else None,
        "low": min(measured, default=None),
        "high": max(measured, default=None),
        "rounds": list(values),
    }


def _quantity(outcomes: Sequence[Outcome], number: Number) -> Spread:
    return spread([None if isinstance(one, Lost) else number(one) for one in outcomes])


def _training_speed(timing: Timing) -> float:
    return timing.characters / timing.training_seconds


def _job_speed(timing: Timing) -> float:
    return timing.characters / timing.job_seconds


def _cell(
    plan: Plan, run: RunConfig, measured: Measurements, peaks: Mapping[str, PeakEntry]
) -> TimedCell:
    ours, *peers = (measured.outcomes[one.key] for one in sides(plan, run))
    flops, peak = measured.flops[key_of(run)], peaks[run.protocol.precision]["machine"]
    plain = peers[0] if peers else None
    return {
        **_sizes(run, flops),
        "runs_per_job": plan.runs_per_job(run),
        "parameters": _parameters(ours),
        "ours": _speeds(ours, flops, peak),
        "plain": {"why": NO_PEER} if plain is None else _timed(plain),
        "ratio": None if plain is None else _ratio(ours, plain),
    }


def _sizes(run: RunConfig, flops: float) -> Sized:
    protocol = run.protocol
    return {
        "scale": run.scale,
        "model": run.model,
        "activation": run.activation,
        "layers": protocol.layers,
        "width": protocol.width,
        "heads": protocol.heads,
        "context": protocol.context,
        "batch": protocol.batch,
        "dropout": protocol.dropout,
        "precision": protocol.precision,
        "steps": protocol.iterations,
        "evaluate_every": protocol.evaluate_every,
        "history_windows": protocol.history_windows,
        "flops_per_character": flops,
    }


def _parameters(outcomes: Sequence[Outcome]) -> int | None:
    return next((timing.parameters for timing in outcomes if isinstance(timing, Timing)), None)


def _timed(outcomes: Sequence[Outcome]) -> Times:
    return {
        "why": _why(outcomes),
        "training_characters_per_second": _quantity(outcomes, _training_speed),
        "job_characters_per_second": _quantity(outcomes, _job_speed),
        "seconds_outside_training": _quantity(outcomes, lambda one: one.outside_seconds),
        "peak_memory_bytes": _quantity(outcomes, lambda one: one.peak_memory_bytes),
        "peak_gpu_memory_bytes": _quantity(outcomes, lambda one: one.peak_gpu_memory_bytes),
        "selection_loss": _quantity(outcomes, lambda one: one.selection_loss),
    }


def _why(outcomes: Sequence[Outcome]) -> str | None:
    """Join the reasons of the rounds without a number."""
    reasons = dict.fromkeys(lost.why for lost in outcomes if isinstance(lost, Lost))
    return "; ".join(reasons) or None


def _speeds(outcomes: Sequence[Outcome], flops: float, peak: float) -> Speeds:
    def gflops(timing: Timing) -> float:
        return _training_speed(timing) * flops / 1e9

    return {
        **_timed(outcomes),
        "gflops": _quantity(outcomes, gflops),
        "share_of_peak": _quantity(outcomes, lambda timing: gflops(timing) / peak),
    }


def _ratio(ours: Sequence[Outcome], plain: Sequence[Outcome]) -> Ratio:
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


def _growth(plan: Plan, measured: Measurements, peaks: Mapping[str, PeakEntry]) -> Growth:
    base = plan.base()
    peak, flops = peaks[base.protocol.precision], measured.flops[key_of(base)]
    crowds = {jobs: measured.outcomes[Timed(base, OURS, jobs).key] for jobs in plan.crowds()}
    grown = {
        size: [_grown(run, size, measured, peak["one_process"]) for run in runs]
        for size, runs in plan.grown().items()
    }
    return {
        "base": _sizes(base, flops),
        "width": grown["width"],
        "layers": grown["layers"],
        "context": grown["context"],
        "runs": [
            {"value": jobs, **_speeds(outcomes, flops, peak["machine"])}
            for jobs, outcomes in crowds.items()
        ],
    }


def _grown(run: RunConfig, size: str, measured: Measurements, peak: float) -> Grown:
    """Describe a single run of another size: its time per step and share of a process's peak."""
    outcomes = measured.outcomes[Timed(run, OURS, 1).key]
    flops, steps = measured.flops[key_of(run)], run.protocol.iterations
    return {
        "value": getattr(run.protocol, size),
        "steps": steps,
        "flops_per_character": flops,
        "parameters": _parameters(outcomes),
        "seconds_per_step": _quantity(outcomes, lambda one: one.training_seconds / steps),
        **_speeds(outcomes, flops, peak),
    }
