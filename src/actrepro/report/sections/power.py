"""The report's tables of every contrast in a row, and of what more seeds would settle."""

from __future__ import annotations

from collections.abc import Sequence

from actrepro.core.formats import MISSING, count, level, number, p_value
from actrepro.report.kit.tables import Entry, Row, Table, stats_key
from actrepro.report.sections.contrasts import interval_of, verdict_entry
from actrepro.results.cells import Stats
from actrepro.results.contrasts import AT, COMPARED, Compared, Contrast, family
from actrepro.results.schema import ComparedRule
from actrepro.results.verdicts import MOST_SEEDS, UNSOUND

# Beyond so many rows a page only has the primary measure's; `contrasts.csv` has all.
MOST_ROWS = 6000


def all_contrasts_table(stats: Stats) -> Table:
    """Every contrast of a scale: all models, measures with a margin, and checkpoint rules."""
    chosen: Sequence[Compared] = COMPARED
    rows = _contrasts(stats, chosen)
    left_out = ""
    if len(rows) > MOST_ROWS:
        rows = _contrasts(stats, COMPARED[:1])[:MOST_ROWS]
        left_out = " Only some are here, of the primary measure; contrasts.csv has all."
    return Table(
        "Every contrast",
        f"a − b with {level(stats['confidence'])} intervals, each for itself. Holm p and TOST p "
        "(against the margin) are corrected within one model, measure and checkpoint rule. Seeds: "
        f"how many would settle an undecided one.{left_out}",
        ["model", "a − b", "measure", "at", "difference", "p", "Holm p", "TOST p", "verdict"],
        [row for row, _ in rows],
        names=4,
        source=stats_key(stats, "models.*.rules.*.contrasts"),
        keys=[key for _, key in rows],
    )


def _contrasts(stats: Stats, chosen: Sequence[Compared]) -> list[tuple[Row, str]]:
    """Rows, each with where in `stats.json` its contrast stands."""
    return [
        (_row(stats, model, compared, rule, one), f"models.{model}.rules.{rule}.contrasts")
        for model in stats["models"]
        for compared in chosen
        for rule in compared.rules
        for one in family(stats, model, compared.metric, rule)
    ]


def _row(stats: Stats, model: str, compared: Compared, rule: ComparedRule, one: Contrast) -> Row:
    return Row(
        [
            model,
            f"{one['a']} − {one['b']}",
            compared.name,
            AT[rule].removeprefix("at "),
            Entry(compared.signed(one["value"]), interval_of(compared, one["interval"])),
            p_value(one["p"]),
            p_value(one["p_holm"]),
            p_value(one["p_equivalent_holm"]),
            verdict_entry(stats, one),
        ],
        failed=one["verdict"] == UNSOUND,
    )


def power_table(stats: Stats) -> Table | None:
    """By model and measure: what the present seeds can find, and how many would settle the rest.

    None where nothing is undecided.
    """
    rows = [
        row
        for compared in COMPARED
        for rule in compared.rules
        for model in stats["models"]
        if (row := _power(stats, model, compared, rule)) is not None
    ]
    if not rows:
        return None
    return Table(
        "What would settle the undecided contrasts",
        "Of each model’s undecided contrasts: the smallest difference that the present seeds find "
        "with 80% power (median; a dash where their exact test cannot reach the level at all), the "
        "margin, and the seeds that would settle one, least and median, as difference or as "
        "equivalence. Differences and spreads are taken as seen here, which few seeds tell "
        "roughly.",
        ["measure", "at", "model", "undecided", "detectable", "margin", "fewest", "median"],
        rows,
        names=3,
        source=stats_key(stats, "undecided"),
    )


def _power(stats: Stats, model: str, compared: Compared, rule: ComparedRule) -> Row | None:
    found = stats["undecided"][rule][compared.metric]["models"][model]
    if not found["planned"]:
        return None
    sizes, seeds = found["detectable"], found["seeds"]
    return Row(
        [
            compared.name,
            AT[rule].removeprefix("at "),
            model,
            str(found["planned"]),
            number(sizes["median"] * compared.scale) if sizes else MISSING,
            compared.margin(stats),
            _seeds(seeds and seeds["least"]),
            _seeds(found["median_seeds"]),
        ]
    )


def _seeds(value: int | None) -> str:
    return f"> {MOST_SEEDS:,}" if value is None else count(value)
