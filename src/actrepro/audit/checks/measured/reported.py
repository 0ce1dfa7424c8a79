"""Printed numbers against the same measurement in runs of this program.

The stated rule for a loss or an accuracy: it is supported where the run's mean and the
printed one differ by no more than two standard errors of the difference, or by no more
than the row's tolerance, whichever is larger; else contradicted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np
import scipy.stats

from actrepro.audit.claims import Claim
from actrepro.audit.compared import own_results
from actrepro.audit.findings import (
    CONTRADICTED,
    INCONCLUSIVE,
    SUPPORTED,
    Evidence,
    Finding,
    Number,
    found,
    upheld,
)
from actrepro.audit.printed import (
    RANGE,
    Printed,
    as_printed,
    joined,
    look_up,
    look_up_one,
    measured,
    rows_of,
    span,
    values_of,
)
from actrepro.audit.registry import Context, check
from actrepro.audit.results import ModelResults
from actrepro.audit.words import gates_of, seeds_told
from actrepro.predict.store import FINAL
from actrepro.results.verdicts import MOST_SEEDS

LOSS = "loss.all"
# The earlier study's accuracies are of the last character of 1,000 windows.
ACCURACY = "accuracy.last"
SAMPLES = 1000
# Behind a printed mean or spread that comes without its runs.
RUNS = 3
# Of a spread: its interval's high end over its low end, from which on it says little.
WIDEST = 3.0
# Prediction differences in words, by the first part of their names.
MEASURES = {"tv": "total variation", "churn": "churn", "srpd": "symmetric relative difference"}


def _no_number(claim: Claim, context: Context, activation: str) -> Finding:
    """The finding where a cell has no run that can be compared."""
    why = f"no run with {activation} can be compared"
    return context.results.without(claim.scale or "", claim.model or "", why)


@check
def loss_is(
    claim: Claim,
    context: Context,
    *,
    within: float,
    printed: str = "value",
    activation: str | None = None,
) -> Finding:
    """Whether a printed validation loss is that of own runs, on the same text.

    The earlier study scored the whole validation text; the runs' loss on it is the mean of
    their loss on the test half and on the history's windows of the selection half. The
    standard error is that of the runs (seeds and text; the windows' is that of the test
    half, scaled to their length), in quadrature with the printed mean's.

    Parameters
    ----------
    within
        Nats.
    activation
        The one to look at; each of the row's when absent.
    """
    names = (activation,) if activation else claim.activations
    model = own_results(claim, context, names)
    if isinstance(model, Finding):
        return model
    stated = look_up(claim, context, printed)
    error = _printed_error(claim, printed)
    findings = []
    for name in names:
        own, selection = model.score(name, LOSS), model.at_the_end(name, "selection_loss")
        if own is None or not selection:
            return _no_number(claim, context, name)
        whole = _on_the_whole(own, selection)
        halves = math.hypot(_error(model, name, LOSS), _error_of_windows(model, name)) / 2
        allowed = max(2 * math.hypot(error, halves), within)
        last = model.score(name, "loss.last")
        aside = "" if last is None else f", {last.value:.3f} at last positions"
        says = (
            f"{name}: own runs {_interval(own)} on the test half{aside}; {_mean(selection):.3f} on "
            f"the selection half, {whole:.3f} on both; {as_printed(stated.value)} is printed, "
            f"apart {abs(whole - stated.value):.4f}, allowed {allowed:.4f}."
        )
        numbers = (own, *selection, *(() if last is None else (last,)))
        findings.append(
            (abs(whole - stated.value) <= allowed, Evidence(says, numbers, rows_of([stated])))
        )
    return _all_of(findings)


def _on_the_whole(test: Number, selection: Sequence[Number]) -> float:
    """A cell's loss on the whole validation text, whose halves are of one length."""
    return (test.value + _mean(selection)) / 2


def _error_of_windows(model: ModelResults, activation: str) -> float:
    """Standard error of a mean over the history's windows: the test text's, for their length."""
    protocol = model.stats["protocol"]
    characters = protocol["history_windows"] * protocol["context"]
    scale = math.sqrt(model.stats["evaluation"]["characters"] / characters)
    return scale * _error(model, activation, LOSS)


@check
def train_loss_is(
    claim: Claim, context: Context, *, within: float, printed: str = "value"
) -> Finding:
    """Whether a printed loss on training text is that of own runs at their last step.

    Theirs is on the history's fixed windows of training text, whose standard error is that
    of the test text scaled to the windows' length; the rule is that of `loss_is`. Without a
    printed mean, `printed` names the runs.
    """
    model = own_results(claim, context, claim.activations)
    if isinstance(model, Finding):
        return model
    stated = look_up(claim, context, printed)
    error = _printed_error(claim, "value")
    findings = []
    for name in claim.activations:
        own = model.at_the_end(name, "train_loss")
        if not own:
            return _no_number(claim, context, name)
        apart = abs(_mean(own) - stated.mean)
        allowed = max(2 * math.hypot(error, _error_of_windows(model, name)), within)
        says = (
            f"{name}: {len(own)} own runs end at a mean of {_mean(own):.3f} on fixed windows of "
            f"training text; {_mean_told(stated)} is printed, apart {apart:.4f}, allowed "
            f"{allowed:.4f}."
        )
        findings.append((apart <= allowed, Evidence(says, tuple(own), rows_of([stated]))))
    return _all_of(findings)


