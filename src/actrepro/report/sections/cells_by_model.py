"""The report's tables of results: cells by model, kinds of pairs, and the measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from actrepro.core.formats import (
    MISSING,
    counts_spread,
    interval,
    level,
    mean_sd,
    number,
    signed,
)
from actrepro.measures import PRIMARY
from actrepro.measures.shapes import Measure
from actrepro.predict.store import FINAL, MATCHED, Rule
from actrepro.report.kit.tables import Entry, Row, Table, stats_key
from actrepro.results.cells import (
    FAILED,
    Cell,
    Stats,
    cells_of,
    finished_runs,
    known,
    sound,
    step_of,
)
from actrepro.results.schema import Across, Estimate
from actrepro.results.words import learned, remark

RULE_NAMES = {
    FINAL: "Final checkpoint",
    "best": "Best checkpoint on the selection text",
    MATCHED: "Checkpoint nearest the common loss on the selection text",
}
# Short names of measures for columns; full names and formulas come from `stats.json`.
DIFFERENCE_COLUMNS = {
    "churn-top1-pairs.all": "churn",
    "js-nats-pairs.all": "JS, nats",
    "rpd-true_label-pairs.all": "relative PD",
}


def results_table(stats: Stats, model: str, rule: Rule) -> Table:
    """Return a model's cells: loss, accuracy, differences between seeds, and beaten table."""
    variation = f"total variation [{level(stats['confidence'])}]"
    columns = ["activation", "n", "loss ± sd", "accuracy ± sd", variation]
    return Table(
        model,
        f"{RULE_NAMES[rule]}{_steps(stats, model, rule)}.",
        [*columns, *DIFFERENCE_COLUMNS.values(), "every run"],
        [_result(name, cell) for name, cell in cells_of(stats, model, rule).items()],
        source=stats_key(stats, f"models.{model}.rules.{rule}.cells"),
    )


def _steps(stats: Stats, model: str, rule: Rule) -> str:
    steps = {known(step_of(run, rule)) for run in finished_runs(stats, model)}
    if not steps:
        return ""
    common = stats["models"][model]["common_loss"] if rule == MATCHED else None
    level = "" if common is None else f", {number(common, 3)} nats"
    return f" (step {counts_spread(steps)}{level})"


def _result(activation: str, cell: Cell) -> Row:
    metrics, differences = cell["metrics"], cell["differences"]
    variation = differences[PRIMARY]
    return Row(
        [
            marked(activation, cell),
            str(cell["n"]),
            mean_sd(metrics["loss.all"]),
            mean_sd(metrics["accuracy.all"], share=True),
            MISSING if variation is None else _with_interval(variation),
            *(
                number(difference and difference["value"])
                for difference in (differences[id_] for id_ in DIFFERENCE_COLUMNS)
            ),
            learned(cell["beats"]) if cell["n"] else MISSING,
        ],
        note=remark(cell),
        failed=not sound(cell),
    )


def marked(name: str, cell: Cell) -> str:
    """Return a cell's name, with a mark if it failed a gate."""
    return name if sound(cell) else f"{name} {FAILED}"


def _with_interval(estimate: Estimate) -> str:
    return f"{number(estimate['value'])} {interval(estimate['interval'])}"


def rules_differ(stats: Stats, model: str, rule: Rule) -> int:
    """Count a model's runs whose checkpoint under a rule is not the final one."""
    return sum(step_of(run, rule) != run["final_step"] for run in finished_runs(stats, model))


def across_table(stats: Stats, model: str) -> Table:
    """Return the comparison of every two activations' runs, in the primary measure."""
    across = stats["models"][model]["rules"][FINAL]["across"]
    return Table(
        f"{model}: activation against seed",
        "Mean total variation from a’s runs to b’s with the same seed and with another one. The "
        "effect is what the activation adds to what the seed does alone: another seed, minus the "
        "mean of a’s and b’s own differences between seeds.",
        ["a", "b", "same seed", "another seed", "effect"],
        [_across(pair, cells_of(stats, model)) for pair in across if pair["metric"] == PRIMARY],
        names=2,
        source=stats_key(stats, f"models.{model}.rules.{FINAL}.across, metric {PRIMARY}"),
    )


def _across(pair: Across, cells: Mapping[str, Cell]) -> Row:
    ends = (pair["a"], pair["b"])
    return Row(
        [
            *(marked(end, cells[end]) for end in ends),
            below(pair["same_seed"]),
            below(pair["other_seed"]),
            below(pair["effect"], signed),
        ],
        failed=not all(sound(cells[end]) for end in ends),
    )


def below(estimate: Estimate | None, write: Callable[[float], str] = number) -> str | Entry:
    """Return an estimate with its interval below it; a dash if there is none."""
    if estimate is None:
        return MISSING
    bounds = estimate["interval"]
    return Entry(write(estimate["value"]), "" if bounds is None else interval(bounds))


def measures_table(stats: Stats) -> Table:
    """Return every measure, with the names that the statistics give."""
    rows = [
        Row([id_, _named(measure), measure["formula"], _range(measure["range"]), measure["source"]])
        for id_, measure in stats["measures"].items()
    ]
    return Table(
        "Measures",
        "p and q are two runs’ probabilities of the next character after the same text, pₘ those "
        "of one of M runs and p̄ their mean, y the true character, V the number of symbols.",
        ["id", "name", "formula", "range", "source"],
        rows,
        names=5,
        source=stats_key(stats, "measures"),
    )


def _named(measure: Measure) -> str:
    return f"{measure['name']} (higher is more alike)" if measure["agreement"] else measure["name"]


def _range(ends: Sequence[float | None]) -> str:
    low, high = (None if end is None else f"{end:.4g}".replace("-", "−") for end in ends)
    return f"{low or '−∞'} to {high or '∞'}"
