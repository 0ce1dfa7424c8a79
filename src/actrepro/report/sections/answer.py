"""The report's answer in words: a headline and a sentence per model, from the verdicts alone.

Nothing here is stronger than the statistics: what no test could show is called undecided, and
a difference that stands at the fixed step only is said to.
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
# How a verdict is called where it is counted: no reader takes "inconclusive" for "the same".
CALLED = {
    DIFFERENT: "different",
    EQUIVALENT: "equivalent",
    INCONCLUSIVE: "undecided",
    UNSOUND: "unsound",
    UNTESTED: UNTESTED,
}
SIGNS = {DIFFERENT: "≠", EQUIVALENT: "≈", INCONCLUSIVE: "?", UNSOUND: "†", UNTESTED: "–"}
MOST_NAMED = 4
# The table of verdicts has the others.
TOLD = (PRIMARY, LOSS)


def headline(stats: Stats) -> str:
    """What a scale's contrasts in the primary measure say of the question, in a sentence or two."""
    if len(stats["activations"]) < 2:
        return "Not asked: with one activation there is nothing to compare."
    found = _by_verdict(stats, FINAL)
    judged = sum(len(found[verdict]) for verdict in (DIFFERENT, EQUIVALENT, INCONCLUSIVE))
    seeds = counted(len(stats["seeds"]), "seed")
    if not judged:
        return (
            f"Nothing can be said: no two activations of a model could be compared with {seeds} "
            f"(gates failed, or runs are missing)."
        )
    said = [_first(stats, found, judged, seeds), _at_matched(stats, found), _at_once(stats)]
    return " ".join(filter(None, said))


Found = Mapping[str, Sequence[tuple[str, Contrast]]]


def _by_verdict(stats: Stats, rule: ComparedRule) -> dict[str, list[tuple[str, Contrast]]]:
    found: dict[str, list[tuple[str, Contrast]]] = {verdict: [] for verdict in CALLED}
    for model, contrast in contrasts_of(stats, PRIMARY, rule):
        found[verdict_of(contrast)].append((model, contrast))
    return found


def _first(stats: Stats, found: Found, judged: int, seeds: str) -> str:
    """Of the fixed step."""
    size = f"{counted(judged, 'sound pair')} of activations"
    margin = OF_PRIMARY.margin(stats)
    differing, alike = found[DIFFERENT], found[EQUIVALENT]
    undecided = len(found[INCONCLUSIVE])
    if differing:
        models = list(dict.fromkeys(model for model, _ in differing))
        rest = _rest(len(alike), undecided, margin)
        return (
            f"Yes, in {listed(models, MOST_NAMED)}: with {seeds}, {len(differing)} of {size} are "
            f"shown to differ in how far their runs part from seed to seed.{rest}"
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
        f"Undecided: {seeds} show for none of {size} that one is more reproducible than the "
        f"other, and for none that they are equivalent within {margin}."
    )


def _rest(alike: int, undecided: int, margin: str) -> str:
    parts = []
    if alike:
        parts.append(f"{alike} are equivalent within {margin}")
    if undecided:
        parts.append(f"{undecided} are undecided")
    return f" Of the others {listed(parts)}." if parts else ""


def _at_matched(stats: Stats, found: Found) -> str:
    """Whether differences outlast the comparison at equal loss."""
    matched = _by_verdict(stats, MATCHED)
    judged = sum(len(matched[verdict]) for verdict in (DIFFERENT, EQUIVALENT, INCONCLUSIVE))
    if not judged:
        return ""
    count = len(matched[DIFFERENT])
    if not found[DIFFERENT] and not count:
        return f"The same holds {AT[MATCHED]}." if _alike(found, matched) else ""
    told = f"{count} of {counted(judged, 'pair')} differ" if count else "no pair is shown to"
    why = "" if count else ", so a difference in sharpness may be all there is"
    return f"{AT[MATCHED].capitalize()}, {told}{why}."


def _alike(found: Found, matched: Found) -> bool:
    """Whether both rules end the same way: some of the same verdicts, whatever their numbers."""
    return all(
        bool(found[verdict]) == bool(matched[verdict]) for verdict in (EQUIVALENT, INCONCLUSIVE)
    )


