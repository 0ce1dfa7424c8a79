"""The report's tables of tests over all activations, of classical tests, and of variance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from actrepro.core.formats import MISSING, counted, listed, minus, number, p_value
from actrepro.predict.store import FINAL, Rule
from actrepro.report.kit.tables import Row, Table, stats_key
from actrepro.report.sections.cells_by_model import RULE_NAMES
from actrepro.results.cells import Stats
from actrepro.results.contrasts import COMPARED, Compared, family
from actrepro.results.schema import (
    Classical,
    Decomposition,
    Omnibus,
    OmnibusTest,
    Source,
    UnderRule,
)
from actrepro.results.verdicts import UNSOUND

SCORES = [compared for compared in COMPARED if compared.rules == (FINAL,)]


def omnibus_table(stats: Stats, model: str) -> Table | None:
    """Return the tests whether a model's activations differ at all; None if none was possible."""
    rule = stats["models"][model]["rules"][FINAL]
    rows = [row for compared in COMPARED for row in _omnibus(rule, compared)]
    if not rows:
        return None
    return Table(
        f"{model}: all activations at once",
        f"{_over(rule['omnibus'])} The permutation test relabels activations within seeds; the "
        "classical tests assume normal scores (Friedman: ranks). Not corrected for the number "
        "of tests.",
        ["measure", "test", "statistic", "df", "p", "smallest p"],
        rows,
        names=2,
        source=stats_key(stats, f"models.{model}.rules.{FINAL}.omnibus and .classical"),
    )


def _over(tests: Mapping[str, Omnibus | None]) -> str:
    tested = next(test for test in tests.values() if test is not None)
    return (
        f"Over {listed(tested['activations'])}, which passed every gate, and "
        f"{counted(len(tested['seeds']), 'seed')} that all of them have."
    )


def _omnibus(rule: UnderRule, compared: Compared) -> Iterator[Row]:
    omnibus = rule["omnibus"].get(compared.metric)
    if omnibus is not None:
        exact = "all" if omnibus["exact"] else "a fixed sample of"
        name = f"permutation ({exact} {omnibus['relabelings']:,} relabellings)"
        statistic = minus(f"{omnibus['statistic']:.3g}")
        p = (p_value(omnibus["p"]), p_value(omnibus["p_smallest"]))
        yield Row([compared.name, name, statistic, MISSING, *p])
    for name, test in _classical(rule["classical"].get(compared.metric)):
        if test is not None:
            df = ", ".join(f"{degrees:.4g}" for degrees in test["df"])
            p = (p_value(test["p"]), MISSING)
            yield Row([compared.name, name, number(test["statistic"], 3), df, *p])


def _classical(tests: Classical | None) -> list[tuple[str, OmnibusTest | None]]:
    """Return the classical tests of all activations at once, by name."""
    if tests is None:
        return []
    return [
        ("one-way ANOVA", tests["one_way"]),
        ("Welch’s ANOVA", tests["welch"]),
        ("blocked ANOVA (seeds as blocks)", tests["blocked"]),
        ("Friedman", tests["friedman"]),
    ]


def pairs_table(stats: Stats, model: str, compared: Compared) -> Table | None:
    """Return Tukey's and Games and Howell's p beside the exact one; None if neither is defined."""
    classical = stats["models"][model]["rules"][FINAL]["classical"].get(compared.metric)
    if classical is None:
        return None
    tukey, games_howell = (
        {(contrast["a"], contrast["b"]): contrast["p"] for contrast in test or ()}
        for test in (classical["tukey"], classical["games_howell"])
    )
    rows = [
        Row(
            [
                f"{contrast['a']} − {contrast['b']}",
                compared.signed(contrast["value"]),
                p_value(contrast["p"]),
                p_value(contrast["p_holm"]),
                *(
                    p_value(test.get((contrast["a"], contrast["b"])))
                    for test in (tukey, games_howell)
                ),
            ],
            failed=contrast["verdict"] == UNSOUND,
        )
        for contrast in family(stats, model, compared.metric)
        if (contrast["a"], contrast["b"]) in {*tukey, *games_howell}
    ]
    if not rows:
        return None
    unit = f" ({compared.unit})"
    return Table(
        f"{model}: {compared.name}",
        "All pairs of sound cells: the exact test, within seeds and with Holm’s correction, "
        "beside the classical ones, which assume independent seeds and correct for all pairs.",
        [f"a − b{unit}", "difference", "exact p", "Holm p", "Tukey p", "Games–Howell p"],
        rows,
        source=stats_key(stats, f"models.{model}.rules.{FINAL}.classical.{compared.metric}"),
    )


def decomposition_table(stats: Stats, rule: Rule) -> Table | None:
    """Return each source's share of the scores' spread; None if no grid is complete."""
    decomposed = {
        compared: decomposition
        for compared in SCORES
        if (decomposition := stats["decomposition"][rule].get(compared.metric)) is not None
    }
    if not decomposed:
        return None
    columns = ["η²", "ω²", "F", "p"]
    return Table(
        "Where the spread comes from",
        f"{RULE_NAMES[rule]}. {_grid(stats, next(iter(decomposed.values())))} "
        f"{_correlation(decomposed)}",
        ["source", "df", *columns * len(decomposed)],
        # All scores have the same grid of cells, so their sources are the same.
        [
            _source(scores)
            for scores in zip(
                *(decomposition["sources"] for decomposition in decomposed.values()), strict=True
            )
        ],
        source=stats_key(stats, f"decomposition.{rule}"),
        groups=[("", 2), *((compared.name, len(columns)) for compared in decomposed)],
    )


def _source(scores: Sequence[Source]) -> Row:
    name = scores[0]["source"].replace(":", " × ")
    cells = [name, str(scores[0]["df"])]
    for source in scores:
        shares = (number(source["eta2"], 3), number(source["omega2"], 3))
        cells += [*shares, number(source["f"], 2), p_value(source["p"])]
    return Row(cells)


def _grid(stats: Stats, decomposition: Decomposition) -> str:
    sizes = ((decomposition["models"], "model"), (decomposition["activations"], "activation"))
    size = " × ".join(counted(len(names), noun) for names, noun in sizes)
    left_out = [
        *(name for name in stats["models"] if name not in decomposition["models"]),
        *(name for name in stats["activations"] if name not in decomposition["activations"]),
    ]
    without = f", without {listed(left_out)} (a gate failed)" if left_out else ""
    return f"Over {size} × {counted(len(decomposition['seeds']), 'seed')}{without}."


def _correlation(decomposed: Mapping[Compared, Decomposition]) -> str:
    parts = [
        f"{score.name} {number(decomposition['icc'], 3)}"
        for score, decomposition in decomposed.items()
    ]
    return (
        f"Correlation of two runs that share a seed (ICC), which is what pairing by seed gains: "
        f"{listed(parts)}."
    )