def _mean_told(stated: Printed) -> str:
    return stated.told() if len(stated.values) == 1 else f"{stated.mean:.4f}"


def _printed_error(claim: Claim, printed: str) -> float:
    """Standard error of a printed mean: from its runs, or its spread with divisor n of `RUNS`."""
    if printed != "value":
        return 0.0
    if "runs" in claim.printed:
        return float(scipy.stats.sem(claim.numbers("runs")))
    if "spread" in claim.printed:
        return claim.number("spread") / math.sqrt(RUNS - 1)
    return 0.0


def _error(model: ModelResults, activation: str, measure: str) -> float:
    """Standard error of a cell's mean; 0 with one seed, which has none."""
    return float(model.cell(activation)["metrics"][measure]["standard_error"] or 0.0)


def _interval(number: Number, write: Callable[[float], str] = measured) -> str:
    told = write(number.value)
    if number.low is not None and number.high is not None:
        told += f" ({write(number.low)} to {write(number.high)}, {number.n} seeds)"
    return told


def _in_percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _all_of(findings: Sequence[tuple[bool, Evidence]]) -> Finding:
    """Supported where everything agrees; else contradicted, with what does not first."""
    agrees = all(one for one, _ in findings)
    ordered = sorted(findings, key=lambda one: one[0])
    return Finding(SUPPORTED if agrees else CONTRADICTED, tuple(one for _, one in ordered))


@check
def accuracy_is(
    claim: Claim,
    context: Context,
    *,
    within: float,
    printed: str = "value",
    activation: str | None = None,
) -> Finding:
    """Whether a printed accuracy, in percent, is that of own runs at last positions.

    Both are shares of 1,000 samples, the printed one of 1,000 per run: binomial errors,
    in quadrature with the runs' own between seeds. `within` is in percentage points. A
    range agrees where the runs' accuracy is no farther than that from its nearer end.
    """
    names = (activation,) if activation else claim.activations
    model = own_results(claim, context, names)
    if isinstance(model, Finding):
        return model
    stated = look_up(claim, context, printed)
    count = len(claim.printed.get("runs", ())) or RUNS
    findings = []
    for name in names:
        own = model.score(name, ACCURACY)
        if own is None:
            return _no_number(claim, context, name)
        mine = 100 * own.value
        nearest = min(max(mine, stated.low), stated.high)
        errors = (
            _binomial_error(mine, SAMPLES),
            _binomial_error(nearest, SAMPLES * count),
            100 * _error(model, name, ACCURACY),
        )
        allowed = max(2 * math.hypot(*errors), within)
        everywhere = model.score(name, "accuracy.all")
        aside = "" if everywhere is None else f", {100 * everywhere.value:.1f}% at all positions"
        says = (
            f"{name}: own runs {_interval(own, _in_percent)} at the last of {SAMPLES:,} windows"
            f"{aside}; {as_printed(nearest)}% is printed, apart {abs(mine - nearest):.1f} points, "
            f"allowed {allowed:.1f}."
        )
        numbers = (own, *(() if everywhere is None else (everywhere,)))
        findings.append(
            (abs(mine - nearest) <= allowed, Evidence(says, numbers, rows_of([stated])))
        )
    return _all_of(findings)


def _binomial_error(percent: float, samples: int) -> float:
    """Standard error of a share of so many samples, in percentage points."""
    return math.sqrt(max(percent * (100 - percent), 0.0) / samples)


@check
def initial_loss(
    claim: Claim, context: Context, *, within: float, printed: Sequence[str] = ("low", "high")
) -> Finding:
    """Whether the loss before training is as printed: what the gate *initial_loss* measured."""
    model = own_results(claim, context, claim.activations)
    if isinstance(model, Finding):
        return model
    stated = joined(claim, context, printed)
    of = values_of(stated)
    findings = []
    for name in claim.activations:
        gate = model.cell(name)["gates"]["initial_loss"]["measured"]
        if gate is None or gate["loss"] is None:
            return _no_number(claim, context, name)
        key = f"rules.{FINAL}.cells.{name}.gates.initial_loss.measured.loss"
        own = Number(gate["loss"], model.file, key)
        apart = max(min(of) - own.value, own.value - max(of), 0.0)
        says = (
            f"{name}: {own.value:.3f} nats before the first step, where equal odds for all symbols "
            f"have {gate['ln_symbols']:.3f}; {span(of)} is printed, allowed {within:g} beyond."
        )
        findings.append((apart <= within, Evidence(says, (own,), rows_of(stated))))
    return _all_of(findings)