def _at_once(stats: Stats) -> str:
    """The models whose activations, tested all at once, are not all alike: no pair is named."""
    below = {model: p for model, p in omnibus_p(stats, PRIMARY).items() if p < alpha(stats)}
    if not below:
        return ""
    named = [f"{model} (p {p_value(p)})" for model, p in below.items()]
    return (
        f"Tested all at once {AT[FINAL]}, the activations of {listed(named, MOST_NAMED)} are not "
        f"all alike in this, corrected for the models."
    )


def at_all(stats: Stats) -> str:
    """In how many models the activations differ at all, by the tests of all of them at once."""
    parts = []
    for compared in COMPARED:
        found = omnibus_p(stats, compared.metric) if compared.metric in TOLD else {}
        if found:
            below = sum(p < alpha(stats) for p in found.values())
            models = f"{below} of {counted(len(found), 'model')}"
            parts.append(
                f"in {models} for {compared.name} (smallest p {p_value(min(found.values()))})"
            )
    if not parts:
        return ""
    return (
        f"All sound activations of a model tested together at the fixed step, labels permuted "
        f"within seeds and corrected for the models: p < {alpha(stats):g} {listed(parts)}."
    )


def model_sentence(stats: Stats, model: str) -> str:
    """What one model's contrasts say, with n."""
    said = [_size(stats, model)]
    for rule in OF_PRIMARY.rules:
        if counts := _counted(family(stats, model, PRIMARY, rule), stats):
            said.append(f"{AT[rule].capitalize()}: {counts}.")
    p = omnibus_p(stats, PRIMARY).get(model)
    if p is not None:
        said.append(f"All at once: p {p_value(p)}.")
    return " ".join(said)


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
    """A family's verdicts in words, the decided pairs by name."""
    by_verdict: dict[str, list[str]] = {}
    for one in contrasts:
        by_verdict.setdefault(verdict_of(one), []).append(f"{one['a']}–{one['b']}")
    parts = []
    for verdict, called in CALLED.items():
        if pairs := by_verdict.get(verdict):
            within = f" within {OF_PRIMARY.margin(stats)}" if verdict == EQUIVALENT else ""
            named = f" ({listed(pairs, MOST_NAMED)})" if verdict in (DIFFERENT, EQUIVALENT) else ""
            parts.append(f"{len(pairs)} {called}{within}{named}")
    return f"of {counted(len(contrasts), 'pair')} {listed(parts)}" if parts else ""


@dataclass(frozen=True)
class Bar:
    """A model's pairs under one checkpoint rule, by how their comparison ended.

    `parts` are verdicts, their numbers of pairs and their shares in per cent.
    """

    label: str
    told: str
    parts: Sequence[tuple[str, int, str]]


def model_bars(stats: Stats, model: str) -> list[Bar]:
    """The verdicts on a model's pairs in the primary measure, at the fixed step and beside it."""
    return [
        _bar(AT[rule], [verdict_of(one) for one in family(stats, model, PRIMARY, rule)])
        for rule in OF_PRIMARY.rules
    ]


def _bar(label: str, found: Sequence[str]) -> Bar:
    counts = [(verdict, found.count(verdict)) for verdict in CALLED if verdict in found]
    return Bar(
        label,
        f"{label}: {listed([f'{count} {CALLED[verdict]}' for verdict, count in counts] or ['-'])}",
        [(CALLED[verdict], count, f"{100 * count / len(found):.4g}%") for verdict, count in counts],
    )


def answer_table(stats: Stats) -> Table:
    """Verdicts by model: a row per model, a column per measure and checkpoint rule."""
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
    told = {**CALLED, UNSOUND: f"{CALLED[UNSOUND]} (a cell failed a gate)"}
    return ", ".join(f"{SIGNS[verdict]} {called}" for verdict, called in told.items())


def _column(compared: Compared, rule: ComparedRule) -> str:
    name = compared.name.replace(" between seeds", "").replace("test ", "")
    return f"{name}, matched loss" if rule == MATCHED else name


def _verdicts(stats: Stats, model: str, compared: Compared, rule: ComparedRule) -> Entry:
    found = [verdict_of(one) for one in family(stats, model, compared.metric, rule)]
    counts = {verdict: found.count(verdict) for verdict in CALLED if verdict in found}
    kind = next((one for one in (DIFFERENT, EQUIVALENT) if one in counts), "")
    return Entry(
        " ".join(f"{count} {SIGNS[verdict]}" for verdict, count in counts.items()) or "—",
        hint=", ".join(f"{count} {CALLED[verdict]}" for verdict, count in counts.items()),
        kind=kind,
    )
