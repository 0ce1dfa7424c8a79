"""Contrasts of every two activations of a model within seeds, down to a verdict.

A family is one measure of one model under one checkpoint rule. Within a family
the probability of any false *different* is at most 1 − confidence, and so is that
of any false *equivalent* (Holm 1979).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from typing_extensions import TypedDict

from actrepro.core.shapes import Interval
from actrepro.gates.outcome import in_order
from actrepro.measures import group_measure_ids, measure_ids, run_measure_ids
from actrepro.results.schema import Contrast, IntervalOver, MarginName, MarginValues
from actrepro.results.schema import Estimate as EstimateJson
from actrepro.results.verdicts import INCONCLUSIVE, UNSOUND, alpha
from actrepro.statistics import inference
from actrepro.statistics.inference import Estimate, Floats, tost_p, verdict
from actrepro.statistics.power import detectable, seeds_to_settle
from actrepro.statistics.runs import ModelRuns

# By measure, the name of its margin in the config.
MARGIN_OF: Mapping[str, MarginName] = {
    "loss": "loss",
    "accuracy": "accuracy",
    "tv-half_l1-pairs": "total_variation",
    "churn-top1-pairs": "churn",
}
SEEDS: Final = "seeds"
SEEDS_AND_TEXT: Final = "seeds and text"
# With fewer seeds a study cannot support claims, even if its intervals are narrow.
RECOMMENDED_SEEDS = 10


@dataclass(frozen=True)
class Settings:
    """Settings of the statistics: the level, and the differences that count as none."""

    confidence: float
    margins: MarginValues

    @property
    def alpha(self) -> float:
        """The level that a corrected p-value must stay below."""
        return alpha(self.confidence)

    def margin(self, metric: str) -> float | None:
        """Return the margin of a measure id with positions; None where none is fixed."""
        name = MARGIN_OF.get(metric.partition(".")[0])
        return None if name is None else self.margins[name]


@dataclass(frozen=True)
class _Compared:
    """An estimate of a − b in one measure, and its test."""

    estimate: Estimate
    interval_over: IntervalOver
    sd: float | None
    test: str | None
    p: float | None


def compared_metrics() -> list[str]:
    """Return the compared measures: all at `all`, and those with a margin also at `last`."""
    every = [*run_measure_ids(), *measure_ids(), *group_measure_ids()]
    return [id_ for id_ in every if not id_.endswith(".last") or id_.partition(".")[0] in MARGIN_OF]


def family(model: ModelRuns, metric: str, settings: Settings) -> list[Contrast]:
    """Compute all contrasts of one measure: a − b, interval, exact p, TOST, Holm, verdict.

    Contrasts of a cell that failed a gate are computed, but belong to no family: their verdict
    is *unsound*, and Holm's adjustment does not count them.
    """
    contrasts = [_contrast(model, metric, a, b, settings) for a, b in _couples(model.activations)]
    sound = [contrast for contrast in contrasts if not contrast["failed_gates"]]
    _adjust(sound)
    for contrast in contrasts:
        _judge(contrast, len(sound), settings)
    return contrasts


def _couples(activations: Sequence[str]) -> list[tuple[str, str]]:
    return list(itertools.combinations(activations, 2))


def _contrast(model: ModelRuns, metric: str, a: str, b: str, settings: Settings) -> Contrast:
    seeds = model.usable(a, b)
    compared = _compare(model, metric, a, b, seeds, settings.confidence)
    margin = settings.margin(metric)
    return {
        "metric": metric,
        "a": a,
        "b": b,
        "seeds": seeds,
        **_numbers(compared, len(seeds)),
        "margin": margin,
        "p_equivalent": None
        if margin is None or compared is None
        else tost_p(compared.estimate, margin),
        "p_holm": None,
        "p_equivalent_holm": None,
        "failed_gates": model.failed(a, b),
        "significant": None,
        "verdict": None,
        "seeds_to_settle": None,
        "detectable": None,
    }


class _Numbers(TypedDict):
    """Numbers of a contrast that do not depend on its family."""

    value: float | None
    n: int
    standard_error: float | None
    interval: Interval | None
    interval_over: IntervalOver | None
    sd: float | None
    test: str | None
    exact: bool | None
    p: float | None
    p_smallest: float | None


def _numbers(compared: _Compared | None, n: int) -> _Numbers:
    if compared is None:
        return {
            "n": n,
            "value": None,
            "standard_error": None,
            "interval": None,
            "interval_over": None,
            "sd": None,
            "test": None,
            "exact": None,
            "p": None,
            "p_smallest": None,
        }
    tested = compared.test is not None
    return {
        **estimate_json(compared.estimate),
        "interval_over": compared.interval_over,
        "sd": compared.sd,
        "test": compared.test,
        "exact": n <= inference.MOST_EXACT_SEEDS if tested else None,
        "p": compared.p,
        "p_smallest": inference.smallest_p(n) if tested else None,
    }


def estimate_json(estimate: Estimate) -> EstimateJson:
    """Return an estimate in the form of results files."""
    return {
        "value": estimate.value,
        "n": estimate.n,
        "standard_error": estimate.standard_error,
        "interval": None if estimate.interval is None else list(estimate.interval),
    }


def _compare(
    model: ModelRuns, metric: str, a: str, b: str, seeds: Sequence[int], confidence: float
) -> _Compared | None:
    """Compare two activations in a measure; None where there are too few runs for it."""
    if metric in model.matrices:
        return _compare_pairs(model, metric, a, b, seeds, confidence)
    if metric in group_measure_ids():
        return _compare_groups(model, metric, a, b, seeds, confidence)
    return _compare_scores(model, metric, a, b, seeds, confidence)


def _compare_scores(
    model: ModelRuns, metric: str, a: str, b: str, seeds: Sequence[int], confidence: float
) -> _Compared | None:
    """Compare scores of single runs: paired differences, over seeds and, where kept, over text."""
    if not seeds:
        return None
    paired = model.scores(a, seeds, metric) - model.scores(b, seeds, metric)
    blocks = [model.text_blocks(activation, seeds, metric) for activation in (a, b)]
    by_block = None if blocks[0] is None or blocks[1] is None else blocks[0] - blocks[1]
    estimate = score_estimate(paired, by_block, model.block_characters, confidence)
    sd = float(paired.std(ddof=1)) if len(seeds) > 1 else None
    test = f"sign flip within seeds, {inference.relabelings(len(seeds))}"
    p = inference.sign_flip_p(paired)
    return _Compared(estimate, interval_over(by_block), sd, test, p)


def score_estimate(
    by_seed: Floats, by_block: Floats | None, characters: Floats, confidence: float
) -> Estimate:
    """Estimate the mean over seeds; where blocks of text are kept, the interval is over both."""
    if by_block is None:
        return inference.mean_estimate(by_seed, confidence)
    return inference.two_way_bootstrap(by_block, confidence, weights=characters)


def interval_over(by_block: Floats | None) -> IntervalOver:
    """Return what a score's interval covers: other seeds, or also other text."""
    return SEEDS if by_block is None else SEEDS_AND_TEXT


