"""Orders and sizes of effects that a claim states, held against own results.

All rest on the final step. A stated a < b is shown where the 95% interval of a − b lies
below 0. It is refuted where the interval, corrected for the number of stated pairs
(Bonferroni), lies above 0, or where the two are shown, likewise corrected, to be
equivalent while the interval does not show the stated sign.

A study calls contrasts of cells that failed a gate *unsound* and leaves them there. Here
they are compared, since the claims are about just such runs; the sentence names the gate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import stdev

import scipy.special

from actrepro.audit.checks.printed.expression import Order, stated_pairs
from actrepro.audit.claims import Claim
from actrepro.audit.compared import (
    Cell,
    Compared,
    average,
    cell,
    compare,
    mean_of_cell,
    measure_name,
    needed,
    relabelled,
    results_of,
)
from actrepro.audit.findings import CONTRADICTED, INCONCLUSIVE, SUPPORTED, Finding, Number, found
from actrepro.audit.registry import Context, check
from actrepro.audit.words import fewest_seeds, gates_of, gates_told, seeds_told
from actrepro.core.formats import counted, interval, listed, minus, number, signed
from actrepro.results.verdicts import alpha
from actrepro.statistics.inference import Estimate

# The pairs that an order leaves open and that are listed.
MOST_TOLD = 2
POWER = 0.8
Pairs = Sequence[tuple[str, str]]


@check
def order(
    claim: Claim,
    context: Context,
    *,
    measure: str,
    order: Order,
    models: Sequence[str] = (),
    every_seed: bool = False,
) -> Finding:
    """Compare own results with the order that the claim states.

    Parameters
    ----------
    measure
        Id as in `stats.json`: `loss.all`, `accuracy.all`, `tv-half_l1-pairs.all`, …
    order
        Groups of cells, the lowest first: activations or models at the claim's scale, or
        scale/model, or scale/model/activation. No order is stated within a group.
    models
        Several models of the claim's scale over which the difference of two activations
        is averaged.
    every_seed
        True if the claim is also that the order holds in each seed.
    """
    pairs = stated_pairs(claim, order)
    cells = {name: _cells(claim, name, models) for group in order for name in group}
    every = [one for some in cells.values() for one in some]
    context.results.require(needed(every))
    compared = {(a, b): _compare(context, cells[a], cells[b], a, b, measure) for a, b in pairs}
    known = [one for one in compared.values() if one is not None]
    said = measure_name(context, every[0].place, measure)
    if len(known) < len(pairs):
        return _too_few(context, every[0], said)
    judged = _judge(known, said)
    broken = _broken_seeds(context, cells, pairs, measure) if every_seed else ""
    if broken and judged.verdict == SUPPORTED:
        return found(CONTRADICTED, broken, *_numbers(known))
    return judged


def _cells(claim: Claim, name: str, models: Sequence[str]) -> list[Cell]:
    return [cell(claim, name, model) for model in models] if models else [cell(claim, name)]


def _compare(
    context: Context, left: Sequence[Cell], right: Sequence[Cell], a: str, b: str, measure: str
) -> Compared | None:
    parts = [compare(context, x, y, measure) for x, y in zip(left, right, strict=True)]
    known = [one for one in parts if one is not None]
    if len(known) < len(parts):
        return None
    label = f"{_short(left, right, a)} − {_short(right, left, b)}"
    return relabelled(known[0] if len(known) == 1 else average(known, ""), label)


def _short(some: Sequence[Cell], others: Sequence[Cell], name: str) -> str:
    """A cell's name, without the scale and model where the other's are the same."""
    return name.rpartition("/")[2] if some[0].place == others[0].place else name


def _too_few(context: Context, one: Cell, said: str) -> Finding:
    file = results_of(context, one).file
    return found(
        INCONCLUSIVE,
        f"{file} has too few usable runs for a comparison in {said}.",
        files=(file,),
        settles="3 seeds at the least",
    )


def _judge(compared: Sequence[Compared], said: str) -> Finding:
    family = len(compared)
    against = [one for one in compared if _refutes(one, family)]
    open_ = [one for one in compared if not _below(one.estimate.interval)]
    gates = gates_told(gates_of(_numbers(compared)))
    pairs = counted(family, "stated pair")
    n = counted(min(one.estimate.n for one in compared), "seed")
    if against:
        one = against[0]
        alike = (
            f"{one.told_for_equivalence(family)} is shown to be within ± {one.margin:g}, so no "
            "difference"
        )
        reversed_ = f"{one.told()} is shown to be the other way round"
        how = reversed_ if _above(one.at_level(family)) else alike
        corrected = f", corrected for {pairs}" if family > 1 else ""
        says = f"In {said} over {n}, {how}{corrected}.{gates}"
        return found(CONTRADICTED, says, *_numbers(compared))
    if not open_:
        nearest = max(compared, key=_nearness)
        says = f"Each of {pairs} is shown in {said} over {n}; the closest: {nearest.told()}.{gates}"
        if family == 1:
            says = f"In {said} over {n}, {nearest.told()}.{gates}"
        return found(SUPPORTED, says, *_numbers(compared))
    hardest = max(open_, key=lambda one: one.seeds(family))
    told = [hardest, *(one for one in open_ if one is not hardest)][:MOST_TOLD]
    which = f"Of {pairs}, {len(open_)} cannot be told" if family > 1 else "It cannot be told"
    says = (
        f"{which} in {said} over {n}: {'; '.join(one.told() for one in told)}"
        f"{'; …' if len(open_) > len(told) else ''}.{gates}"
    )
    return found(INCONCLUSIVE, says, *_numbers(compared), settles=seeds_told(hardest.seeds(family)))


def _refutes(one: Compared, family: int) -> bool:
    bounds = one.estimate.interval
    return _above(one.at_level(family)) or (
        one.shown_equivalent(family) and not _below(bounds) and bounds is not None
    )


def _below(bounds: tuple[float, float] | None) -> bool:
    return bounds is not None and bounds[1] < 0


def _above(bounds: tuple[float, float] | None) -> bool:
    return bounds is not None and bounds[0] > 0


def _nearness(one: Compared) -> float:
    return one.estimate.value if one.estimate.interval is None else one.estimate.interval[1]


def _numbers(compared: Sequence[Compared]) -> tuple[Number, ...]:
    return tuple(dict.fromkeys(number_ for one in compared for number_ in one.numbers))


def _broken_seeds(
    context: Context, cells: Mapping[str, Sequence[Cell]], pairs: Pairs, measure: str
) -> str:
    """A sentence on the first pair whose order fails in some seed; empty when none does."""
    for a, b in pairs:
        left, right = (_by_seed(context, cells[name][0], measure) for name in (a, b))
        broken = [seed for seed in left if seed in right and left[seed] >= right[seed]]
        if broken:
            seeds = listed([str(seed) for seed in broken])
            return f"{a} is not below {b} in {counted(len(broken), 'seed')}: {seeds}."
    return ""


def _by_seed(context: Context, one: Cell, measure: str) -> dict[int, float]:
    return results_of(context, one).by_seed(one.activations[0], measure)


@check
def effect_is(
    claim: Claim,
    context: Context,
    *,
    measure: str,
    of: str,
    base: str,
    percent: str,
    within: float,
) -> Finding:
    """Compare a printed change in percent with that between two cells of own results.

    Shown where the whole interval lies `within` that many points of the stated change;
    refuted where all of it lies outside.

    Parameters
    ----------
    percent
        Key of the row's printed change.
    """
    stated = claim.number(percent)
    cells = [cell(claim, name) for name in (of, base)]
    context.results.require(needed(cells))
    said = measure_name(context, cells[0].place, measure)
    difference = compare(context, cells[0], cells[1], measure)
    mean = mean_of_cell(context, cells[1], measure)
    if difference is None or mean is None or difference.estimate.interval is None:
        return _too_few(context, cells[0], said)
    scale = 100 / mean[0].value
    value = scale * difference.estimate.value
    low, high = (scale * end for end in difference.estimate.interval)
    says = minus(
        f"{of} is {value:+.2f}% [{low:+.2f}, {high:+.2f}] from {base} in {said}, over "
        f"{counted(difference.estimate.n, 'seed')}; claimed: {stated:+g}%, ± {within:g} points."
        f"{gates_told(difference.failed_gates)}"
    )
    numbers = (*difference.numbers, *mean[1])
    if stated - within <= low and high <= stated + within:
        return found(SUPPORTED, says, *numbers)
    if high < stated - within or low > stated + within:
        return found(CONTRADICTED, says, *numbers)
    room = abs(within - abs(value - stated))
    sd = None if difference.sd is None else scale * difference.sd
    seeds = _seeds_for_reach(sd, room, difference.confidence)
    return found(INCONCLUSIVE, says, *numbers, settles=seeds_told(seeds))


def _seeds_for_reach(sd: float | None, reach: float, confidence: float) -> int:
    """Return the fewest seeds at which Student's interval reaches no farther than `reach`."""

    def enough(n: int) -> bool:
        quantile = scipy.special.stdtrit(n - 1, (1 + confidence) / 2)
        return sd is not None and bool(quantile * sd / math.sqrt(n) <= reach)

    return fewest_seeds(enough)


