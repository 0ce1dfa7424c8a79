"""Whether studies that the documents wish for have been made, and how they came out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from actrepro.audit.checks.program.capabilities import gone_of, lacking, sources_of
from actrepro.audit.claims import Claim
from actrepro.audit.compared import name_in
from actrepro.audit.findings import (
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_TESTABLE,
    SUPPORTED,
    Evidence,
    Finding,
    Number,
    found,
)
from actrepro.audit.registry import Context, check
from actrepro.audit.results import ModelResults
from actrepro.audit.words import called, seeds_told
from actrepro.core.errors import ActreproError
from actrepro.core.formats import listed
from actrepro.gates.outcome import in_order
from actrepro.predict.store import FINAL
from actrepro.results.verdicts import DIFFERENT, EQUIVALENT

# How activations may be expected to be, and the verdicts on contrasts that show something.
ALIKE = "alike"
DIFFER = "differ"
SHOWN = (DIFFERENT, EQUIVALENT)


@check
def awaits(
    claim: Claim,
    context: Context,
    *,
    scale: str,
    models: Sequence[str],
    activations: Sequence[str],
    corpora: Sequence[str] = (),
    expects: Mapping[str, str] | None = None,
    ahead: str | None = None,
    measure: str = "loss.all",
    tells: str = "",
) -> Finding:
    """Whether the study that a wish asks for has been made, and whether it went as expected.

    Made and as expected is supported; the other way round is contradicted; what contrasts
    leave open is inconclusive. What this program cannot run is not testable.

    Parameters
    ----------
    scale, models, activations, corpora
        What must have been run; when the program lacks one, nobody can run it.
    expects
        By model whether its activations `differ` or are `alike`, by the verdicts on the
        contrasts of `measure` at the final step. Alike needs a shown equivalence.
    ahead
        The activation with the lowest `measure`, shown to differ from all others.
    tells
        Where those results are missing: what they would settle of the wish, and what not.
    """
    _refuse_unknown_words(claim, (expects or {}).values())
    study = context.results.study
    needed = {"scales": [scale], "models": models, "activations": activations, "corpora": corpora}
    gone = gone_of(study, needed)
    if any(gone.values()):
        sources = sources_of({kind: names for kind, names in gone.items() if names})
        return found(NOT_TESTABLE, lacking(needed, gone), files=sources)
    missing = context.results.missing({(scale, model): activations for model in models})
    if missing is not None:
        told = (Evidence(tells),) if tells else ()
        return Finding(missing.verdict, (*missing.evidence, *told), missing.settles)
    results = {model: context.results.models[scale, model] for model in models}
    if not expects and ahead is None:
        return found(SUPPORTED, _made(results), *_losses(results, activations, measure))
    judged = [
        _as_expected(one, activations, measure, expects[model])
        for model, one in results.items()
        if expects and model in expects
    ]
    if ahead is not None:
        judged += [_is_ahead(one, ahead, activations, measure) for one in results.values()]
    return _together(judged)


def _refuse_unknown_words(claim: Claim, words: Iterable[str]) -> None:
    for word in words:
        if word not in (ALIKE, DIFFER):
            raise ActreproError(
                f"claim {claim.id}: awaits expects activations to {DIFFER} or to be {ALIKE}, "
                f"found '{word}'"
            )


def _made(results: Mapping[str, ModelResults]) -> str:
    return f"It has been studied: {listed([one.file for one in results.values()])}."


def _losses(
    results: Mapping[str, ModelResults], activations: Sequence[str], measure: str
) -> Iterator[Number]:
    for one in results.values():
        for activation in activations:
            number = one.score(activation, measure)
            if number is not None:
                yield number


def _contrasts(
    results: ModelResults, activations: Sequence[str], measure: str
) -> list[Mapping[str, Any]]:
    """The contrasts of a measure between some activations, at the final step."""
    return [
        one
        for one in results.stats["rules"][FINAL]["contrasts"]
        if one["metric"] == measure and {one["a"], one["b"]} <= set(activations)
    ]


def _as_expected(
    results: ModelResults, activations: Sequence[str], measure: str, word: str
) -> Finding:
    """Whether a model's activations differ, or are all alike, as expected."""
    contrasts = _contrasts(results, activations, measure)
    different = [one for one in contrasts if one["verdict"] == DIFFERENT]
    alike = bool(contrasts) and all(one["verdict"] == EQUIVALENT for one in contrasts)
    told = (
        f"{called(results.stats['model'])}: {len(different)} of {len(contrasts)} contrasts in "
        f"{name_in(results, measure)} are different"
    )
    if different or alike:
        verdict = SUPPORTED if bool(different) == (word == DIFFER) else CONTRADICTED
        ending = "" if different else ", and all are shown to be within the margin"
        return found(verdict, f"{told}{ending}.", *_numbers(results, different or contrasts))
    return _open(results, contrasts, told)


