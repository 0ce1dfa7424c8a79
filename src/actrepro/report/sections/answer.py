"""The report's answer in words: a headline and a sentence per model, from the verdicts alone.

Nothing here claims more than the statistics do: a contrast that no test could settle is called
undecided, and a difference that holds only at the fixed step is described as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actrepro.core.formats import counted, listed, number, p_value
from actrepro.measures import PRIMARY
from actrepro.predict.store import FINAL, MATCHED
from actrepro.report.kit.tables import Entry, Row, Table, stats_key
from actrepro.results.cells import Stats, cells_of, sound
from actrepro.results.contrasts import (
    AT,
    COMPARED,
    LOSS,
    UNTESTED,
    Compared,
    Contrast,
    alpha,
    contrasts_of,
    family,
    omnibus_p,
    verdict_of,
)
from actrepro.results.schema import ComparedRule
from actrepro.results.verdicts import DIFFERENT, EQUIVALENT, INCONCLUSIVE, UNSOUND

[OF_PRIMARY] = [compared for compared in COMPARED if compared.metric == PRIMARY]
# Names of verdicts in counts. "Undecided" is harder to misread as "the same" than "inconclusive".
VERDICT_NAMES = {
    DIFFERENT: "different",
    EQUIVALENT: "equivalent",
    INCONCLUSIVE: "undecided",
    UNSOUND: "unsound",
    UNTESTED: UNTESTED,
}
SIGNS = {DIFFERENT: "≠", EQUIVALENT: "≈", INCONCLUSIVE: "?", UNSOUND: "†", UNTESTED: "–"}
MOST_NAMED = 4
# Measures that sentences mention; the table of verdicts has the others too.
IN_WORDS = (PRIMARY, LOSS)


def headline(stats: Stats) -> str:
    """Answer the study's question for a scale, in a sentence or two."""
    if len(stats["activations"]) < 2:
        return "Not asked: with one activation there is nothing to compare."
    by_verdict = _by_verdict(stats, FINAL)
    judged = sum(len(by_verdict[verdict]) for verdict in (DIFFERENT, EQUIVALENT, INCONCLUSIVE))
    seeds = counted(len(stats["seeds"]), "seed")
    if not judged:
        return (
            f"Nothing can be said: no two activations of a model could be compared with {seeds} "
            f"(gates failed, or runs are missing)."
        )
    sentences = [
        _at_fixed_step(stats, by_verdict, judged, seeds),
        _at_matched(stats, by_verdict),
        _omnibus_models(stats),
    ]
    return " ".join(filter(None, sentences))


ByVerdict = Mapping[str, Sequence[tuple[str, Contrast]]]


def _by_verdict(stats: Stats, rule: ComparedRule) -> dict[str, list[tuple[str, Contrast]]]:
    contrasts: dict[str, list[tuple[str, Contrast]]] = {verdict: [] for verdict in VERDICT_NAMES}
    for model, contrast in contrasts_of(stats, PRIMARY, rule):
        contrasts[verdict_of(contrast)].append((model, contrast))
    return contrasts


def _at_fixed_step(stats: Stats, by_verdict: ByVerdict, judged: int, seeds: str) -> str:
    """Describe the verdicts at the fixed step."""
    size = f"{counted(judged, 'sound pair')} of activations"
    margin = OF_PRIMARY.margin(stats)
    differing, alike = by_verdict[DIFFERENT], by_verdict[EQUIVALENT]
    undecided = len(by_verdict[INCONCLUSIVE])
    if differing:
        models = list(dict.fromkeys(model for model, _ in differing))
        rest = _rest(len(alike), undecided, margin)
        return (
            f"Yes, in {listed(models, MOST_NAMED)}: with {seeds}, {len(differing)} of {size} are "
            f"shown to differ in reproducibility from seed to seed.{rest}"
        )
    if undecided == 0:
        return (
            f"Not by more than the margin: with {seeds}, each of {size} is shown to be equivalent "
            f"within {margin} in total variation between seeds."
        )
    if alike:
        return (
            f"Not shown: with {seeds}, none of {size} is shown to differ. {len(alike)} are shown "
            f"to be equivalent within {margin}; {undecided} are undecided, which is not the same."
        )
    return (
        f"Undecided: with {seeds}, none of {size} could be shown to differ, or to be equivalent "
        f"within {margin}."
    )


