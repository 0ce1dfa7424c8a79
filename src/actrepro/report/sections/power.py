"""The report's tables of every contrast, and of seeds that would settle undecided ones."""

from __future__ import annotations

from collections.abc import Sequence

from actrepro.core.formats import MISSING, count, level, number, p_value
from actrepro.report.kit.tables import Entry, Row, Table, stats_key
from actrepro.report.sections.contrasts import interval_of, verdict_entry
from actrepro.results.cells import Stats
from actrepro.results.contrasts import AT, COMPARED, Compared, Contrast, family
from actrepro.results.schema import ComparedRule
from actrepro.results.verdicts import MOST_SEEDS, UNSOUND

# A longer table shows only the primary measure; `contrasts.csv` has all.
MOST_ROWS = 6000


def all_contrasts_table(stats: Stats) -> Table:
    """Return every contrast of a scale: all models, measures and checkpoint rules."""
    chosen: Sequence[Compared] = COMPARED
    rows = _contrasts(stats, chosen)
    left_out = ""
    if len(rows) > MOST_ROWS:
        rows = _contrasts(stats, COMPARED[:1])[:MOST_ROWS]
        left_out = " Only some are here, of the primary measure; contrasts.csv has all."
    return Table(
        "Every contrast",
        f"a − b with uncorrected {level(stats['confidence'])} intervals. Holm p and TOST p "
        "(against the margin) are corrected within one model, measure and checkpoint rule. Seeds: "
        f"how many would settle an undecided one.{left_out}",
        ["model", "a − b", "measure", "at", "difference", "p", "Holm p", "TOST p", "verdict"],
        [row for row, _ in rows],
        names=4,
        source=stats_key(stats, "models.*.rules.*.contrasts"),
        keys=[key for _, key in rows],
    )


def _contrasts(stats: Stats, chosen: Sequence[Compared]) -> list[tuple[Row, str]]:
    """Return rows, each with its contrast's key in `stats.json`."""
    return [
        (_row(stats, model, compared, rule, contrast), f"models.{model}.rules.{rule}.contrasts")
        for model in stats["models"]
        for compared in chosen
        for rule in compared.rules
        for contrast in family(stats, model, compared.metric, rule)
    ]


def _row(
    stats: Stats, model: str, compared: Compared, rule: ComparedRule, contrast: Contrast
) -> Row:
    return Row(
        [
            model,
            f"{contrast['a']} − {contrast['b']}",
            compared.name,
            AT[rule].removeprefix("at "),
            Entry(compared.signed(contrast["value"]), interval_of(compared, contrast["interval"])),
            p_value(contrast["p"]),
            p_value(contrast["p_holm"]),
            p_value(contrast["p_equivalent_holm"]),
            verdict_entry(stats, contrast),
        ],
        failed=contrast["verdict"] == UNSOUND,
    )


def power_table(stats: Stats) -> Table | None:
    """Return, by model and measure, detectable differences and the seeds that would settle.

    None if nothing is undecided.
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
        "equivalence. Differences and spreads are those seen here, which few seeds "
        "estimate only roughly.",
        ["measure", "at", "model", "undecided", "detectable", "margin", "fewest", "median"],
        rows,
        names=3,
        source=stats_key(stats, "undecided"),
    )


def _power(stats: Stats, model: str, compared: Compared, rule: ComparedRule) -> Row | None:
    undecided = stats["undecided"][rule][compared.metric]["models"][model]
    if not undecided["planned"]:
        return None
    sizes, seeds = undecided["detectable"], undecided["seeds"]
    return Row(
        [
            compared.name,
            AT[rule].removeprefix("at "),
            model,
            str(undecided["planned"]),
            number(sizes["median"] * compared.scale) if sizes else MISSING,
            compared.margin(stats),
            _seeds(seeds and seeds["least"]),
            _seeds(undecided["median_seeds"]),
        ]
    )


def _seeds(value: int | None) -> str:
    return f"> {MOST_SEEDS:,}" if value is None else count(value)
