"""The report's tables of contrasts: each comparison with its tests and its verdict."""

from __future__ import annotations

from actrepro.core.formats import MISSING, counted, interval, level, listed, number, p_value, signed
from actrepro.predict.store import FINAL
from actrepro.report.kit.tables import Entry, Row, Table, stats_key
from actrepro.results.cells import Stats
from actrepro.results.contrasts import (
    AT,
    COMPARED,
    UNTESTED,
    Compared,
    Contrast,
    alpha,
    family,
    loss_gap,
    verdict_counts,
    verdict_of,
)
from actrepro.results.schema import ComparedRule
from actrepro.results.verdicts import EQUIVALENT, INCONCLUSIVE, MOST_SEEDS, UNSOUND, VERDICTS
from actrepro.results.words import failed_mark


def verdicts_table(stats: Stats) -> Table:
    """Count the verdicts of each measure, under each checkpoint rule that shows it."""
    rows = []
    for compared in COMPARED:
        for rule in compared.rules:
            counts = verdict_counts(stats, compared.metric, rule)
            numbers = (str(counts.get(verdict, 0)) for verdict in (*VERDICTS, UNTESTED))
            rows.append(Row([compared.name, AT[rule], compared.margin(stats), *numbers]))
    return Table(
        "Verdicts",
        "Numbers of contrasts over all models.",
        ["measure", "compared", "margin", *VERDICTS, UNTESTED],
        rows,
        names=3,
        source=stats_key(stats, "models.*.rules.*.contrasts.*.verdict"),
    )


def contrasts_tables(stats: Stats, model: str) -> list[Table]:
    """Return a model's contrasts in every measure that has a margin."""
    return [contrasts_table(stats, model, compared) for compared in COMPARED]


def contrasts_table(stats: Stats, model: str, compared: Compared) -> Table:
    """Return a model's contrasts in one measure, under each of its rules."""
    families = [family(stats, model, compared.metric, rule) for rule in compared.rules]
    twice = len(compared.rules) > 1
    columns = ["difference", "p", "Holm p", "TOST p", *(["loss gap"] if twice else []), "verdict"]
    rows = [
        Row(
            [
                f"{pair[0]['a']} − {pair[0]['b']}",
                *(
                    entry
                    for rule, contrast in zip(compared.rules, pair, strict=True)
                    for entry in _entries(stats, model, compared, contrast, rule)
                ),
            ],
            failed=all(contrast["verdict"] == UNSOUND for contrast in pair),
        )
        for pair in zip(*families, strict=True)
    ]
    groups = [(_heading(stats, model, rule), len(columns)) for rule in compared.rules]
    rules = " and ".join(f"rules.{rule}.contrasts" for rule in compared.rules)
    return Table(
        compared.name.capitalize(),
        f"{_units(compared)}margin {compared.margin(stats)}. {_tests(stats, families)}",
        ["a − b", *columns * len(compared.rules)],
        rows,
        source=stats_key(stats, f"models.{model}.{rules}, metric {compared.metric}"),
        groups=[("", 1), *groups],
    )


def _units(compared: Compared) -> str:
    return f"In {compared.unit}; " if compared.unit else "Differences of shares; "


def _heading(stats: Stats, model: str, rule: ComparedRule) -> str:
    """Return the heading of a rule's half of the table."""
    common = stats["models"][model]["common_loss"]
    if rule == FINAL:
        return "At the fixed step (final checkpoint)"
    nats = "" if common is None else f" ({number(common, 3)} nats on the selection text)"
    return f"{AT[rule].capitalize()}{nats}"


def _tests(stats: Stats, families: list[list[Contrast]]) -> str:
    tests = sorted(
        {contrast["test"] for contrasts in families for contrast in contrasts if contrast["test"]}
    )
    tests_line = f"Tests: {listed(tests)}. " if tests else ""
    return (
        f"{tests_line}Brackets: {level(stats['confidence'])} intervals. Below p: the smallest that "
        "these seeds allow. Holm’s correction is over this table’s sound contrasts under one rule, "
        "for p and for TOST p separately."
    )


def _entries(
    stats: Stats, model: str, compared: Compared, contrast: Contrast, rule: ComparedRule
) -> list[Entry]:
    """Return the cells of one contrast under one rule."""
    bounds = contrast["interval"]
    smallest = contrast["p_smallest"]
    gap = [Entry(signed(loss_gap(stats, model, contrast, rule)))] if len(compared.rules) > 1 else []
    return [
        Entry(compared.signed(contrast["value"]), interval_of(compared, bounds)),
        Entry(p_value(contrast["p"]), "" if smallest is None else f"≥ {p_value(smallest)}"),
        Entry(p_value(contrast["p_holm"])),
        Entry(p_value(contrast["p_equivalent_holm"])),
        *gap,
        verdict_entry(stats, contrast),
    ]


def interval_of(compared: Compared, bounds: list[float] | None) -> str:
    if bounds is None:
        return ""
    digits = 4 if compared.scale == 1 else 2
    return interval([end * compared.scale for end in bounds], digits)


def verdict_entry(stats: Stats, contrast: Contrast) -> Entry:
    """Return the verdict, with a remark that readers need beside it."""
    verdict = verdict_of(contrast)
    if verdict == UNSOUND:
        return Entry(verdict, failed_mark(contrast["failed_gates"]), kind=verdict)
    if verdict == EQUIVALENT and contrast["significant"]:
        return Entry(verdict, f"though not zero, p < {alpha(stats):g}", kind=verdict)
    if verdict == INCONCLUSIVE:
        return Entry(verdict, *_settling(contrast), kind=verdict)
    return Entry(verdict, kind=verdict)


def _settling(contrast: Contrast) -> tuple[str, str]:
    settling = contrast["seeds_to_settle"]
    if settling is None:
        return "", ""
    different, equivalent = (
        MISSING if seeds is None else counted(seeds, "seed")
        for seeds in (settling["different"], settling["equivalent"])
    )
    detectable = contrast["detectable"]
    present = "nothing" if detectable is None else f"a difference of {number(detectable)}"
    hint = (
        f"to show a difference: {different}; to show equivalence: {equivalent}; "
        f"the present seeds find {present} with 80% power"
    )
    either = settling["either"]
    return f"> {MOST_SEEDS:,} seeds" if either is None else f"{either:,} seeds", hint