def _compare_pairs(
    model: ModelRuns, metric: str, a: str, b: str, seeds: Sequence[int], confidence: float
) -> _Compared | None:
    """Compare a measure of pairs of seeds: the difference of two U-statistics."""
    if len(seeds) < 2:
        return None
    within = [model.within(activation, seeds, metric) for activation in (a, b)]
    estimate = inference.jackknife_pairs(within, [1, -1], confidence)
    across = model.between(a, b, seeds, metric)
    matrix = np.block([[within[0], across], [across.T, within[1]]])
    test = f"labels swapped within seeds, {inference.relabelings(len(seeds))}"
    p = inference.label_swap_p(matrix)
    return _Compared(estimate, SEEDS, _spread(estimate), test, p)


def _compare_groups(
    model: ModelRuns, metric: str, a: str, b: str, seeds: Sequence[int], confidence: float
) -> _Compared | None:
    """Compare a measure of groups, where both cells have the same seeds. No exact test."""
    if len(seeds) < 2 or model.usable(a) != seeds or model.usable(b) != seeds:
        return None
    (full_a, left_a), (full_b, left_b) = (
        model.without(activation, seeds, metric) for activation in (a, b)
    )
    if not np.isfinite(full_a - full_b):
        return None
    estimate = group_estimate(full_a - full_b, left_a - left_b, confidence)
    return _Compared(estimate, SEEDS, _spread(estimate), None, None)


def group_estimate(full: float, left: Floats, confidence: float) -> Estimate:
    """Estimate a group's value by a jackknife; no interval where a seed cannot be left out."""
    if len(left) < 3 or not np.isfinite(left).all():
        return Estimate(full, len(left), None, None)
    return inference.jackknife(full, left, confidence)


def _spread(estimate: Estimate) -> float | None:
    """Compute the standard deviation of one seed's contribution from the jackknife's error."""
    error = estimate.standard_error
    return None if error is None else error * float(np.sqrt(estimate.n))


def _adjust(contrasts: Sequence[Contrast]) -> None:
    """Adjust both p-values for the family, separately."""
    different = _adjusted([contrast["p"] for contrast in contrasts])
    equivalent = _adjusted([contrast["p_equivalent"] for contrast in contrasts])
    for contrast, p, p_equivalent in zip(contrasts, different, equivalent, strict=True):
        contrast["p_holm"], contrast["p_equivalent_holm"] = p, p_equivalent


def _adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust the p-values that are not None by Holm's method."""
    adjusted = iter(inference.holm([p for p in p_values if p is not None]))
    return [None if p is None else next(adjusted) for p in p_values]


def _judge(contrast: Contrast, tests: int, settings: Settings) -> None:
    """Add the verdict, and the number of seeds that would settle an inconclusive contrast."""
    p, margin, value = contrast["p_holm"], contrast["margin"], contrast["value"]
    if contrast["failed_gates"]:
        contrast["verdict"] = UNSOUND
        return
    if p is None or value is None:
        return
    contrast["significant"] = p < settings.alpha
    if margin is None:
        return
    contrast["verdict"] = verdict(
        p_different=p, p_equivalent=contrast["p_equivalent_holm"], alpha=settings.alpha
    )
    sd = contrast["sd"]
    if sd is None:
        return
    # The difference that these seeds could have found, and the seeds that would settle the rest.
    contrast["detectable"] = detectable(sd, contrast["n"], settings.alpha, tests)
    if contrast["verdict"] == INCONCLUSIVE:
        settling = seeds_to_settle(value, sd, margin, settings.alpha, tests)
        contrast["seeds_to_settle"] = {
            "different": settling.different,
            "equivalent": settling.equivalent,
            "either": settling.either,
        }


def mark_unsound(contrast: Contrast, gate: str) -> None:
    """Remove a contrast from its family, because one of its cells failed a gate after all."""
    contrast["failed_gates"] = in_order({*contrast["failed_gates"], gate})
    contrast["p_holm"] = contrast["p_equivalent_holm"] = None
    contrast["significant"] = contrast["seeds_to_settle"] = contrast["detectable"] = None
    contrast["verdict"] = UNSOUND
