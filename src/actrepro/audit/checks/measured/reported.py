"""Printed numbers beside the same measurement in runs of this program.

A loss or an accuracy is supported where the runs' mean and the printed one differ by no
more than two standard errors of the difference, or by no more than the row's tolerance,
whichever is larger; else it is contradicted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import scipy.stats

from actrepro.audit.claims import Claim
from actrepro.audit.compared import LOSS, own_results, place_of, usable, whole_loss
from actrepro.audit.findings import (
    CONTRADICTED,
    INCONCLUSIVE,
    SUPPORTED,
    Evidence,
    Finding,
    Number,
    found,
)
from actrepro.audit.printed import Printed, as_printed, look_up, look_up_one, measured, rows_of
from actrepro.audit.registry import Context, check
from actrepro.audit.results import ModelResults
from actrepro.audit.words import fewest_seeds, gates_of, seeds_told

# The earlier study's accuracies are of the last character of 1,000 windows.
ACCURACY = "accuracy.last"
SAMPLES = 1000
# Behind a printed mean or spread that comes without its runs.
RUNS = 3
# Of a spread: its interval's high end over its low end, from which on it says little.
WIDEST = 3.0


@dataclass(frozen=True)
class _Distance:
    """The distance of a cell's number from the printed one, and what is allowed."""

    apart: float
    allowed: float
    says: str
    numbers: tuple[Number, ...]

    @property
    def agrees(self) -> bool:
        return self.apart <= self.allowed


def _all_agree(distances: Iterable[_Distance], stated: Printed) -> Finding:
    """Return *supported* where all cells agree; else *contradicted*, those that do not first."""
    ordered = sorted(distances, key=lambda one: one.agrees)
    evidence = tuple(Evidence(one.says, one.numbers, rows_of([stated])) for one in ordered)
    return Finding(SUPPORTED if ordered[0].agrees else CONTRADICTED, evidence)


@check
def loss_is(
    claim: Claim,
    context: Context,
    *,
    within: float,
    printed: str = "value",
    activation: str | None = None,
) -> Finding:
    """Compare a printed validation loss with that of own runs on the same text.

    That is the whole validation text (`compared.whole_loss`). The standard error is that of
    the runs (seeds and text; the windows' is that of the test half, scaled to their length),
    in quadrature with the printed mean's.

    Parameters
    ----------
    within
        Nats.
    activation
        The one to look at; each of the row's when absent.
    """
    names = (activation,) if activation else claim.activations
    model = own_results(claim, context, names)
    stated, error = look_up(claim, context, printed), _printed_error(claim, printed)

    def distance(name: str) -> _Distance:
        whole, own, selection = whole_loss(context, place_of(claim), name)
        halves = math.hypot(_error(model, name, LOSS), _error_of_windows(model, name)) / 2
        allowed = max(2 * math.hypot(error, halves), within)
        last = model.score(name, "loss.last")
        aside = "" if last is None else f", {last.value:.3f} at last positions"
        apart = abs(whole - stated.value)
        says = (
            f"{name}: own runs {_interval(own)} on the test half{aside}; {_mean(selection):.3f} on "
            f"the selection half, {whole:.3f} on both; {as_printed(stated.value)} is printed, "
            f"apart {apart:.4f}, allowed {allowed:.4f}."
        )
        numbers = (own, *selection, *(() if last is None else (last,)))
        return _Distance(apart, allowed, says, numbers)

    return _all_agree(map(distance, names), stated)


def _error_of_windows(model: ModelResults, activation: str) -> float:
    """Return the standard error of a mean over the history's windows.

    It is the test text's, scaled to their length.
    """
    protocol = model.stats["protocol"]
    characters = protocol["history_windows"] * protocol["context"]
    scale = math.sqrt(model.stats["evaluation"]["characters"] / characters)
    return scale * _error(model, activation, LOSS)


@check
def train_loss_is(
    claim: Claim, context: Context, *, within: float, printed: str = "value"
) -> Finding:
    """Compare a printed loss on training text with that of own runs at their last step.

    Theirs is on the history's fixed windows of training text, whose standard error is that
    of the test text scaled to the windows' length; the rule is that of `loss_is`. Without a
    printed mean, `printed` names the runs.
    """
    model = own_results(claim, context, claim.activations)
    stated, error = look_up(claim, context, printed), _printed_error(claim, "value")

    def distance(name: str) -> _Distance:
        ends = model.at_the_end(name, "train_loss") or None
        own = usable(context, place_of(claim), name, ends)
        apart = abs(_mean(own) - stated.mean)
        allowed = max(2 * math.hypot(error, _error_of_windows(model, name)), within)
        says = (
            f"{name}: {len(own)} own runs end at a mean of {_mean(own):.3f} on fixed windows of "
            f"training text; {_mean_told(stated)} is printed, apart {apart:.4f}, allowed "
            f"{allowed:.4f}."
        )
        return _Distance(apart, allowed, says, tuple(own))

    return _all_agree(map(distance, claim.activations), stated)


