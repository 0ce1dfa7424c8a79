"""Whether printed tests follow from the printed runs, and what so few runs can show.

A printed F or p that its own inputs cannot give, rounding allowed for, is impossible. A
conclusion is another matter: it stands or falls with the runs, whatever number is printed
beside it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import scipy.stats

from actrepro.audit.claims import Claim
from actrepro.audit.findings import (
    CONTRADICTED,
    IMPOSSIBLE,
    INCONCLUSIVE,
    SUPPORTED,
    Evidence,
    Finding,
    found,
    upheld,
)
from actrepro.audit.printed import (
    Computed,
    Printed,
    Reference,
    all_printed,
    as_printed,
    computed,
    joined,
    look_up,
    look_up_one,
    measured,
    rows_of,
    values_of,
)
from actrepro.audit.registry import Context, check
from actrepro.core.formats import counted, listed
from actrepro.statistics import classical
from actrepro.statistics.inference import smallest_p
from actrepro.statistics.power import detectable

POWER = 0.8
LEVEL = 0.05


@check
def p_of_f(claim: Claim, context: Context) -> Finding:
    """Whether a printed p is that of the printed F with its degrees of freedom, else impossible."""
    degrees = claim.numbers("df")
    statistic, stated = (look_up_one(claim, context, key) for key in ("F", "p"))

    def upper_tail(values: Sequence[float]) -> float:
        return float(scipy.stats.f.sf(values[0], *degrees))

    one = computed(upper_tail, [statistic])
    agrees = one.agrees_with(stated)
    needed = float(scipy.stats.f.isf(stated.value, *degrees))
    said = (
        f"F = {as_printed(statistic.value)} with {degrees[0]:g} and {degrees[1]:g} degrees of "
        f"freedom has p = {one.value:.4f}"
    )
    wrong = f"; the printed {as_printed(stated.value)} needs F = {needed:.2f}"
    return upheld(agrees, f"{said}{', as printed' if agrees else wrong}.", otherwise=IMPOSSIBLE)


@check
def anova_is(claim: Claim, context: Context, *, of: Mapping[str, Reference]) -> Finding:
    """Whether printed F and p are the one-way analysis of the printed runs, else impossible.

    Parameters
    ----------
    of
        By activation, the row with its runs.
    """
    parts = joined(claim, context, of.values())
    statistic = computed(_of_runs(of, parts, lambda test: test.statistic), parts)
    probability = computed(_of_runs(of, parts, lambda test: test.p), parts)
    stated = [look_up_one(claim, context, key) for key in ("F", "p")]
    return upheld(
        all(
            one.agrees_with(other)
            for one, other in zip((statistic, probability), stated, strict=True)
        ),
        f"The printed runs give F = {statistic.value:.2f} and p = {probability.value:.4f}; "
        f"printed {all_printed(values_of(stated))}.",
        otherwise=IMPOSSIBLE,
        rows=rows_of(parts),
    )


@check
def tukey_is(
    claim: Claim,
    context: Context,
    *,
    of: Mapping[str, Reference],
    pair: tuple[str, str],
) -> Finding:
    """Whether a printed p is Tukey's of the printed runs, else impossible.

    As `classical.tukey`, for one pair, and with what rounding of the runs can do to the
    statistic: p falls with it. All activations have as many runs.

    Parameters
    ----------
    of
        By activation, the row with its runs; all of them enter the test of any two.
    """
    parts, stated = joined(claim, context, of.values()), look_up_one(claim, context, "value")
    n, a, b = len(values_of(parts)), *map(list(of).index, pair)

    def studentized(values: Sequence[float]) -> float:
        table = np.reshape(values, (len(of), -1))
        error = np.sqrt(table.var(axis=1, ddof=1).mean() / table.shape[1])
        return float(abs(table[a].mean() - table[b].mean()) / error)

    q = computed(studentized, parts)
    at = (q.value, max(0.0, q.value - q.slack), q.value + q.slack)
    p, highest, lowest = (
        float(scipy.stats.studentized_range.sf(x, len(of), n - len(of))) for x in at
    )
    one = Computed(p, max(highest - p, p - lowest))
    return upheld(
        one.agrees_with(stated),
        f"Tukey's test of the printed runs gives p = {one.value:.4f} for {pair[0]} and "
        f"{pair[1]}; printed {as_printed(stated.value)}.",
        otherwise=IMPOSSIBLE,
        rows=rows_of(parts),
    )


@check
def significant_in_runs(
    claim: Claim,
    context: Context,
    *,
    of: Mapping[str, Reference],
    claimed: bool = True,
    reordered: Mapping[str, Reference] | None = None,
) -> Finding:
    """Whether the one-way analysis of the printed runs is significant, as claimed.

    The test that was named decides: supported where its p is on the claimed side of the
    level, else contradicted. What other tests of the same runs say is told beside it, and
    how large a difference they could have shown.

    Parameters
    ----------
    of
        By activation, the row with its runs.
    reordered
        By activation, another order of the same runs that is printed too; tests with seeds
        as blocks are then told for both.
    """
    parts = joined(claim, context, of.values())
    runs = _by_activation(of, parts, values_of(parts))
    test = classical.one_way(runs)
    if test is None:
        says = "The printed runs do not vary, so no test of them can be significant."
        return upheld(not claimed, says, rows=rows_of(parts))
    verdict = SUPPORTED if (test.p < LEVEL) == claimed else CONTRADICTED
    first = Evidence(
        f"A one-way F test of the printed runs, which ignores seeds, gives F = "
        f"{test.statistic:.2f} and p = {test.p:.4f}.",
        rows=rows_of(parts),
    )
    other = {
        name: list(look_up(claim, context, reference).values)
        for name, reference in (reordered or {}).items()
    }
    more = [*_other_tests(runs, other), _shows(runs)]
    return Finding(verdict, (first, *(Evidence(says) for says in more)))


@check
def runs_suffice(claim: Claim, context: Context, *, few: int, enough: Sequence[int]) -> Finding:
    """Whether a few runs cannot show a difference, and the number that is asked for can.

    With seeds as pairs, a difference of one standard deviation of the paired differences,
    at 0.05 and power 0.8 (`power.detectable`, which the exact test's smallest p also bounds).
    Contradicted where the few can, or where the most that is asked for cannot. Told beside
    it is what two independent groups of runs need (statsmodels' `TTestIndPower`).
    """
    most = max(enough)
    numbers = sorted({few, *enough})
    paired = {n: detectable(1.0, n, LEVEL, 1, POWER) for n in numbers}
    first, last = paired[few], paired[most]
    shows = last is not None and last <= 1
    misses = first is None or first > 1
    told = listed(
        [
            f"one of {effect:.2f} with {n} seeds"
            if (effect := paired[n]) is not None
            else f"none with {n} seeds, where the exact test's smallest p is {smallest_p(n):.2g}"
            for n in numbers
        ]
    )
    unpaired = listed([f"{_independent(n):.2f} with {n}" for n in numbers])
    return upheld(
        shows and misses,
        f"Differences that are found in {POWER:.0%} of cases, in standard deviations: within seeds "
        f"{told}; between two groups of runs {unpaired}.",
    )


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
def one_arm_has_power(
    claim: Claim, context: Context, *, one: int, several: Sequence[int]
) -> Finding:
    """Whether runs of a single activation have more power than as many spread over several.

    Power is that of a test, and one activation leaves nothing to test it against, so this is
    contradicted. What is gained is told beside it: the mean of that one activation is known
    more precisely, as the root of the number of its runs.
    """
    gains = listed(
        [f"{(one / n) ** 0.5:.2f} times as precise as {n} runs make it" for n in several]
    )
    return found(
        CONTRADICTED,
        f"With one activation there is no comparison, so its test has no power. {one} runs make "
        f"the mean of that activation {gains}.",
    )


def _by_activation(
    names: Iterable[str], parts: Sequence[Printed], values: Sequence[float]
) -> dict[str, list[float]]:
    """Values that stand one after another, by activation again."""
    remaining = iter(values)
    return {
        name: list(itertools.islice(remaining, len(part.values)))
        for name, part in zip(names, parts, strict=True)
    }


def _of_runs(
    names: Iterable[str],
    parts: Sequence[Printed],
    what: Callable[[classical.OmnibusTest], float],
) -> Callable[[Sequence[float]], float]:
    """One number of the analysis of variance, as a function of all runs."""

    def number(values: Sequence[float]) -> float:
        test = classical.one_way(_by_activation(names, parts, values))
        return float("nan") if test is None else what(test)

    return number


def _other_tests(
    runs: Mapping[str, list[float]], reordered: Mapping[str, list[float]]
) -> list[str]:
    """What other tests say of the same runs."""
    welch = classical.welch(runs)
    if welch is None or len({tuple(values) for values in runs.values()}) == 1:
        return []
    kruskal = float(scipy.stats.kruskal(*runs.values()).pvalue)
    told = [
        f"Welch {welch.p:.3f}",
        f"Kruskal and Wallis {kruskal:.3f}",
        f"all relabelings {relabelled_p(runs):.3f}",
    ]
    blocks = [classical.blocked(runs)]
    blocks += [classical.blocked({**runs, **reordered})] if reordered else []
    ps = [f"{test.p:.3f}" for test in blocks if test is not None]
    told += [f"seeds as blocks {' or '.join(ps)}"] if ps else []
    why = ", by the order of the runs" if len(ps) > 1 else ""
    return [f"Other tests of them, p: {', '.join(told)}{why}."]


def relabelled_p(runs: Mapping[str, Sequence[float]]) -> float:
    """Exact p of the one-way F over all ways to deal the runs to the activations."""
    sizes = [len(values) for values in runs.values()]
    deals = math.prod(math.comb(sum(sizes[place:]), n) for place, n in enumerate(sizes))
    found_p = scipy.stats.permutation_test(
        [np.asarray(values) for values in runs.values()],
        lambda *samples, axis: scipy.stats.f_oneway(*samples, axis=axis).statistic,
        permutation_type="independent",
        vectorized=True,
        n_resamples=deals,
        alternative="greater",
    )
    return float(found_p.pvalue)


def _shows(runs: Mapping[str, Sequence[float]]) -> str:
    """How large a difference of two activations these runs show with the usual power."""
    n = len(next(iter(runs.values())))
    pooled = float(np.sqrt(np.mean([np.var(values, ddof=1) for values in runs.values()])))
    means = [float(np.mean(values)) for values in runs.values()]
    return (
        f"With {n} runs each and a pooled SD of {measured(pooled)}, two activations must differ by "
        f"{measured(_independent(n) * pooled)} for a t-test to tell them apart in {POWER:.0%} of "
        f"cases, uncorrected for the pairs; the farthest differ by "
        f"{measured(max(means) - min(means))}."
    )


def _independent(n: int) -> float:
    """Standard deviations that two groups of n show at 0.05 and power 0.8, by statsmodels."""
    from statsmodels.stats.power import TTestIndPower

    return float(TTestIndPower().solve_power(nobs1=n, alpha=LEVEL, power=POWER))
