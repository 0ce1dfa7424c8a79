"""Costs of a study: the rates of its runs, and what other scales and choices would take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, median

from actrepro.core.files import write_json
from actrepro.core.model_cards import ModelCards, ModelCounts, counted_models
from actrepro.core.shapes import read_as
from actrepro.results.cells import Stats, finished_runs, known
from actrepro.results.schema import read_stats
from actrepro.statistics.shapes import Choice, Costs, Estimate


def write_costs(stats: Path, cards: Path, output: Path) -> None:
    """Write `costs.json` of a scale.

    Parameters
    ----------
    stats, cards
        The scale's `stats.json`, and `models.json`.

    Raises
    ------
    ActreproError
        When a file is missing or damaged.
    """
    write_json(output, scale_costs(read_stats(stats), read_as(ModelCards, cards)))


def scale_costs(stats: Stats, cards: ModelCards) -> Costs:
    """Compute the costs of a scale. Where no run's rate is known, there are no estimates."""
    rates = rates_of(stats, cards)
    seconds = seconds_of(stats, cards, rates)
    return {
        "scale": stats["scale"],
        "rates": rates,
        "seconds": seconds,
        "estimates": _estimates(stats, cards, rates),
        "choices": _choices(stats, seconds.get(stats["scale"], {})),
    }


def rates_of(stats: Stats, cards: ModelCards) -> dict[str, float]:
    """Compute floating-point operations per second by model: the median of its finished runs."""
    rates = {}
    for model, counts in counted_models(cards["scales"].get(stats["scale"], {})).items():
        operations = counts["flops_per_character"]
        runs = finished_runs(stats, model) if model in stats["models"] else []
        of_runs = [
            operations[run["activation"]] * run["characters_per_second"]
            for run in runs
            if run["activation"] in operations
        ]
        if of_runs:
            rates[model] = median(of_runs)
    return rates


def seconds_of(
    stats: Stats, cards: ModelCards, rates: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Compute seconds of one run by scale and model.

    They are measured at the study's own scale, and estimated from `rates` at others.
    """
    seconds: dict[str, dict[str, float]] = {}
    for scale, of_scale in cards["scales"].items():
        counts = counted_models(of_scale)
        for model, rate in rates.items():
            if scale == stats["scale"]:
                training = stats["models"][model]["training"]
                seconds.setdefault(scale, {})[model] = known(training["finished"])["seconds"]
            elif model in counts:
                seconds.setdefault(scale, {})[model] = _operations(counts[model]) / rate
    return seconds


def _estimates(stats: Stats, cards: ModelCards, rates: Mapping[str, float]) -> dict[str, Estimate]:
    """Estimate the study's runs at each scale, one after another."""
    runs = len(stats["activations"]) * len(stats["seeds"])
    estimates: dict[str, Estimate] = {}
    for scale, of_scale in cards["scales"].items():
        operations = [_operations(counts) for counts in counted_models(of_scale).values()]
        if operations and rates:
            total = runs * sum(operations)
            estimates[scale] = {
                "operations": [min(operations), max(operations)],
                "seconds": [total / max(rates.values()), total / min(rates.values())],
            }
    return estimates


def _operations(counts: ModelCounts) -> float:
    """Compute the operations of training one run, as the mean over activations."""
    return float(fmean(counts["flops_per_character"].values()) * counts["characters"])


def _choices(stats: Stats, seconds: Mapping[str, float]) -> list[Choice]:
    """Compute runs and seconds, one run after another, for the examples of the planning."""
    return [
        {
            "activations": example["activations"],
            "seeds": example["seeds"],
            "runs": len(seconds) * example["activations"] * example["seeds"],
            "seconds": example["activations"] * example["seeds"] * sum(seconds.values()),
        }
        for example in stats["planning"]["examples"]
    ]
