"""Orders, ranks and relations that a claim states, held against the documents' own numbers.

Where a name stands for several numbers, a range or runs, an order must hold for all of
them, and a relation is taken of their mean. What printed numbers refute is contradicted.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.stats

from actrepro.audit.claims import Claim
from actrepro.audit.findings import (
    CONTRADICTED,
    IMPOSSIBLE,
    INCONCLUSIVE,
    SUPPORTED,
    Finding,
    found,
    upheld,
)
from actrepro.audit.printed import (
    EXACT,
    Printed,
    Reference,
    all_printed,
    as_printed,
    joined,
    look_up,
    look_up_one,
    rows_of,
    values_of,
)
from actrepro.audit.registry import Context, check
from actrepro.audit.words import called
from actrepro.core.errors import ActreproError
from actrepro.core.formats import counted, listed, minus, p_value
from actrepro.results.verdicts import MOST_SEEDS

Order = Sequence[Sequence[str]]
# Of the pairs that break an order, so many are told.
MOST_TOLD = 3
# With fewer cells than this, a correlation of ranks has too few orders to tell anything.
FEWEST_CELLS = 6


def stated_pairs(claim: Claim, order: Order) -> list[tuple[str, str]]:
    """What an order states: each of a group is below each of every later group.

    Raises
    ------
    ActreproError
        When the order has fewer than two groups, or an empty one.
    """
    if len(order) < 2 or not all(order):
        raise ActreproError(
            f"claim {claim.id}: an order is two or more groups of names, the lowest first, "
            f"found {list(order)!r}"
        )
    couples = itertools.combinations(order, 2)
    return [pair for below, above in couples for pair in itertools.product(below, above)]


@check
def printed_order(
    claim: Claim,
    context: Context,
    *,
    order: Order,
    printed: str = "",
    of: str = "numbers",
    labels: Mapping[str, str] | None = None,
) -> Finding:
    """Whether the printed numbers are in the order that the claim states.

    Parameters
    ----------
    order
        Groups of printed numbers, the lowest group first; no order is stated within a group.
    printed
        Key that is meant wherever a name in the order is just a row.
    of
        What the numbers are, for the sentence.
    labels
        What to call them there, by their names; by what tells their rows apart when absent.
    """
    names = [name for group in order for name in group]
    numbers = {name: _named(claim, context, name, printed) for name in names}
    labels = labels or _labels(context, numbers)
    rows = rows_of(numbers.values())
    wrong: dict[str, list[str]] = {}
    for a, b in stated_pairs(claim, order):
        if numbers[a].high >= numbers[b].low - EXACT:
            wrong.setdefault(b, []).append(a)
    told = {name: f"{labels[name]} {one.told()}" for name, one in numbers.items()}
    if wrong:
        says = [_not_below([told[a] for a in names], told[b]) for b, names in wrong.items()]
        rest = ["others likewise"] if len(says) > MOST_TOLD else []
        says = [*says[:MOST_TOLD], *rest]
        return found(CONTRADICTED, f"Printed {of}: {'; '.join(says)}.", rows=rows)
    groups = (listed([told[name] for name in group]) for group in order)
    return found(SUPPORTED, f"Printed {of}, as claimed: {' < '.join(groups)}.", rows=rows)


def _not_below(names: Sequence[str], other: str) -> str:
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'} not below {other}"


def _named(claim: Claim, context: Context, name: str, key: str = "") -> Printed:
    """Printed numbers by name, with the key that is meant where the name is just a row."""
    just_a_row = "." not in name and name not in claim.printed
    return look_up(claim, context, f"{name}.{key}" if key and just_a_row else name)


def _labels(context: Context, numbers: Mapping[str, Printed]) -> dict[str, str]:
    """What tells the numbers apart: activations, models, scales, else what names do not share."""
    claims = {name: context.table.claims.get(one.row) for name, one in numbers.items()}
    parts = {name: _parts(row) if row else ("", "", "") for name, row in claims.items()}
    for wanted in ((0,), (1,), (2,), (0, 2), (1, 2), (0, 1), (0, 1, 2)):
        labels = {
            name: ", ".join(part[one] for one in wanted if part[one])
            for name, part in parts.items()
        }
        if all(labels.values()) and len(set(labels.values())) == len(labels):
            return labels
    return _apart(list(numbers))


def _parts(row: Claim) -> tuple[str, str, str]:
    """A row's activation, model and scale, in words; empty where it is of several or of none."""
    return (
        row.activations[0] if len(row.activations) == 1 else "",
        called(row.model) if row.model else "",
        f"{row.scale} scale" if row.scale else "",
    )


