"""Differences that a scale's seeds and more seeds could find: levels, plans and choices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median, median_high

from actrepro.measures import PRIMARY
from actrepro.predict.store import FINAL
from actrepro.results import schema
from actrepro.results.cells import Stats, known
from actrepro.results.contrasts import AT, COMPARED, Contrast, alpha, contrasts_of, family
from actrepro.results.verdicts import INCONCLUSIVE, UNSOUND
from actrepro.statistics.inference import smallest_p
from actrepro.statistics.power import detectable

POWER = 0.8
# Largest number of seeds in a plan, and the approximate number of its points.
MOST_SEEDS = 64
POINTS = 12
# Numbers of seeds to choose from, and those that a table shows.
SEEDS = range(2, 31)
FEW_SEEDS = (3, 5, 10, 20)


def tested_contrasts(stats: Stats, model: str) -> list[Contrast]:
    """Return a model's tested contrasts in the primary measure.

    These are the contrasts between sound cells with enough runs.
    """
    return [
        contrast
        for contrast in family(stats, model, PRIMARY)
        if contrast["p"] is not None and contrast["verdict"] != UNSOUND
    ]


def seeds_needed(tests: int, level: float) -> int:
    """Return the fewest seeds with tests · 2/2ⁿ < level, where a corrected test can find one."""
    return math.floor(1 + math.log2(tests / level)) + 1


def reach(stats: Stats) -> schema.Reach:
    """Compute the smallest p-values that the seeds allow in the primary measure."""
    every = (tested_contrasts(stats, model) for model in stats["models"])
    families = [
        [known(contrast["p_smallest"]) for contrast in contrasts]
        for contrasts in every
        if contrasts
    ]
    omnibus = (model["rules"][FINAL]["omnibus"][PRIMARY] for model in stats["models"].values())
    largest = max(map(len, families), default=0)
    return {
        "p": min((min(p_values) for p_values in families), default=None),
        # Holm's first and hardest step.
        "p_holm": min(
            (min(1.0, len(p_values) * min(p_values)) for p_values in families), default=None
        ),
        "p_omnibus": min((test["p_smallest"] for test in omnibus if test), default=None),
        "contrasts": largest,
        "seeds_needed": seeds_needed(largest, alpha(stats)) if largest else None,
    }


def undecided(
    stats: Stats,
) -> dict[schema.ComparedRule, dict[str, schema.UndecidedContrasts]]:
    """Summarise the seeds that would settle inconclusive contrasts, by rule and measure.

    Each measure has a summary of all models together, and one of each model.
    """
    return {
        rule: {
            compared.metric: {
                "together": _summary(
                    [contrast for _, contrast in contrasts_of(stats, compared.metric, rule)]
                ),
                "models": {
                    model: _summary(family(stats, model, compared.metric, rule))
                    for model in stats["models"]
                },
            }
            for compared in COMPARED
            if rule in compared.rules
        }
        for rule in AT
    }


def _summary(contrasts: Sequence[Contrast]) -> schema.Undecided:
    """Count the inconclusive contrasts, and summarise the seeds that would settle them."""
    inconclusive = [contrast for contrast in contrasts if contrast["verdict"] == INCONCLUSIVE]
    planned = [contrast for contrast in inconclusive if contrast["seeds_to_settle"] is not None]
    plans = [plan for contrast in planned if (plan := contrast["seeds_to_settle"]) is not None]
    sizes = [contrast["detectable"] for contrast in planned if contrast["detectable"] is not None]
    settled = sorted(plan["either"] for plan in plans if plan["either"] is not None)
    return {
        "contrasts": len(inconclusive),
        "planned": len(planned),
        "settled": len(settled),
        "seeds": _seed_ends(settled),
        # Contrasts that no number of seeds settles count as infinite in the median.
        "median_seeds": settled[len(plans) // 2] if len(settled) > len(plans) / 2 else None,
        "detectable": _size_ends(sizes),
    }


def _seed_ends(numbers: Sequence[int]) -> schema.SeedEnds | None:
    if not numbers:
        return None
    return {"least": min(numbers), "median": median_high(numbers), "most": max(numbers)}


def _size_ends(sizes: Sequence[float]) -> schema.SizeEnds | None:
    if not sizes:
        return None
    return {"least": min(sizes), "median": median_high(sizes), "most": max(sizes)}


def planning(stats: Stats) -> schema.Planning:
    """Plan numbers of seeds and activations in the primary measure, with the spreads seen here."""
    plans = {model: plan_of(stats, model) for model in stats["models"]}
    level, activations = alpha(stats), len(stats["activations"])
    return {
        "power": POWER,
        "most_seeds": MOST_SEEDS,
        "plans": plans,
        "seeds": list(SEEDS),
        "p_smallest": [smallest_p(n) for n in SEEDS],
        "choices": [_choice(k, level) for k in range(2, activations + 1)],
        "examples": _examples(plans, activations, level),
    }


def plan_of(stats: Stats, model: str) -> schema.Plan | None:
    """Return a model's smallest detectable differences by number of seeds.

    The numbers of seeds begin with the fewest whose exact test can reach α divided by the
    model's contrasts. None where no contrast was tested or none has a spread.
    """
    contrasts = tested_contrasts(stats, model)
    sds = [contrast["sd"] for contrast in contrasts if contrast["sd"] is not None]
    if not sds:
        return None
    level, tests = alpha(stats), len(contrasts)
    able = [n for n in range(2, MOST_SEEDS + 1) if smallest_p(n) < level / tests]
    seeds = _spread(able)
    sizes = [detectable(1.0, n, level, tests, POWER) or 0.0 for n in seeds]
    least, middle, most = (_plan_line(sd, sizes) for sd in (min(sds), median(sds), max(sds)))
    return {
        "contrasts": tests,
        "seeds": seeds,
        "least": least,
        "median": middle,
        "most": most,
    }


def _plan_line(sd: float, sizes: Sequence[float]) -> schema.PlanLine:
    """Return the differences that one spread allows; `sizes` are in standard deviations."""
    return {"sd": sd, "detectable": [sd * size for size in sizes]}


def _spread(numbers: Sequence[int]) -> list[int]:
    """Select about `POINTS` numbers, ever farther apart, with the first and the last."""
    if len(numbers) < 2:
        return list(numbers)
    first, last = numbers[0], numbers[-1]
    ratio = (last / first) ** (1 / (POINTS - 1))
    return sorted({min(last, round(first * ratio**step)) for step in range(POINTS)})


def _choice(activations: int, level: float) -> schema.Choice:
    """Return the seeds that comparing this many activations takes, and the differences found."""
    pairs = math.comb(activations, 2)
    return {
        "activations": activations,
        "pairs": pairs,
        "seeds_needed": seeds_needed(pairs, level),
        "detectable": [detectable(1.0, n, level, pairs, POWER) for n in SEEDS],
    }


def _examples(
    plans: Mapping[str, schema.Plan | None], activations: int, level: float
) -> list[schema.Example]:
    """Return what a few choices could find: all activations or two, with a few numbers of seeds."""
    sds = [plan["median"]["sd"] for plan in plans.values() if plan is not None]
    if activations < 2 or not sds:
        return []
    return [
        {
            "activations": k,
            "seeds": n,
            "pairs": math.comb(k, 2),
            "detectable": _detectable(n, level, math.comb(k, 2), sds),
        }
        for k in dict.fromkeys((activations, 2))
        for n in FEW_SEEDS
    ]


def _detectable(n: int, level: float, pairs: int, sds: Sequence[float]) -> list[float] | None:
    """Return the smallest and the largest of several models' detectable differences."""
    unit = detectable(1.0, n, level, pairs, POWER)
    return None if unit is None else [unit * min(sds), unit * max(sds)]