def _rest(alike: int, undecided: int, margin: str) -> str:
    parts = []
    if alike:
        parts.append(f"{alike} are equivalent within {margin}")
    if undecided:
        parts.append(f"{undecided} are undecided")
    return f" Of the others, {listed(parts)}." if parts else ""


def _at_matched(stats: Stats, by_verdict: ByVerdict) -> str:
    """Say whether the differences remain when runs are compared at equal loss."""
    matched = _by_verdict(stats, MATCHED)
    judged = sum(len(matched[verdict]) for verdict in (DIFFERENT, EQUIVALENT, INCONCLUSIVE))
    if not judged:
        return ""
    count = len(matched[DIFFERENT])
    if not by_verdict[DIFFERENT] and not count:
        return f"The same holds {AT[MATCHED]}." if _alike(by_verdict, matched) else ""
    numbers = (
        f"{count} of {counted(judged, 'pair')} differ" if count else "no pair is shown to differ"
    )
    why = "" if count else ", so the difference may only be one of sharpness"
    return f"{AT[MATCHED].capitalize()}, {numbers}{why}."


def _alike(by_verdict: ByVerdict, matched: ByVerdict) -> bool:
    """Check whether both rules gave the same kinds of undecided and equivalent verdicts."""
    return all(
        bool(by_verdict[verdict]) == bool(matched[verdict])
        for verdict in (EQUIVALENT, INCONCLUSIVE)
    )


def _omnibus_models(stats: Stats) -> str:
    """Name the models whose activations differ in the omnibus test, which names no pair."""
    below = {model: p for model, p in omnibus_p(stats, PRIMARY).items() if p < alpha(stats)}
    if not below:
        return ""
    named = [f"{model} (p {p_value(p)})" for model, p in below.items()]
    return (
        f"Tested all at once {AT[FINAL]}, the activations of {listed(named, MOST_NAMED)} are not "
        f"all equally reproducible (corrected for the number of models)."
    )


def omnibus_line(stats: Stats) -> str:
    """Count the models whose activations differ in the tests of all activations at once."""
    parts = []
    for compared in COMPARED:
        p_values = omnibus_p(stats, compared.metric) if compared.metric in IN_WORDS else {}
        if p_values:
            below = sum(p < alpha(stats) for p in p_values.values())
            models = f"{below} of {counted(len(p_values), 'model')}"
            parts.append(
                f"in {models} for {compared.name} (smallest p {p_value(min(p_values.values()))})"
            )
    if not parts:
        return ""
    return (
        f"All sound activations of a model tested together at the fixed step, labels permuted "
        f"within seeds, corrected for the number of models: p < {alpha(stats):g} {listed(parts)}."
    )


def model_sentence(stats: Stats, model: str) -> str:
    """Describe one model's contrasts, with n."""
    sentences = [_size(stats, model)]
    for rule in OF_PRIMARY.rules:
        if counts := _counted(family(stats, model, PRIMARY, rule), stats):
            sentences.append(f"{AT[rule].capitalize()}: {counts}.")
    p = omnibus_p(stats, PRIMARY).get(model)
    if p is not None:
        sentences.append(f"All at once: p {p_value(p)}.")
    return " ".join(sentences)


def _size(stats: Stats, model: str) -> str:
    cells = cells_of(stats, model)
    values = {
        name: difference["value"]
        for name, cell in cells.items()
        if sound(cell) and (difference := cell["differences"][PRIMARY]) is not None
    }
    if not values:
        return "No sound cell has two runs to compare."
    n = sorted({cells[name]["n"] for name in values})
    seeds = f"n = {n[0]}" if len(n) == 1 else f"n = {n[0]} to {n[-1]}"
    least, most = (pick(values, key=values.__getitem__) for pick in (min, max))
    if least == most:
        return f"Total variation between seeds {number(values[least], 3)} with {least} ({seeds})."
    return (
        f"Total variation between seeds from {number(values[least], 3)} ({least}) to "
        f"{number(values[most], 3)} ({most}), {seeds}."
    )


