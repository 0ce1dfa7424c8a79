"""A scale's summary as plain text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from actrepro.core import formats
from actrepro.core.files import write_text
from actrepro.data.shapes import Baseline, Table
from actrepro.measures import PRIMARY
from actrepro.predict.store import FINAL, Rule
from actrepro.report.sections.answer import headline, omnibus_line
from actrepro.results.cells import FAILED, Cell, Stats, cells_of, named_cells, sound
from actrepro.results.contrasts import AT, COMPARED, UNTESTED, verdict_counts
from actrepro.results.schema import Estimate, read_stats
from actrepro.results.verdicts import VERDICTS
from actrepro.results.words import (
    absence,
    failures_note,
    gate_mark,
    learned,
    lost_line,
    smoke_note,
    without,
)

WIDTH = 100  # characters of a line of text


def write_summary(stats: Path, output: Path) -> None:
    """Write a scale's summary from its `stats.json`.

    Raises
    ------
    ActreproError
        When the file is missing or damaged.
    """
    write_text(output, summary_text(read_stats(stats)))


def summary_text(stats: Stats, rule: Rule = FINAL) -> str:
    """Return a line per cell (loss, accuracy, difference between seeds) and the verdicts."""
    percent = formats.level(stats["confidence"])
    widths = (_width("model", stats["models"]), _width("activation", stats["activations"]))
    smoke = smoke_note(stats)
    lines = [
        *([smoke, ""] if smoke else []),
        *_wrapped(headline(stats)),
        "",
        f"{stats['scale']}: seeds {', '.join(map(str, stats['seeds']))}; "
        f"{rule} checkpoint; {stats['evaluation']['characters']:,} characters of the test half",
        f"loss in nats per character: mean ± sd (n−1); TV: mean total variation over pairs of "
        f"seeds [{percent} jackknife interval]",
        "",
        f"{'model':<{widths[0]}}{'activation':<{widths[1]}}{'n':>2}  "
        f"{'loss':<17}{'accuracy':<15}{'TV':<26}{'churn':<8}learned",
    ]
    for model in stats["models"]:
        for activation, cell in cells_of(stats, model, rule).items():
            name = activation if sound(cell) else f"{activation} {FAILED}"
            named = f"{model:<{widths[0]}}{name:<{widths[1]}}{cell['n']:>2}  "
            lines.append((named + _summary_line(cell)).rstrip())
    lines += ["", *_baseline_lines(stats["evaluation"]["baselines"], sum(widths) + 4)]
    if lost := lost_line(stats):
        lines += ["", *_wrapped(lost)]
    lines += ["", *_gate_lines(stats, rule), *_verdict_lines(stats)]
    if together := omnibus_line(stats):
        lines += ["", *_wrapped(together)]
    return "\n".join(lines) + "\n"


def _width(heading: str, names: Iterable[str]) -> int:
    """Return the width of a column with room for its longest name and a mark."""
    return 3 + max(len(heading) - 1, *(len(name) + len(FAILED) for name in names))


def _summary_line(cell: Cell) -> str:
    if not cell["n"]:
        return _noted(absence(cell), gate_mark(cell))
    loss, accuracy = (cell["metrics"][f"{metric}.all"] for metric in ("loss", "accuracy"))
    churn = cell["differences"]["churn-top1-pairs.all"]
    numbers = (
        f"{formats.mean_sd(loss):<17}{formats.mean_sd(accuracy, share=True):<15}"
        f"{_with_interval(cell['differences'][PRIMARY]):<26}"
        f"{formats.number(churn and churn['value']):<8}{learned(cell['beats']):<13}"
    )
    return _noted(numbers, without(cell), gate_mark(cell))


def _noted(text: str, *notes: str) -> str:
    remarks = "; ".join(filter(None, notes))
    return f"{text}  {remarks}" if remarks else text


def _with_interval(difference: Estimate | None) -> str:
    if difference is None:
        return "needs 2 seeds"
    if difference["interval"] is None:
        return f"{difference['value']:.4f} [needs 3 seeds]"
    low, high = difference["interval"]
    return f"{difference['value']:.4f} [{low:.4f}, {high:.4f}]"


def _baseline_lines(baselines: Mapping[Table, Baseline], width: int) -> list[str]:
    return [
        f"{table + ' table':<{width}}{values['loss']:<17.4f}{values['accuracy']:.2%}"
        for table, values in baselines.items()
    ]


def _gate_lines(stats: Stats, rule: Rule) -> list[str]:
    cells = named_cells(stats, rule)
    passed = sum(map(sound, cells.values()))
    if passed == len(cells):
        return [f"gates: all {formats.counted(len(cells), 'cell')} passed every gate"]
    rest = (
        f"cells marked {FAILED} did not and are excluded from every ranking and verdict"
        if passed
        else "nothing can be ranked"
    )
    return _wrapped(
        f"gates: {passed} of {formats.counted(len(cells), 'cell')} passed every gate; {rest} "
        f"(failed: {failures_note(cells)})"
    )


def _verdict_lines(stats: Stats) -> list[str]:
    """Count every measure's verdicts, under each rule that shows its contrasts."""
    if len(stats["activations"]) < 2:
        return []
    columns = (*VERDICTS, UNTESTED)
    lines = [_columns("verdicts on contrasts (margin)", columns)]
    for compared in COMPARED:
        for rule in compared.rules:
            counts = verdict_counts(stats, compared.metric, rule)
            name = f"{compared.name} {AT[rule]} ({compared.margin(stats)})"
            lines.append(_columns(name, [str(counts.get(verdict, 0)) for verdict in columns]))
    return ["", *lines]


def _columns(name: str, values: Sequence[str]) -> str:
    return f"{name:<56}" + "".join(f"{value:>14}" for value in values)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
