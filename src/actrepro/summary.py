"""A scale's summary, to read in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from actrepro import formats
from actrepro.cells import gate_mark, learned, without
from actrepro.measures import PRIMARY


def summary_text(stats: Mapping[str, Any], rule: str = "final") -> str:
    """A scale's loss, accuracy and difference between seeds, a line per cell."""
    percent = formats.level(stats["confidence"])
    widths = (_width("model", stats["models"]), _width("activation", stats["activations"]))
    lines = [
        f"{stats['scale']}: seeds {', '.join(map(str, stats['seeds']))}; "
        f"{rule} checkpoint; {stats['evaluation']['characters']:,} characters of the test half",
        f"loss in nats per character: mean ± sd (n−1); TV: mean total variation over pairs of "
        f"seeds [{percent} jackknife interval]",
        "",
        f"{'model':<{widths[0]}}{'activation':<{widths[1]}}{'n':>2}  "
        f"{'loss':<17}{'accuracy':<15}{'TV':<26}{'churn':<8}learned",
    ]
    for model, one in stats["models"].items():
        cells = one["rules"][rule]["cells"]
        for activation, cell in cells.items():
            named = f"{model:<{widths[0]}}{activation:<{widths[1]}}{cell['n']:>2}  "
            lines.append(named + _summary_line(cell))
    lines += ["", *_baseline_lines(stats["evaluation"]["baselines"], sum(widths) + 4)]
    return "\n".join(lines) + "\n"


def _width(heading: str, names: Iterable[str]) -> int:
    """Of a column with room for its longest name."""
    return 2 + max(map(len, (heading, *names)))


def _summary_line(cell: Mapping[str, Any]) -> str:
    if not cell["n"]:
        return "every run diverged"
    loss, accuracy = (cell["metrics"][f"{metric}.all"] for metric in ("loss", "accuracy"))
    churn = cell["differences"]["churn-top1-pairs.all"]
    remarks = [text for text in (without(cell), gate_mark(cell)) if text]
    note = f"  {'; '.join(remarks)}" if remarks else ""
    return (
        f"{formats.mean_sd(loss):<17}{formats.mean_sd(accuracy, share=True):<15}"
        f"{_with_interval(cell['differences'][PRIMARY]):<26}"
        f"{formats.number(churn and churn['value']):<8}{learned(cell['beats'])}{note}"
    )


def _with_interval(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return "needs 2 seeds"
    if difference["interval"] is None:
        return f"{difference['value']:.4f} [needs 3 seeds]"
    low, high = difference["interval"]
    return f"{difference['value']:.4f} [{low:.4f}, {high:.4f}]"


def _baseline_lines(baselines: Mapping[str, Mapping[str, float]], width: int) -> list[str]:
    return [
        f"{table + ' table':<{width}}{values['loss']:<17.4f}{values['accuracy']:.2%}"
        for table, values in baselines.items()
    ]
