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
    """Whether a model's activations differ at all; None where nothing could be tested."""
    rule = stats["models"][model]["rules"][FINAL]
    rows = [row for compared in COMPARED for row in _omnibus(rule, compared)]
    if not rows:
        return None
    return Table(
        f"{model}: all activations at once",
        f"{_over(rule['omnibus'])} The permutation test relabels activations within seeds; the "
        "classical tests take scores for normal (Friedman: ranks). Not corrected for the number "
        "of tests.",
        ["measure", "test", "statistic", "df", "p", "smallest p"],
        rows,
        names=2,
        source=stats_key(stats, f"models.{model}.rules.{FINAL}.omnibus and .classical"),
    )


def _over(found: Mapping[str, Omnibus | None]) -> str:
    one = next(test for test in found.values() if test is not None)
    return (
        f"Over {listed(one['activations'])}, which passed every gate, and "
        f"{counted(len(one['seeds']), 'seed')} that all of them have."
    )


def _omnibus(rule: UnderRule, compared: Compared) -> Iterator[Row]:
    found = rule["omnibus"].get(compared.metric)
    if found is not None:
        exact = "all" if found["exact"] else "a fixed sample of"
        name = f"permutation ({exact} {found['relabelings']:,} relabellings)"
        statistic = minus(f"{found['statistic']:.3g}")
        p = (p_value(found["p"]), p_value(found["p_smallest"]))
        yield Row([compared.name, name, statistic, MISSING, *p])
    for name, test in _classical(rule["classical"].get(compared.metric)):
        if test is not None:
            df = ", ".join(f"{one:.4g}" for one in test["df"])
            p = (p_value(test["p"]), MISSING)
            yield Row([compared.name, name, number(test["statistic"], 3), df, *p])


def _classical(found: Classical | None) -> list[tuple[str, OmnibusTest | None]]:
    """The classical tests of all activations at once, by their names."""
    if found is None:
        return []
    return [
        ("one-way ANOVA", found["one_way"]),
        ("Welch’s ANOVA", found["welch"]),
        ("blocked ANOVA (seeds as blocks)", found["blocked"]),
        ("Friedman", found["friedman"]),
    ]


def pairs_table(stats: Stats, model: str, compared: Compared) -> Table | None:
    """Tukey's and Games and Howell's p beside the exact one; None where neither is defined."""
    classical = stats["models"][model]["rules"][FINAL]["classical"].get(compared.metric)
    if classical is None:
        return None
    tukey, games_howell = (
        {(one["a"], one["b"]): one["p"] for one in test or ()}
        for test in (classical["tukey"], classical["games_howell"])
    )
    rows = [
        Row(
            [
                f"{one['a']} − {one['b']}",
                compared.signed(one["value"]),
                p_value(one["p"]),
                p_value(one["p_holm"]),
                *(p_value(test.get((one["a"], one["b"]))) for test in (tukey, games_howell)),
            ],
            failed=one["verdict"] == UNSOUND,
        )
        for one in family(stats, model, compared.metric)
        if (one["a"], one["b"]) in {*tukey, *games_howell}
    ]
    if not rows:
        return None
    unit = f" ({compared.unit})"
    return Table(
        f"{model}: {compared.name}",
        "All pairs of sound cells: the exact test, within seeds and with Holm’s correction, "
        "beside the classical ones, which take seeds for independent and correct for all pairs.",
        [f"a − b{unit}", "difference", "exact p", "Holm p", "Tukey p", "Games–Howell p"],
        rows,
        source=stats_key(stats, f"models.{model}.rules.{FINAL}.classical.{compared.metric}"),
    )


def decomposition_table(stats: Stats, rule: Rule) -> Table | None:
    """How much of the scores' spread each source has; None where no grid is complete."""
    decomposed = {
        compared: found
        for compared in SCORES
        if (found := stats["decomposition"][rule].get(compared.metric)) is not None
    }
    if not decomposed:
        return None
    columns = ["η²", "ω²", "F", "p"]
    return Table(
        "Where the spread comes from",
        f"{RULE_NAMES[rule]}. {_grid(stats, next(iter(decomposed.values())))} "
        f"{_correlation(decomposed)}",
        ["source", "df", *columns * len(decomposed)],
        # The scores are of one grid, so their sources are the same.
        [
            _source(scores)
            for scores in zip(*(found["sources"] for found in decomposed.values()), strict=True)
        ],
        source=stats_key(stats, f"decomposition.{rule}"),
        groups=[("", 2), *((compared.name, len(columns)) for compared in decomposed)],
    )


def _source(scores: Sequence[Source]) -> Row:
    name = scores[0]["source"].replace(":", " × ")
    cells = [name, str(scores[0]["df"])]
    for one in scores:
        shares = (number(one["eta2"], 3), number(one["omega2"], 3))
        cells += [*shares, number(one["f"], 2), p_value(one["p"])]
    return Row(cells)


def _grid(stats: Stats, found: Decomposition) -> str:
    sizes = ((found["models"], "model"), (found["activations"], "activation"))
    size = " × ".join(counted(len(names), noun) for names, noun in sizes)
    left_out = [
        *(name for name in stats["models"] if name not in found["models"]),
        *(name for name in stats["activations"] if name not in found["activations"]),
    ]
    without = f", without {listed(left_out)} (a gate failed)" if left_out else ""
    return f"Over {size} × {counted(len(found['seeds']), 'seed')}{without}."


def _correlation(decomposed: Mapping[Compared, Decomposition]) -> str:
    parts = [f"{one.name} {number(found['icc'], 3)}" for one, found in decomposed.items()]
    return (
        f"Correlation of two runs that share a seed (ICC), which is what pairing by seed gains: "
        f"{listed(parts)}."
    )