def _mean_told(stated: Printed) -> str:
    return stated.told() if len(stated.values) == 1 else f"{stated.mean:.4f}"


def _printed_error(claim: Claim, printed: str) -> float:
    """Return a printed mean's standard error: from its runs, or its spread with divisor n."""
    if printed != "value":
        return 0.0
    if "runs" in claim.printed:
        return float(scipy.stats.sem(claim.numbers("runs")))
    if "spread" in claim.printed:
        return claim.number("spread") / math.sqrt(RUNS - 1)
    return 0.0


def _error(model: ModelResults, activation: str, measure: str) -> float:
    """Return the standard error of a cell's mean; 0 with one seed, which has none."""
    return float(model.cell(activation)["metrics"][measure]["standard_error"] or 0.0)


def _interval(number: Number, write: Callable[[float], str] = measured) -> str:
    told = write(number.value)
    if number.low is not None and number.high is not None:
        told += f" ({write(number.low)} to {write(number.high)}, {number.n} seeds)"
    return told


def _in_percent(share: float) -> str:
    return f"{100 * share:.1f}%"


@check
def accuracy_is(
    claim: Claim,
    context: Context,
    *,
    within: float,
    printed: str = "value",
    activation: str | None = None,
) -> Finding:
    """Compare a printed accuracy, in percent, with that of own runs at last positions.

    Both are shares of 1,000 samples, the printed one of 1,000 per run: binomial errors,
    in quadrature with the runs' own between seeds. `within` is in percentage points. A
    range agrees where the runs' accuracy is no farther than that from its nearer end.
    """
    names = (activation,) if activation else claim.activations
    model = own_results(claim, context, names)
    stated = look_up(claim, context, printed)
    count = len(claim.printed.get("runs", ())) or RUNS

    def distance(name: str) -> _Distance:
        own = usable(context, place_of(claim), name, model.score(name, ACCURACY))
        mine = 100 * own.value
        nearest = min(max(mine, stated.low), stated.high)
        errors = (
            _binomial_error(mine, SAMPLES),
            _binomial_error(nearest, SAMPLES * count),
            100 * _error(model, name, ACCURACY),
        )
        apart, allowed = abs(mine - nearest), max(2 * math.hypot(*errors), within)
        everywhere = model.score(name, "accuracy.all")
        aside = "" if everywhere is None else f", {100 * everywhere.value:.1f}% at all positions"
        says = (
            f"{name}: own runs {_interval(own, _in_percent)} at the last of {SAMPLES:,} windows"
            f"{aside}; {as_printed(nearest)}% is printed, apart {apart:.1f} points, "
            f"allowed {allowed:.1f}."
        )
        numbers = (own, *(() if everywhere is None else (everywhere,)))
        return _Distance(apart, allowed, says, numbers)

    return _all_agree(map(distance, names), stated)


def _binomial_error(percent: float, samples: int) -> float:
    """Return the standard error of a share of some samples, in percentage points."""
    return math.sqrt(max(percent * (100 - percent), 0.0) / samples)


@check
def spread_is(
    claim: Claim,
    context: Context,
    *,
    measure: str = LOSS,
    runs: int,
    factor: float = 1.0,
) -> Finding:
    """Compare a printed standard deviation between runs with that of own runs.

    Held against the χ² interval of the runs' own, s √((n − 1) / χ²) at the study's
    confidence. Outside is contradicted. Inside is supported only where the interval's
    high end is at most three times its low end, which takes nine seeds at 95%: with
    fewer, almost any spread is inside.

    Parameters
    ----------
    runs
        Behind the printed deviation, whose divisor is n: brought to n − 1 first.
    factor
        Times the printed number is the measure's unit.
    """
    model = own_results(claim, context, claim.activations)
    confidence = float(model.stats["confidence"])
    stated = look_up_one(claim, context, "value")
    value = factor * stated.value * math.sqrt(runs / (runs - 1))
    findings = []
    for name in claim.activations:
        own, low, high = usable(
            context, place_of(claim), name, _deviation(model, name, measure, confidence)
        )
        says = (
            f"{name}: own standard deviation {measured(own.value)} ({measured(low)} to "
            f"{measured(high)}, {own.n} seeds); the printed {as_printed(stated.value)} is "
            f"{measured(value)} with divisor n − 1."
        )
        inside, narrow = low <= value <= high, high <= WIDEST * low
        verdict = (SUPPORTED if narrow else INCONCLUSIVE) if inside else CONTRADICTED
        seeds = _seeds_for_spread(confidence)
        settles = f"{seeds} seeds" if verdict == INCONCLUSIVE else ""
        findings.append(Finding(verdict, (Evidence(says, (own,), rows_of([stated])),), settles))
    return _gravest(findings)