@check
def spread_order(claim: Claim, context: Context, *, measure: str, order: Order) -> Finding:
    """Compare standard deviations between seeds with the order that the claim states.

    By the intervals of their ratios (F distribution): each uncorrected to show the order,
    and corrected for the number of stated pairs to refute it.
    """
    pairs = stated_pairs(claim, order)
    cells = _named_cells(claim, context, order)
    scores = [_score(context, one, measure) for one in cells.values()]
    used = tuple(one for one in scores if one is not None)
    values = {name: _by_seed(context, one, measure) for name, one in cells.items()}
    first = next(iter(cells.values()))
    if any(len(seeds) < 2 for seeds in values.values()):
        return _too_few(context, first, measure)
    confidence = results_of(context, first).stats["confidence"]
    sds = {name: stdev(seeds.values()) for name, seeds in values.items()}
    n = min(len(seeds) for seeds in values.values())
    level = alpha(confidence)
    ratios = {(a, b): sds[a] / sds[b] if sds[b] > 0 else math.inf for a, b in pairs}
    (a, b), worst = max(ratios.items(), key=lambda item: item[1])
    low, high = _of_ratio(worst, n, level)
    says = (
        f"Standard deviations of {measure_name(context, first.place, measure)} over {n} seeds: "
        f"{listed([f'{name} {number(sd)}' for name, sd in sds.items()])}. Of {a} to {b} the ratio "
        f"is {worst:.2f} {interval((low, high), 2)}.{gates_told(gates_of(used))}"
    )
    if high < 1:
        return found(SUPPORTED, says, *used)
    if _of_ratio(worst, n, level / len(pairs))[0] > 1:
        return found(CONTRADICTED, says, *used)
    seeds = max(_seeds_for_ratio(ratio, level) for ratio in ratios.values())
    return found(INCONCLUSIVE, says, *used, settles=seeds_told(seeds))


