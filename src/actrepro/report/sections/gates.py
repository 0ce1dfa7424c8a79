"""The report's section on gates: what each asks, who failed, and what was measured."""

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
MOST_WORDS = 320  # characters of what was measured
MOST_LISTED = 3
# The number by which a gate judges, or of what it looked at; where it is small enough to show.
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
# What a failed gate's number would not tell.
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
    """How many cells passed every gate, and which did not."""
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
        f"{size}: {counted(passed, 'cell')} passed every gate. Failed: {failed}. What failed is "
        f"marked † wherever it appears and left out of every ranking and verdict."
    )


def other_rules_line(stats: Stats) -> str:
    """Where the gates come out differently under another checkpoint rule than at the end."""
    said = []
    for rule in RULES:
        if rule == FINAL:
            continue
        changes = [
            f"{name} {'passes' if passed else 'fails'} {gate_name(gate)}"
            for name, gate, passed in _changes(stats, rule)
        ]
        if changes:
            said.append(f"{UNDER[rule]}, {listed(changes, 6)}")
    if not said:
        return "Under every other checkpoint rule the same gates fail."
    return f"Otherwise than at the final step: {'; '.join(said)}."


def _changes(stats: Stats, rule: Rule) -> list[tuple[str, str, bool]]:
    """Cells whose gate has another outcome under a rule than at the final step."""
    final = named_cells(stats)
    return [
        (name, gate, outcome["passed"])
        for name, cell in named_cells(stats, rule).items()
        for gate, outcome in cell["gates"].items()
        if outcome["passed"] != final[name]["gates"][gate]["passed"]
    ]


def asked_table(stats: Stats) -> Table:
    """What each gate asks, and in which file its outcome stands."""
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
        "A gate never stops a run; its outcome, what was measured and the bound stand in the file.",
        ["gate", "asks that", "when", "file"],
        rows,
        names=4,
    )


def failed_table(stats: Stats) -> Table:
    """What was measured where a gate failed, against which bound."""
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
    """A model's activations by gate: passed or failed, with what was measured."""
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
    said = FAULTS.get(gate) or measured(gate, outcome)
    return Entry(f"✗ {said}".rstrip(), hint=hint, kind="failed")


def measured(gate: str, outcome: Gate) -> str:
    """The number that a gate is about, in short; empty where it has none."""
    key, noun = MEASURED.get(gate, ("", ""))
    found = outcome["measured"]
    value = found.get(key) if isinstance(found, dict) else None
    if value is None:
        return ""
    if isinstance(value, str):
        return value[:8]
    if isinstance(value, int):
        noun = noun.removesuffix("s") if value == 1 else noun
        return f"{count(value)} {noun}"
    return f"{number(value, 3)} {noun}" if isinstance(value, float) else ""


def words(found: JsonValue) -> str:
    """What was measured, as a sentence has it; nothing where there was nothing."""
    text = _words(found)
    return text if len(text) <= MOST_WORDS else f"{text[: MOST_WORDS - 1]}…"


def _words(found: JsonValue, between: str = "; ") -> str:
    if isinstance(found, Mapping):
        told = ((key.replace("_", " "), _words(value, ", ")) for key, value in found.items())
        return between.join(f"{key} {value}" for key, value in told if value)
    if isinstance(found, list | tuple):
        each = [text for text in (_words(one, ", ") for one in found) if text]
        return listed(each, MOST_LISTED) if each else ""
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, float):
        return minus(f"{found:.4g}")
    if isinstance(found, int):
        return minus(count(found))
    return "" if found is None else str(found)