def _deviation(
    model: ModelResults, activation: str, measure: str, confidence: float
) -> tuple[Number, float, float] | None:
    mean = model.score(activation, measure)
    if mean is None or mean.n is None or mean.n < 2:
        return None
    s, freedom = float(model.cell(activation)["metrics"][measure]["sd"]), mean.n - 1
    low, high = (s * root for root in _chi_square_ends(freedom, confidence))
    key, gates = f"{mean.key}.sd", mean.failed_gates
    return Number(s, mean.file, key, measure, mean.n, low, high, gates), low, high


def _chi_square_ends(freedom: int, confidence: float) -> tuple[float, float]:
    """Return the factors from a standard deviation to its interval's ends."""
    ends = scipy.stats.chi2.ppf([(1 + confidence) / 2, (1 - confidence) / 2], freedom)
    low, high = np.sqrt(freedom / ends)
    return float(low), float(high)


def _seeds_for_spread(confidence: float) -> int:
    """Return the fewest seeds whose interval of a deviation is narrow enough to tell."""

    def enough(n: int) -> bool:
        low, high = _chi_square_ends(n - 1, confidence)
        return high <= WIDEST * low

    return fewest_seeds(enough)


def _gravest(findings: Sequence[Finding]) -> Finding:
    """Join the findings of several activations: the gravest verdict, and all evidence."""
    order = [CONTRADICTED, INCONCLUSIVE, SUPPORTED]
    ranked = sorted(findings, key=lambda one: order.index(one.verdict))
    evidence = tuple(one for finding in ranked for one in finding.evidence)
    return Finding(ranked[0].verdict, evidence, ranked[0].settles)


@check
def loss_rank(claim: Claim, context: Context, *, among: Sequence[str]) -> Finding:
    """Judge the place of an activation's loss, lowest first, among several in own runs.

    A place holds where each contrast that decides it has an interval on one side of 0.
    """
    model = own_results(claim, context, among)
    mine, rank = claim.activations[0], int(claim.number())
    pairs: dict[str, tuple[Number, int | None]] = {}
    for other in among:
        if other != mine:
            number = usable(context, place_of(claim), other, model.contrast(LOSS, mine, other))
            needed = model.all_of_contrast(LOSS, mine, other).get("seeds_to_settle") or {}
            pairs[other] = number, needed.get("different")
    surely_below = sum(n.low is not None and n.low > 0 for n, _ in pairs.values())
    surely_above = sum(n.high is not None and n.high < 0 for n, _ in pairs.values())
    best, worst = 1 + surely_below, len(among) - surely_above
    numbers = [number for number, _ in pairs.values()]
    told = "; ".join(f"{mine} − {other} {_interval(n)}" for other, (n, _) in pairs.items())
    aside = " The cells did not learn." if "learned" in gates_of(numbers) else ""
    says = f"Own losses: {told}. Its place is from {best} to {worst}; {rank} is printed.{aside}"
    if best == worst == rank:
        return found(SUPPORTED, says, *numbers)
    if not best <= rank <= worst:
        return found(CONTRADICTED, says, *numbers)
    open_pairs = [
        seeds
        for n, seeds in pairs.values()
        if n.low is None or n.high is None or n.low <= 0 <= n.high
    ]
    return found(INCONCLUSIVE, says, *numbers, settles=_most_seeds(open_pairs))


def _most_seeds(seeds: Sequence[int | None]) -> str:
    """Return the seeds that settle all of several contrasts."""
    known = [one for one in seeds if one is not None]
    return seeds_told(max(known) if known and len(known) == len(seeds) else None)


def _mean(numbers: Sequence[Number]) -> float:
    return fmean(one.value for one in numbers)
