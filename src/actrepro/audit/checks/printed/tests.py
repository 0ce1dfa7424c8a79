"""What tests of the printed runs show, and what so few runs can show.

A conclusion is supported or contradicted by the printed runs, not by the number that is
printed beside it. That number is an expression's matter (`checks.expression`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.stats

from actrepro.audit.checks.printed.expression import Order, apart, named, stated_pairs
from actrepro.audit.claims import Claim
from actrepro.audit.findings import (
    INCONCLUSIVE,
    SUPPORTED,
    Finding,
    found,
    upheld,
)
from actrepro.audit.printed import (
    EXACT,
    Reference,
    joined,
    rows_of,
)
from actrepro.audit.registry import Context, check
from actrepro.core.formats import counted, minus, p_value
from actrepro.results.verdicts import MOST_SEEDS

POWER = 0.8
LEVEL = 0.05
# With fewer cells than this, a correlation of ranks has too few orders to tell anything.
FEWEST_CELLS = 6
# An estimate of a share that is off by more is of no use for planning.
USEFUL_SHARE = 0.1


@check
def no_pairs_to_spread(
    claim: Claim, context: Context, *, runs: int, claimed: bool = False
) -> Finding:
    """That a mean over pairs of few runs has no printed spread, so that it shows no order.

    Supported where that there are too few is what is `claimed`, else inconclusive.
    """
    pairs = counted(runs * (runs - 1) // 2, "pair")
    says = f"{runs} runs have {pairs}, and only the mean is printed: no spread and no test of it."
    if claimed:
        return found(SUPPORTED, says)
    needed = f"more than {runs} seeds, with the difference of every pair"
    return found(INCONCLUSIVE, says, settles=needed)


@check
def correlates(
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
def runs_tell(
    claim: Claim, context: Context, *, order: Order, alpha: float = 0.05, of: str = "numbers"
) -> Finding:
    """Whether the printed runs themselves can tell the order that is stated of their means.

    Two-sided t-tests with equal variances, one per stated pair, uncorrected, so in the
    claim's favour. Inconclusive when one does not reach `alpha`: with the runs per side
    at which it would with a power of 0.8, were the means and spreads as printed.
    """
    numbers = {name: named(claim, context, name) for group in order for name in group}
    labels = apart(list(numbers))
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
