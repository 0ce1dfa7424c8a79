"""Tests within seeds of differences between activations, in own results."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from actrepro.audit.claims import Claim
from actrepro.audit.compared import measure_name
from actrepro.audit.findings import (
    CONTRADICTED,
    INCONCLUSIVE,
    SUPPORTED,
    Finding,
    MissingError,
    Number,
    found,
)
from actrepro.audit.registry import Context, check
from actrepro.audit.results import ModelResults
from actrepro.audit.words import called, gates_of
from actrepro.core.formats import listed
from actrepro.results.verdicts import EQUIVALENT, alpha
from actrepro.statistics.inference import Floats, holm
from actrepro.statistics.permutation import blocked_omnibus_p


@check
def models_differ(
    claim: Claim, context: Context, *, models: Sequence[str], measure: str, only: str = ""
) -> Finding:
    """Test that activations differ in one model (`only`) of several, or in none, in new runs.

    Relabelled within seeds (`permutation.blocked_omnibus_p`), p adjusted for the models
    (Holm). Another model that differs contradicts it; so does `only` where all its
    activations are equivalent. Where its own p stays above the level otherwise, or where so
    few seeds cannot give a significant result at all, it is inconclusive.
    """
    omnibus = _of_models(claim, context, models, measure)
    level = alpha(context.results.study.confidence)
    told, numbers = _told(claim, context, omnibus, measure), _numbers(omnibus)
    if any(one.model != only and one.p_holm < level for one in omnibus):
        return found(CONTRADICTED, told, *numbers)
    blind = next((one for one in omnibus if one.p_smallest * len(omnibus) >= level), None)
    if only:
        own_test = next(one for one in omnibus if one.model == only)
        if own_test.p_holm < level:
            return found(SUPPORTED, told, *numbers)
        if own_test.all_equivalent:
            return found(CONTRADICTED, f"{told} Its activations are equivalent.", *numbers)
        blind = own_test
    if blind is not None:
        return found(INCONCLUSIVE, told, *numbers, settles=_seeds(blind, len(omnibus), level))
    return found(SUPPORTED, told, *numbers)


@dataclass(frozen=True)
class _Omnibus:
    """A model's test that its activations are alike, in new runs.

    Attributes
    ----------
    p, p_holm, p_smallest
        Within seeds; adjusted for the models; and the smallest these seeds can give.
    k
        The number of activations.
    all_equivalent
        True if every two of them were shown to be equivalent.
    """

    model: str
    p: float
    p_holm: float
    p_smallest: float
    k: int
    numbers: tuple[Number, ...]
    all_equivalent: bool


def _of_models(
    claim: Claim, context: Context, models: Sequence[str], measure: str
) -> list[_Omnibus]:
    """Return each model's test."""
    places = [(claim.scale or "", name) for name in models]
    context.results.require(dict.fromkeys(places, claim.activations))
    tests = [_omnibus(claim, context.results.models[place], measure) for place in places]
    adjusted = holm([test.p for test in tests])
    return [replace(one, p_holm=p) for one, p in zip(tests, adjusted, strict=True)]


def _omnibus(claim: Claim, model: ModelResults, measure: str) -> _Omnibus:
    names = [name for name in claim.activations if name in model.activations]
    names = names or list(model.activations)
    scores = {name: model.by_seed(name, measure) for name in names}
    seeds = sorted(set.intersection(*(set(one) for one in scores.values())))
    numbers = [model.score(name, measure) for name in names]
    if len(names) < 2 or len(seeds) < 2 or None in numbers:
        raise MissingError(_no_numbers(model))
    table: Floats = np.array([[scores[name][seed] for name in names] for seed in seeds])
    test = blocked_omnibus_p(table)
    pairs = [model.all_of_contrast(measure, a, b) for a, b in itertools.combinations(names, 2)]
    return _Omnibus(
        model.stats["model"],
        test.p,
        test.p,
        test.p_smallest,
        len(names),
        tuple(number for number in numbers if number is not None),
        all(one.get("verdict") == EQUIVALENT for one in pairs),
    )


def _no_numbers(model: ModelResults) -> Finding:
    return found(
        INCONCLUSIVE,
        f"{model.file} has too few runs that can be used.",
        settles="two usable seeds of every activation at the least",
        files=(model.file,),
    )


def _told(claim: Claim, context: Context, tests: Sequence[_Omnibus], measure: str) -> str:
    each = listed([f"{one.p:.3g} ({called(one.model)})" for one in tests])
    said = measure_name(context, (claim.scale or "", tests[0].model), measure)
    adjusted = listed([f"{one.p_holm:.3g}" for one in tests])
    failed = _failed([number for one in tests for number in one.numbers])
    return f"That activations are alike in {said}: p = {each}; by Holm {adjusted}{failed}."


def _numbers(tests: Sequence[_Omnibus]) -> tuple[Number, ...]:
    return tuple(number for one in tests for number in one.numbers)


def _failed(numbers: Sequence[Number]) -> str:
    gates = gates_of(numbers)
    return f", of cells that failed the gate {listed(gates)}" if gates else ""


def _seeds(test: _Omnibus, family: int, level: float) -> str:
    """Return the seeds at which a test within seeds could reach the level, if it cannot yet."""
    runs = len(test.numbers) and max(number.n or 0 for number in test.numbers)
    if test.p_smallest * family < level:
        return f"more than {runs} seeds"
    n = next(n for n in itertools.count(2) if family / _ways(test.k, n) < level)
    return f"{n} seeds or more, without which no result can be significant"


def _ways(k: int, n: int) -> float:
    """Relabelings of k activations within n seeds (`permutation.relabelings`)."""
    return float(math.factorial(k)) ** (n - 1)