def _named_cells(claim: Claim, context: Context, groups: Order) -> dict[str, Cell]:
    """Return the cells that groups of names stand for, whose results must be there."""
    cells = {name: cell(claim, name) for group in groups for name in group}
    context.results.require(needed(cells.values()))
    return cells


def _score(context: Context, one: Cell, measure: str) -> Number | None:
    return results_of(context, one).score(one.activations[0], measure)


def _of_ratio(ratio: float, n: int, level: float) -> tuple[float, float]:
    """Interval of a ratio of two standard deviations, each of n normal values."""
    quantile = math.sqrt(float(scipy.special.fdtri(n - 1, n - 1, 1 - level / 2)))
    return ratio / quantile, ratio * quantile


def _seeds_for_ratio(ratio: float, level: float) -> int:
    """Return the fewest seeds at which the F-test finds such a ratio with a power of 0.8."""
    variances = max(ratio, 1 / ratio if ratio > 0 else math.inf) ** 2

    def enough(n: int) -> bool:
        bound = scipy.special.fdtri(n - 1, n - 1, 1 - level / 2)
        return bool(scipy.special.fdtrc(n - 1, n - 1, bound / variances) >= POWER)

    return fewest_seeds(enough, first=3)


@check
def equivalent(
    claim: Claim,
    context: Context,
    *,
    measure: str,
    cells: Sequence[str],
    activations: Sequence[str] = (),
) -> Finding:
    """Test that activations make no difference that matters, by the margins of the config.

    Shown where every two of them are shown to be within the margin; refuted where the
    interval of some two, corrected for the number of pairs, lies on one side of 0
    without that.

    Parameters
    ----------
    cells
        Models at the claim's scale, or scale/model.
    activations
        The activations; the claim's when absent.
    """
    names = list(activations or claim.activations)
    places = [cell(claim, name) for name in cells]
    singles = [
        Cell(one.scale, one.model, (name,), f"{one.label} {name}" if len(places) > 1 else name)
        for one in places
        for name in names
    ]
    context.results.require(needed(singles))
    pairs = [
        (a, b)
        for place, a in enumerate(singles)
        for b in singles[place + 1 :]
        if a.place == b.place
    ]
    compared = [compare(context, a, b, measure) for a, b in pairs]
    known = [one for one in compared if one is not None]
    said = measure_name(context, places[0].place, measure)
    if len(known) < len(pairs):
        return _too_few(context, places[0], said)
    return _alike(known, said)


