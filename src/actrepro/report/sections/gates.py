"""The report's section on gates: their definitions, failures and measurements."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from actrepro.core import paths
from actrepro.core.formats import count, counted, listed, minus, number
from actrepro.gates.outcome import AFTER, BEFORE, GATES
from actrepro.gates.shapes import Gate
from actrepro.predict.store import FINAL, MATCHED, RULES, Rule
from actrepro.report.kit.tables import Entry, Row, Table, stats_key
from actrepro.results.cells import Cell, Stats, cells_of, named_cells, sound
from actrepro.results.contrasts import AT
from actrepro.results.words import failures_note, gate_name

UNDER: Mapping[Rule, str] = {
    FINAL: AT[FINAL],
    "best": "at the best checkpoint",
    MATCHED: AT[MATCHED],
}
MOST_WORDS = 320  # characters of the measurements
MOST_LISTED = 3
# A gate's measurement to show in its cell, with a unit: the number that it judges, or that it
# checked. Gates whose measurements are too long have none.
MEASURED = {
    "wired": ("calls", "calls"),
    "causal": ("cuts", "cuts"),
    "rows": ("rows", "rows"),
    "repeatable": ("first", ""),
    "initial_loss": ("loss", "nats"),
    "recorded": ("runs", "runs"),
    "split": ("scored", "characters"),
    "distinct": ("compared_with", "runs"),
    "certificate": ("smallest_room", "room"),
    "churn_bounds": ("smallest_room", "room"),
    "learned": ("highest_loss", "nats"),
}
# Faults in words, for gates whose number would not explain the failure.
FAULTS = {
    "wired": "not wired",
    "causal": "leaks",
    "rows": "leaks",
    "repeatable": "not repeatable",
    "recorded": "wrong record",
    "shared_evaluation": "other text",
    "split": "overlap",
    "probabilities": "none",
    "distinct": "shared",
    "churn_bounds": "broken",
}


def gates_line(stats: Stats) -> str:
    """Count the cells that passed every gate, and name those that did not."""
    cells = named_cells(stats)
    passed = sum(map(sound, cells.values()))
    gates = len(next(iter(cells.values()))["gates"])
    size = f"{counted(len(cells), 'cell')}, {counted(gates, 'gate')} each"
    if passed == len(cells):
        return f"{size}: every cell passed every gate."
    failed = failures_note(cells, most=6)
    if not passed:
        return f"{size}: no cell passed every gate, so nothing can be ranked. Failed: {failed}."
    return (
        f"{size}: {counted(passed, 'cell')} passed every gate. Failed: {failed}. Failed cells "
        f"are marked † everywhere and left out of every ranking and verdict."
    )


def other_rules_line(stats: Stats) -> str:
    """List the gates whose outcome under another checkpoint rule differs from the final one."""
    rules = []
    for rule in RULES:
        if rule == FINAL:
            continue
        changes = [
            f"{name} {'passes' if passed else 'fails'} {gate_name(gate)}"
            for name, gate, passed in _changes(stats, rule)
        ]
        if changes:
            rules.append(f"{UNDER[rule]}, {listed(changes, 6)}")
    if not rules:
        return "Under every other checkpoint rule the same gates fail."
    return f"Unlike at the final step: {'; '.join(rules)}."


def _changes(stats: Stats, rule: Rule) -> list[tuple[str, str, bool]]:
    """Return the cells and gates whose outcome under a rule differs from that at the final step."""
    final = named_cells(stats)
    return [
        (name, gate, outcome["passed"])
        for name, cell in named_cells(stats, rule).items()
        for gate, outcome in cell["gates"].items()
        if outcome["passed"] != final[name]["gates"][gate]["passed"]
    ]


def asked_table(stats: Stats) -> Table:
    """Return each gate's requirement and the file that has its outcome."""
    before, after = (
        paths.at(path, scale=stats["scale"]) for path in (paths.GATES, paths.GATES_AFTER)
    )
    rows = [
        Row([gate_name(gate), asked, when, path])
        for gates, when, path in (
            (BEFORE, "before training", before),
            (AFTER, "after training", after),
        )
        for gate, asked in gates.items()
    ]
    return Table(
        "What each gate asks",
        "A gate never stops a run; the file has its outcome, its measurements and its bound.",
        ["gate", "asks that", "when", "file"],
        rows,
        names=4,
    )


def failed_table(stats: Stats) -> Table:
    """Return the measurement and the bound of each failed gate."""
    rows = [
        Row([name, gate_name(gate), words(cell["gates"][gate]["measured"]), _bound(cell, gate)])
        for name, cell in named_cells(stats).items()
        for gate in cell["failed_gates"]
    ]
    return Table(
        "Failed gates",
        "At the final step.",
        ["cell", "gate", "measured", "asked"],
        rows,
        names=4,
        source=stats_key(stats, f"models.*.rules.{FINAL}.cells.*.gates"),
    )


def _bound(cell: Cell, gate: str) -> str:
    return cell["gates"][gate]["bound"]


def gates_table(stats: Stats, model: str) -> Table:
    """Return a model's outcomes, activations by gate, each with a number that was measured."""
    cells = cells_of(stats, model)
    known = [gate for gate in GATES if all(gate in cell["gates"] for cell in cells.values())]
    rows = [
        Row([gate_name(gate), *(_outcome(gate, cell["gates"][gate]) for cell in cells.values())])
        for gate in known
    ]
    return Table(
        f"{model}: gates",
        "✓ passed, ✗ failed. Point at a cell to read the bound.",
        ["gate", *cells],
        rows,
        source=stats_key(stats, f"models.{model}.rules.{FINAL}.cells.*.gates"),
    )


def _outcome(gate: str, outcome: Gate) -> Entry:
    hint = f"measured: {words(outcome['measured'])}; asked: {outcome['bound']}"
    if outcome["passed"]:
        return Entry(f"✓ {measured(gate, outcome)}".rstrip(), hint=hint, kind="passed")
    fault = FAULTS.get(gate) or measured(gate, outcome)
    return Entry(f"✗ {fault}".rstrip(), hint=hint, kind="failed")


def measured(gate: str, outcome: Gate) -> str:
    """Return the number that a gate judges, in short; empty if it has none."""
    key, noun = MEASURED.get(gate, ("", ""))
    measurement = outcome["measured"]
    value = measurement.get(key) if isinstance(measurement, dict) else None
    if value is None:
        return ""
    if isinstance(value, str):
        return value[:8]
    if isinstance(value, int):
        noun = noun.removesuffix("s") if value == 1 else noun
        return f"{count(value)} {noun}"
    return f"{number(value, 3)} {noun}" if isinstance(value, float) else ""


def words(measurement: JsonValue) -> str:
    """Write a gate's measurements as words; empty if there are none."""
    text = _words(measurement)
    return text if len(text) <= MOST_WORDS else f"{text[: MOST_WORDS - 1]}…"


def _words(measurement: JsonValue, between: str = "; ") -> str:
    if isinstance(measurement, Mapping):
        named = ((key.replace("_", " "), _words(value, ", ")) for key, value in measurement.items())
        return between.join(f"{key} {value}" for key, value in named if value)
    if isinstance(measurement, list | tuple):
        each = [text for text in (_words(item, ", ") for item in measurement) if text]
        return listed(each, MOST_LISTED) if each else ""
    if isinstance(measurement, bool):
        return "yes" if measurement else "no"
    if isinstance(measurement, float):
        return minus(f"{measurement:.4g}")
    if isinstance(measurement, int):
        return minus(count(measurement))
    return "" if measurement is None else str(measurement)