def _counted(contrasts: Sequence[Contrast], stats: Stats) -> str:
    """Count a family's verdicts in words, with the decided pairs by name."""
    by_verdict: dict[str, list[str]] = {}
    for contrast in contrasts:
        by_verdict.setdefault(verdict_of(contrast), []).append(f"{contrast['a']}–{contrast['b']}")
    parts = []
    for verdict, called in VERDICT_NAMES.items():
        if pairs := by_verdict.get(verdict):
            within = f" within {OF_PRIMARY.margin(stats)}" if verdict == EQUIVALENT else ""
            named = f" ({listed(pairs, MOST_NAMED)})" if verdict in (DIFFERENT, EQUIVALENT) else ""
            parts.append(f"{len(pairs)} {called}{within}{named}")
    return f"of {counted(len(contrasts), 'pair')} {listed(parts)}" if parts else ""


@dataclass(frozen=True)
class Bar:
    """A model's pairs under one checkpoint rule, counted by verdict.

    `parts` are verdicts, with their numbers of pairs and their shares in per cent.
    """

    label: str
    description: str
    parts: Sequence[tuple[str, int, str]]


def model_bars(stats: Stats, model: str) -> list[Bar]:
    """Return bars of the primary measure's verdicts, one per checkpoint rule."""
    return [
        _bar(AT[rule], [verdict_of(contrast) for contrast in family(stats, model, PRIMARY, rule)])
        for rule in OF_PRIMARY.rules
    ]


def _bar(label: str, verdicts: Sequence[str]) -> Bar:
    counts = [
        (verdict, verdicts.count(verdict)) for verdict in VERDICT_NAMES if verdict in verdicts
    ]
    numbers = [f"{count} {VERDICT_NAMES[verdict]}" for verdict, count in counts]
    return Bar(
        label,
        f"{label}: {listed(numbers or ['-'])}",
        [
            (VERDICT_NAMES[verdict], count, f"{100 * count / len(verdicts):.4g}%")
            for verdict, count in counts
        ],
    )


def answer_table(stats: Stats) -> Table:
    """Return verdicts by model: a row per model, a column per measure and checkpoint rule."""
    columns = [(compared, rule) for compared in COMPARED for rule in compared.rules]
    return Table(
        "Verdicts by model",
        f"Pairs of activations by how their comparison ended: {_legend()}. Equivalent is within "
        f"the margin fixed beforehand; undecided is no evidence of sameness.",
        ["model", *(_column(compared, rule) for compared, rule in columns)],
        [
            Row([model, *(_verdicts(stats, model, compared, rule) for compared, rule in columns)])
            for model in stats["models"]
        ],
        source=stats_key(stats, "models.*.rules.*.contrasts.*.verdict"),
        keys=[f"models.{model}.rules.*.contrasts" for model in stats["models"]],
    )


def _legend() -> str:
    names = {**VERDICT_NAMES, UNSOUND: f"{VERDICT_NAMES[UNSOUND]} (a cell failed a gate)"}
    return ", ".join(f"{SIGNS[verdict]} {called}" for verdict, called in names.items())


def _column(compared: Compared, rule: ComparedRule) -> str:
    name = compared.name.replace(" between seeds", "").replace("test ", "")
    return f"{name}, matched loss" if rule == MATCHED else name


def _verdicts(stats: Stats, model: str, compared: Compared, rule: ComparedRule) -> Entry:
    verdicts = [verdict_of(contrast) for contrast in family(stats, model, compared.metric, rule)]
    counts = {verdict: verdicts.count(verdict) for verdict in VERDICT_NAMES if verdict in verdicts}
    kind = next((verdict for verdict in (DIFFERENT, EQUIVALENT) if verdict in counts), "")
    return Entry(
        " ".join(f"{count} {SIGNS[verdict]}" for verdict, count in counts.items()) or "—",
        hint=", ".join(f"{count} {VERDICT_NAMES[verdict]}" for verdict, count in counts.items()),
        kind=kind,
    )