def _alike(compared: Sequence[Compared], said: str) -> Finding:
    family = len(compared)
    gates = gates_told(gates_of(_numbers(compared)))
    n = counted(min(one.estimate.n for one in compared), "seed")
    widest = max(compared, key=lambda one: abs(one.estimate.value))
    margin = f"within ± {widest.margin:g}"
    open_ = [one for one in compared if not one.shown_equivalent(1)]
    bounds = {one.label: one.at_level(family) for one in open_}
    different = [one for one in open_ if _below(bounds[one.label]) or _above(bounds[one.label])]
    if different:
        says = f"In {said} over {n}, {different[0].told()}: not alike.{gates}"
        return found(CONTRADICTED, says, *_numbers(compared))
    if not open_:
        told = widest.told_for_equivalence(1)
        says = f"All {family} differences in {said} over {n} are {margin}; {told}.{gates}"
        return found(SUPPORTED, says, *_numbers(compared))
    hardest = max(open_, key=lambda one: one.seeds(family))
    says = (
        f"Of {family} differences in {said} over {n}, {len(open_)} are not shown to be {margin}: "
        f"{hardest.told_for_equivalence(1)}.{gates}"
    )
    return found(INCONCLUSIVE, says, *_numbers(compared), settles=seeds_told(hardest.seeds(family)))


@check
def wider(
    claim: Claim,
    context: Context,
    *,
    measure: str,
    among: Sequence[Sequence[str]],
    than: Sequence[Sequence[str]],
) -> Finding:
    """Compare the average range of cells in some groups with that in others.

    A group's range is the highest minus the lowest of its cells, each with the error of
    its own mean. The ranges' average is compared by Student's interval over the fewest
    seeds of any cell.
    """
    groups = [*among, *than]
    cells = _named_cells(claim, context, groups)
    first = next(iter(cells.values()))
    said = measure_name(context, first.place, measure)
    means = {name: mean_of_cell(context, one, measure) for name, one in cells.items()}
    known = {name: mean for name, mean in means.items() if mean is not None}
    if len(known) < len(means):
        return _too_few(context, first, said)
    sides = [[_range(known, group) for group in side] for side in (among, than)]
    values = [math.fsum(value for value, _ in side) / len(side) for side in sides]
    error = math.hypot(*(math.hypot(*(e for _, e in side)) / len(side) for side in sides))
    n = min(estimate.n for estimate, _ in known.values())
    level = alpha(results_of(context, first).stats["confidence"])
    reach = float(scipy.special.stdtrit(n - 1, 1 - level / 2)) * error if n > 1 else math.inf
    difference = values[0] - values[1]
    says = (
        f"In {said} cells range over {number(values[0])} on average, against {number(values[1])}: "
        f"{signed(difference)} {interval((difference - reach, difference + reach))} over "
        f"{counted(n, 'seed')}."
    )
    numbers = tuple(dict.fromkeys(one for _, some in known.values() for one in some))
    if difference - reach > 0:
        return found(SUPPORTED, says, *numbers)
    if difference + reach < 0:
        return found(CONTRADICTED, says, *numbers)
    seeds = _seeds_for_reach(error * math.sqrt(n), abs(difference), 1 - level)
    return found(INCONCLUSIVE, says, *numbers, settles=seeds_told(seeds))


def _range(
    means: Mapping[str, tuple[Estimate, tuple[Number, ...]]], group: Sequence[str]
) -> tuple[float, float]:
    """Return the highest minus the lowest mean, and its standard error."""
    estimates = sorted((means[name][0] for name in group), key=lambda one: one.value)
    low, high = estimates[0], estimates[-1]
    error = math.hypot(low.standard_error or 0.0, high.standard_error or 0.0)
    return high.value - low.value, error