def _apart(names: Sequence[str]) -> dict[str, str]:
    """Names without the words that all of them begin or end with."""
    words = [re.split(r"[-.]", name) for name in names]
    fewest = min(map(len, words))
    front = next((n for n in range(fewest) if len({one[n] for one in words}) > 1), 0)
    back = next((n for n in range(fewest - front) if len({one[-1 - n] for one in words}) > 1), 0)
    short = ["-".join(one[front : len(one) - back]) for one in words]
    return dict(zip(names, short if all(short) else names, strict=True))


@check
def printed_correlation(
    claim: Claim,
    context: Context,
    *,
    x: Sequence[Reference],
    y: Sequence[Reference],
    least: float,
    sign: int = 1,
    ranks: bool = True,
    of: str = "numbers",
) -> Finding:
    """Whether two printed quantities rise together: a correlation of `least` or more.

    Of fewer than five pairs it is inconclusive, whatever comes out.

    Parameters
    ----------
    x, y
        The numbers of each, in pairs.
    sign
        −1 where one must fall as the other rises.
    ranks
        Whether of ranks (Spearman), or of the numbers (Pearson).
    of
        What is correlated, for the sentence.
    """
    first, second = ([one.mean for one in joined(claim, context, names)] for names in (x, y))
    of_ranks, of_numbers = scipy.stats.spearmanr, scipy.stats.pearsonr
    r = float((of_ranks(first, second) if ranks else of_numbers(first, second)).statistic)
    wanted = minus(f"{sign * least:g} or {'more' if sign > 0 else 'less'}")
    n, rows = len(first), rows_of(joined(claim, context, (*x, *y)))
    few = f" {n} pairs are few." if n <= 2 * FEWEST_CELLS else ""
    says = (
        f"{'Spearman' if ranks else 'Pearson'}'s correlation of {n} pairs of printed {of} "
        f"is {minus(f'{r:.2f}')}; the claim needs {wanted}.{few}"
    )
    if n < FEWEST_CELLS:
        more = f"{counted(FEWEST_CELLS - n, 'more cell')} at the least"
        return found(INCONCLUSIVE, says, rows=rows, settles=more)
    return upheld(sign * r >= least - EXACT, says, rows=rows)


@check
def ratio_of_ranges(
    claim: Claim,
    context: Context,
    *,
    wide: Mapping[str, Sequence[Reference]],
    narrow: Mapping[str, Sequence[Reference]],
    within: float,
    printed: str = "value",
    of: str = "numbers",
) -> Finding:
    """Whether printed numbers range as many times as far among some cells as among others.

    Supported where the ratio of the two ranges at one scale is the printed one, else
    contradicted: told is what ranges of different scales give.

    Parameters
    ----------
    wide, narrow
        By scale, the numbers of either kind of cells.
    within
        The factor by which a ratio may be off.
    of
        What the numbers are, for the sentence.
    """
    parts = [joined(claim, context, names) for side in (wide, narrow) for names in side.values()]
    far, near = (
        {scale: values_of(joined(claim, context, names)) for scale, names in side.items()}
        for side in (wide, narrow)
    )
    ratios = {scale: _extent(values) / _extent(near[scale]) for scale, values in far.items()}
    all_far = [value for values in far.values() for value in values]
    mixed = _extent(all_far) / min(map(_extent, near.values()))
    stated = look_up_one(claim, context, printed).value
    told = listed([f"{ratio:.1f} at the {scale} scale" for scale, ratio in ratios.items()])
    near_it = f" Only the range over all scales, by the least within one, comes near: {mixed:.1f}."
    return upheld(
        any(stated / within <= ratio <= stated * within for ratio in ratios.values()),
        f"Ranges of printed {of} have a ratio of {told}; {as_printed(stated)} is claimed."
        f"{near_it if stated / within <= mixed <= stated * within else ''}",
        rows=rows_of(itertools.chain.from_iterable(parts)),
    )


def _extent(values: Sequence[float]) -> float:
    return max(values) - min(values)