def _is_ahead(
    results: ModelResults, ahead: str, activations: Sequence[str], measure: str
) -> Finding:
    """Whether one activation has the lowest value, and is shown to differ from each other one."""
    contrasts = [one for one in _contrasts(results, activations, measure) if ahead in _ends(one)]
    lower = [one for one in contrasts if _lower(one, ahead)]
    against = [one for one in contrasts if one not in lower and one["verdict"] in SHOWN]
    behind = [one["a"] if one["b"] == ahead else one["b"] for one in lower]
    told = (
        f"{called(results.stats['model'])}: {ahead} is shown to have a lower "
        f"{name_in(results, measure)} than {listed(behind) if behind else 'no other'}"
    )
    if against:
        return found(
            CONTRADICTED,
            f"{told}; shown to be equivalent, or the other way round: {_named(against)}.",
            *_numbers(results, against),
        )
    if len(lower) == len(contrasts):
        return found(SUPPORTED, f"{told}.", *_numbers(results, contrasts))
    return _open(results, contrasts, told)


def _ends(contrast: Mapping[str, Any]) -> tuple[str, str]:
    return contrast["a"], contrast["b"]


def _lower(contrast: Mapping[str, Any], ahead: str) -> bool:
    """Whether an end of a contrast is shown to be the lower one."""
    sign = 1 if contrast["a"] == ahead else -1
    return bool(contrast["verdict"] == DIFFERENT and sign * contrast["value"] < 0)


def _named(contrasts: Iterable[Mapping[str, Any]]) -> str:
    return listed([f"{one['a']} − {one['b']}" for one in contrasts])


def _numbers(results: ModelResults, contrasts: Iterable[Mapping[str, Any]]) -> Iterator[Number]:
    for one in contrasts:
        number = results.contrast(one["metric"], one["a"], one["b"])
        if number is not None:
            yield number


def _open(results: ModelResults, contrasts: Sequence[Mapping[str, Any]], told: str) -> Finding:
    """What the contrasts leave open, with the seeds that would settle it."""
    unsettled = [one for one in contrasts if one["verdict"] not in SHOWN]
    failed = in_order(gate for one in unsettled for gate in one["failed_gates"])
    gates = f", some of cells that failed {', '.join(failed)}" if failed else ""
    return found(
        INCONCLUSIVE,
        f"{told}; of {len(contrasts)} contrasts {len(unsettled)} are open{gates}.",
        *_numbers(results, unsettled),
        settles=f"runs that pass {', '.join(failed)}" if failed else _seeds(unsettled),
    )


def _seeds(contrasts: Iterable[Mapping[str, Any]]) -> str:
    """Seeds that would settle all of some contrasts."""
    counts = [(one["seeds_to_settle"] or {}).get("either") for one in contrasts]
    known = [count for count in counts if count is not None]
    return seeds_told(max(known) if known and len(known) == len(counts) else None)


def _together(judged: Sequence[Finding]) -> Finding:
    """All parts of an expectation: one that fails refutes it, and all must hold."""
    for verdict in (CONTRADICTED, INCONCLUSIVE):
        for one in judged:
            if one.verdict == verdict:
                evidence = tuple(part for other in judged for part in other.evidence)
                return Finding(verdict, evidence, one.settles)
    return Finding(SUPPORTED, tuple(part for one in judged for part in one.evidence))