@check
def loss_range(claim: Claim, context: Context, *, within: float) -> Finding:
    """Whether the activations' mean losses run from `low` to `high`, on the whole text.

    The whole validation text is taken as `loss_is` takes it.
    """
    model = own_results(claim, context, claim.activations)
    if isinstance(model, Finding):
        return model
    losses, numbers = [], []
    for name in claim.activations:
        one, selection = model.score(name, LOSS), model.at_the_end(name, "selection_loss")
        if one is None or not selection:
            return _no_number(claim, context, name)
        losses.append(_on_the_whole(one, selection))
        numbers += [one, *selection]
    ends = min(losses), max(losses)
    stated = look_up(claim, context, RANGE)
    apart = max(abs(ends[0] - stated.low), abs(ends[1] - stated.high))
    says = (
        f"Own runs' mean losses go from {ends[0]:.3f} to {ends[1]:.3f} on the whole validation "
        f"text; {stated.told()} is printed, allowed {within:g} at either end."
    )
    return upheld(apart <= within, says, *numbers)


@check
def spread_is(
    claim: Claim,
    context: Context,
    *,
    measure: str = LOSS,
    printed: str = "value",
    runs: int = 3,
    factor: float = 1.0,
) -> Finding:
    """Whether a printed standard deviation between runs is that of own runs.

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
    if isinstance(model, Finding):
        return model
    confidence = float(model.stats["confidence"])
    stated = look_up_one(claim, context, printed)
    value = factor * stated.value * math.sqrt(runs / (runs - 1))
    findings = []
    for name in claim.activations:
        own = _deviation(model, name, measure, confidence)
        if own is None or own.low is None or own.high is None:
            return _no_number(claim, context, name)
        says = (
            f"{name}: own standard deviation {measured(own.value)} ({measured(own.low)} to "
            f"{measured(own.high)}, {own.n} seeds); the printed {as_printed(stated.value)} is "
            f"{measured(value)} with divisor n − 1."
        )
        inside, narrow = own.low <= value <= own.high, own.high <= WIDEST * own.low
        verdict = (SUPPORTED if narrow else INCONCLUSIVE) if inside else CONTRADICTED
        seeds = _seeds_for_spread(confidence)
        settles = f"{seeds} seeds" if verdict == INCONCLUSIVE else ""
        findings.append(Finding(verdict, (Evidence(says, (own,), rows_of([stated])),), settles))
    return _gravest(findings)


def _deviation(
    model: ModelResults, activation: str, measure: str, confidence: float
) -> Number | None:
    mean = model.score(activation, measure)
    if mean is None or mean.n is None or mean.n < 2:
        return None
    s, freedom = float(model.cell(activation)["metrics"][measure]["sd"]), mean.n - 1
    low, high = (s * root for root in _chi_square_ends(freedom, confidence))
    return Number(s, mean.file, f"{mean.key}.sd", measure, mean.n, low, high, mean.failed_gates)


def _chi_square_ends(freedom: int, confidence: float) -> tuple[float, float]:
    """What a standard deviation is multiplied by at its interval's ends."""
    ends = scipy.stats.chi2.ppf([(1 + confidence) / 2, (1 - confidence) / 2], freedom)
    low, high = np.sqrt(freedom / ends)
    return float(low), float(high)


def _seeds_for_spread(confidence: float) -> int:
    """Fewest seeds whose interval of a deviation is narrow enough to say something."""
    for n in range(2, MOST_SEEDS + 1):
        low, high = _chi_square_ends(n - 1, confidence)
        if high <= WIDEST * low:
            return n
    return MOST_SEEDS


def _gravest(findings: Sequence[Finding]) -> Finding:
    """One finding of several activations': the gravest verdict, and what all of them found."""
    order = [CONTRADICTED, INCONCLUSIVE, SUPPORTED]
    ranked = sorted(findings, key=lambda one: order.index(one.verdict))
    evidence = tuple(one for finding in ranked for one in finding.evidence)
    return Finding(ranked[0].verdict, evidence, ranked[0].settles)


@check
def loss_rank(
    claim: Claim, context: Context, *, among: Sequence[str], printed: str = "value"
) -> Finding:
    """Whether an activation's loss has this place, lowest first, among several in own runs.

    A place holds where each contrast that decides it has an interval on one side of 0.
    """
    model = own_results(claim, context, among)
    if isinstance(model, Finding):
        return model
    mine, rank = claim.activations[0], int(look_up_one(claim, context, printed).value)
    pairs: dict[str, tuple[Number, int | None]] = {}
    for other in among:
        if other != mine:
            number = model.contrast(LOSS, mine, other)
            if number is None:
                return _no_number(claim, context, other)
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
    """The seeds that settle all of several contrasts."""
    known = [one for one in seeds if one is not None]
    return seeds_told(max(known) if known and len(known) == len(seeds) else None)


def _mean(numbers: Sequence[Number]) -> float:
    return fmean(one.value for one in numbers)