@check
def rank_of(
    claim: Claim, context: Context, *, among: Sequence[Reference], own: Reference
) -> Finding:
    """Whether a printed rank is the place of a number, lowest first, among several.

    A rank beyond how many they are is impossible; another place is contradicted.
    """
    parts, mine = joined(claim, context, among), look_up_one(claim, context, own).value
    values, rank = values_of(parts), int(look_up_one(claim, context, "value").value)
    rank_there = 1 + sum(value < mine for value in values)
    said = (
        f"Of the printed {all_printed(sorted(values))}, {as_printed(mine)} is number {rank_there}"
    )
    if rank > len(values):
        says = f"Only {len(values)} are ranked, so none is number {rank}. {said}."
        return found(IMPOSSIBLE, says, rows=rows_of(parts))
    agrees = rank_there == rank
    return upheld(agrees, f"{said}{'' if agrees else f', not {rank}'}.", rows=rows_of(parts))


@check
def wins_are(claim: Claim, context: Context, *, rows: Sequence[str], activation: str) -> Finding:
    """Whether an activation's wins are those in the table of models, whatever ties count.

    Anything from its wins alone to those with all ties will do; else contradicted.
    The rows print `best_activation`, tied ones with a bar between them, and the row itself
    its wins and contests: 3/5.
    """
    bests = [str(context.table.claim(row).printed["best_activation"]).split("|") for row in rows]
    alone = sum(best == [activation] for best in bests)
    shared = sum(activation in best for best in bests)
    value = int(str(claim.printed["wins"]).partition("/")[0])
    return upheld(
        alone <= value <= shared,
        f"The table of models has {activation} best {alone} times alone and {shared} with ties; "
        f"{value} is printed.",
        rows=tuple(rows),
    )


@check
def best_of_equals(claim: Claim, context: Context, *, equal: str, best: str = "best") -> Finding:
    """Whether an activation can be best where another row prints one number for several.

    `equal` is that row, `best` the key of the activation, tied ones with a bar between them.
    """
    row = context.table.claim(equal)
    winners = str(claim.printed[best]).split("|")
    losers = [name for name in row.activations if name not in winners]
    winners_there = [name for name in winners if name in row.activations]
    said = (
        f"Elsewhere {listed(row.activations)} all have "
        f"{as_printed(look_up_one(claim, context, equal).value)}"
    )
    wrong = f": {' or '.join(winners_there)} is not better than {' or '.join(losers)}"
    agrees = not (losers and winners_there)
    return upheld(agrees, f"{said}{'' if agrees else wrong}.", rows=(equal,))


@check
def runs_tell(
    claim: Claim, context: Context, *, order: Order, alpha: float = 0.05, of: str = "numbers"
) -> Finding:
    """Whether the printed runs themselves can tell the order that is stated of their means.

    Two-sided t-tests with equal variances, one per stated pair, uncorrected, so in the
    claim's favour. Inconclusive when one does not reach `alpha`: with the runs per side
    at which it would with a power of 0.8, were the means and spreads as printed.
    """
    numbers = {name: _named(claim, context, name) for group in order for name in group}
    labels = _labels(context, numbers)
    pairs = stated_pairs(claim, order)
    tests = {(a, b): _pooled_p(numbers[a].values, numbers[b].values) for a, b in pairs}
    rows = rows_of(numbers.values())
    (a, b), p = max(tests.items(), key=lambda item: item[1])
    runs = f"{len(numbers[a].values)} and {len(numbers[b].values)} printed runs"
    says = (
        f"From {runs}, {of} of {labels[a]} and {labels[b]} differ at p = {p_value(p)} (t-test, "
        f"uncorrected{f' for {len(pairs)} pairs' if len(pairs) > 1 else ''})"
    )
    if p < alpha:
        return found(SUPPORTED, f"{says}, and every other stated pair below that.", rows=rows)
    seeds = max(_runs_needed(numbers[a].values, numbers[b].values, alpha) for a, b in pairs)
    needed = f"{seeds:,}" if seeds <= MOST_SEEDS else f"more than {MOST_SEEDS:,}"
    return found(INCONCLUSIVE, f"{says}.", rows=rows, settles=f"{needed} seeds per activation")


def _pooled_p(a: Sequence[float], b: Sequence[float]) -> float:
    return float(scipy.stats.ttest_ind(a, b).pvalue)


def _runs_needed(a: Sequence[float], b: Sequence[float], alpha: float) -> int:
    """Fewest runs per side at which the pooled t-test has a power of 0.8."""
    pooled = np.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / 2)
    effect = abs(np.mean(a) - np.mean(b)) / pooled
    for n in range(2, MOST_SEEDS + 1):
        freedom, centre = 2 * n - 2, effect * np.sqrt(n / 2)
        bound = scipy.stats.t.ppf(1 - alpha / 2, freedom)
        if scipy.stats.nct.sf(bound, freedom, centre) >= 0.8:
            return n
    return MOST_SEEDS + 1
