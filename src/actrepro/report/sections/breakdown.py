"""The report's part on disagreement between seeds: tables, and a page of coloured text.

Everything is read from `breakdown.json`. The page's script draws the text from compact data,
because the same text as markup would be many times as long.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from actrepro.core import paths
from actrepro.core.formats import MISSING, count, counted, number, percent, signed
from actrepro.figures.catalogue import MOST_SYMBOLS
from actrepro.measures.shapes import (
    Breakdown,
    BrokenDownCell,
    ConfidenceRow,
    Ensembles,
    ReliabilityBin,
    ShownCell,
    Stretch,
    SymbolRow,
)
from actrepro.report.kit.markup import script_data
from actrepro.report.kit.tables import Entry, Row, Table
from actrepro.report.sections.cells_by_model import marked
from actrepro.results.cells import FAILED, Stats, cells_of, compared_cells, known, sound
from actrepro.results.words import remark

INVISIBLE = {" ": "space", "\n": "new line", "\t": "tab"}
DIGITS = string.digits + string.ascii_lowercase
PER_MILLE = 1000


@dataclass(frozen=True)
class Page:
    """A page of text that the page's script colours; `activations` can be chosen.

    `data` is JSON that is safe within a script element.
    """

    id: str
    title: str
    caption: str
    source: str
    activations: Sequence[str]
    data: Markup


def tables(of_model: Breakdown, unsound: Collection[str] = ()) -> list[Table]:
    """Return the tables of a model's disagreement; none if no cell has two runs.

    `unsound` are activations whose cells failed a gate: they are marked.
    """
    if not compared_cells(of_model):
        return []
    return [
        symbols_table(of_model, unsound),
        confidence_table(of_model, unsound),
        stretches_table(of_model, unsound),
    ]


def symbols_table(of_model: Breakdown, unsound: Collection[str] = ()) -> Table:
    """Return differences between seeds by true symbol, for the most frequent symbols."""
    by_symbol = {name: cell["by_symbol"] for name, cell in compared_cells(of_model).items()}
    first = next(iter(by_symbol.values()))
    symbols = len(first)
    which = f"the {MOST_SYMBOLS} most frequent of {symbols}" if symbols > MOST_SYMBOLS else "all"
    rows = [
        Row(
            [
                symbol_name(row["symbol"]),
                count(row["count"]),
                *(_differences(cells[place]) for cells in by_symbol.values()),
            ]
        )
        for place, row in enumerate(first[:MOST_SYMBOLS])
    ]
    return Table(
        f"{of_model['model']}: by the character that comes",
        f"Mean total variation between seeds where this character comes next, with churn below it; "
        f"{which} characters in the scored text.{_left_out(of_model)}",
        ["true character", "count", *_headings(by_symbol, unsound)],
        rows,
        source=_source(of_model, "by_symbol"),
    )


def confidence_table(of_model: Breakdown, unsound: Collection[str] = ()) -> Table:
    """Return differences between seeds by their mean top probability."""
    bins = {name: cell["by_confidence"] for name, cell in compared_cells(of_model).items()}
    places = range(len(next(iter(bins.values()))))
    filled = [place for place in places if any(cells[place]["share"] for cells in bins.values())]
    rows = [
        Row(
            [
                _range(next(iter(bins.values()))[place]),
                *(_differences(cells[place], _of_text(cells[place])) for cells in bins.values()),
            ]
        )
        for place in filled
    ]
    return Table(
        f"{of_model['model']}: by confidence",
        "Mean total variation between seeds where their mean largest probability lies in this "
        f"range; below it churn | the share of the text.{_left_out(of_model)}",
        ["confidence", *_headings(bins, unsound)],
        rows,
        source=_source(of_model, "by_confidence"),
    )


def stretches_table(of_model: Breakdown, unsound: Collection[str] = ()) -> Table:
    """Return the stretches of text in which seeds agree most and least."""
    rows = []
    stretches = 0
    for activation, cell in compared_cells(of_model).items():
        ordered = sorted(cell["by_position"], key=lambda stretch: known(stretch["total_variation"]))
        stretches = len(ordered)
        ends = (ordered[0], ordered[-1])
        rows.append(
            Row(
                [
                    _heading(activation, unsound),
                    *(
                        Entry(number(stretch["total_variation"]), _where(stretch))
                        for stretch in ends
                    ),
                ],
                failed=activation in unsound,
            )
        )
    return Table(
        f"{of_model['model']}: along the text",
        f"The scored text in {counted(stretches, 'stretch', 'stretches')} of nearly equal length: "
        "mean total variation between seeds where they agree most and least, with the stretch, "
        f"counted in scored characters, below it.{_left_out(of_model)}",
        ["activation", "lowest", "highest"],
        rows,
        source=_source(of_model, "by_position"),
    )


def reliability_table(of_model: Breakdown, unsound: Collection[str] = ()) -> Table | None:
    """Return accuracy by confidence; None if no run is left."""
    cells = {
        name: known(cell["calibration"]) for name, cell in of_model["cells"].items() if cell["n"]
    }
    if not cells:
        return None
    bins = [cell["bins"] for cell in cells.values()]
    filled = [place for place in range(len(bins[0])) if any(cell[place]["share"] for cell in bins)]
    rows = [Row([_range(bins[0][at]), *(_reliability(cell[at]) for cell in bins)]) for at in filled]
    errors = [number(cell["error"]) for cell in cells.values()]
    return Table(
        f"{of_model['model']}: reliability",
        "How often a run’s likeliest character is the true one where its probability lies in this "
        "range, all runs pooled; below it the mean probability, which a calibrated run would "
        "match | the share of the predictions. Last, the expected calibration error of a run, mean "
        "over runs.",
        ["confidence", *_headings(cells, unsound)],
        [*rows, Row(["expected error", *errors])],
        source=_source(of_model, "calibration"),
    )


def ensembles_table(stats: Stats, breakdowns: Mapping[str, Breakdown]) -> Table | None:
    """Return the gain from averaging a cell's seeds, by model; None without breakdowns."""
    known = [model for model in stats["models"] if model in breakdowns]
    if not known:
        return None
    cells = [(model, activation) for model in known for activation in breakdowns[model]["cells"]]
    scale = stats["scale"]
    return Table(
        "Ensembles of seeds",
        "Loss in nats per character and accuracy of one seed (the mean over seeds), and of the "
        "mean of the probabilities of two and of all n, over all choices of two or a fixed "
        "sample of them. The gain is what all together save in loss; it is never negative, because "
        "the loss is convex.",
        ["model", "activation", "n", "loss, 1", "loss, 2", "loss, n", "gain", "acc., 1", "acc., n"],
        [_ensemble(stats, model, name, breakdowns[model]["cells"][name]) for model, name in cells],
        names=2,
        source=f"{paths.at(paths.BREAKDOWN, scale=scale, model='*')}: cells.*.ensemble",
        keys=[f"cells.{activation}.ensemble" for _, activation in cells],
    )


def _ensemble(stats: Stats, model: str, activation: str, broken_down: BrokenDownCell) -> Row:
    cell = cells_of(stats, model)[activation]
    named = Entry(marked(activation, cell), remark(cell, needed=2))
    return Row(
        [model, named, str(broken_down["n"]), *_gained(broken_down["ensemble"])],
        failed=not sound(cell),
    )


def _gained(ensemble: Ensembles | None) -> list[str]:
    """Return losses of one, two and all seeds, the gain, and accuracies of one and all seeds."""
    if ensemble is None:
        return [MISSING] * 6
    sizes = ensemble["sizes"]
    if len(sizes) == 1:
        [size] = sizes
        return [
            number(size["loss"]),
            *[MISSING] * 3,
            percent(size["accuracy"]),
            MISSING,
        ]
    return [
        *(number(size["loss"]) for size in (sizes[0], sizes[1], sizes[-1])),
        signed(ensemble["gain"]),
        *(percent(size["accuracy"]) for size in (sizes[0], sizes[-1])),
    ]


def page(of_model: Breakdown, id_: str, unsound: Collection[str] = ()) -> Page | None:
    """Return the page of text, under the given id; None if no cell has two runs.

    `unsound` are activations whose cells failed a gate: they are marked.
    """
    shown = of_model["page"]
    if shown is None:
        return None
    most = max(max(cell["total_variation"]) for cell in shown["cells"].values())
    return Page(
        id=id_,
        title=f"{of_model['model']}: a page of test text",
        caption=f"{counted(len(shown['text']), 'character')} from the first line that begins in "
        "the scored text (from its start where no line leaves a full page): a rule, not a choice. "
        "The stronger the ground, the further apart are the seeds’ predictions of that character: "
        f"mean total variation over pairs of seeds, from 0 to {number(most, 2)} on this page.",
        source=f"{_file(of_model)}: page",
        activations=_headings(shown["cells"], unsound),
        data=script_data(
            {
                "context": shown["context"],
                "text": shown["text"],
                "most": most or 1,
                "cells": [
                    _compact(cell, of_model["cells"][name]["n"])
                    for name, cell in shown["cells"].items()
                ],
            }
        ),
    )


def _compact(cell: ShownCell, runs: int) -> dict[str, object]:
    """Return a cell's part of the page, with its numbers packed into texts."""
    return {
        "n": runs,
        "seeds": cell["seeds"],
        "variation": packed(round(value * PER_MILLE) for value in cell["total_variation"]),
        "churn": packed(round(value * PER_MILLE) for value in cell["churn"]),
        "top": cell["top"],
        "share": [[packed(rank) for rank in seed] for seed in cell["share"]],
    }


def packed(values: Iterable[int]) -> str:
    """Write whole numbers below 36² as two digits of base 36 each.

    >>> packed([0, 35, 36, 1000])
    '000z10rs'
    """
    return "".join(DIGITS[value // 36] + DIGITS[value % 36] for value in values)


def symbol_name(symbol: str) -> str:
    """Return a character as a table shows it.

    >>> symbol_name(" "), symbol_name("e"), symbol_name(chr(0x200B))
    ('space', 'e', 'U+200B')
    """
    return INVISIBLE.get(symbol) or (symbol if symbol.isprintable() else f"U+{ord(symbol):04X}")


def _left_out(of_model: Breakdown) -> str:
    """Name the cells without a column, with the reason."""
    absent = [name for name, cell in of_model["cells"].items() if cell["n"] < 2]
    return f" Fewer than two runs are left of {', '.join(absent)}." if absent else ""


def _headings(cells: Iterable[str], unsound: Collection[str]) -> list[str]:
    return [_heading(name, unsound) for name in cells]


def _heading(activation: str, unsound: Collection[str]) -> str:
    """Return an activation's name, with a mark if its cell failed a gate."""
    return f"{activation} {FAILED}" if activation in unsound else activation


def _differences(row: SymbolRow | ConfidenceRow, more: str = "") -> str | Entry:
    """Return total variation, with churn below it."""
    if row["total_variation"] is None:
        return MISSING
    return Entry(number(row["total_variation"]), f"{percent(row['churn'], 1)}{more}")


def _of_text(row: ConfidenceRow | ReliabilityBin) -> str:
    return f" | {percent(row['share'], 1)}"


def _reliability(row: ReliabilityBin) -> str | Entry:
    if row["accuracy"] is None:
        return MISSING
    below = f"{percent(row['confidence'], 1)}{_of_text(row)}"
    return Entry(percent(row["accuracy"], 1), below)


def _range(row: ConfidenceRow | ReliabilityBin) -> str:
    """Format a bin of probabilities: 6.7 to 13.3%."""
    low, high = (f"{100 * end:.3g}" for end in (row["low"], row["high"]))
    return f"{low} to {high}%"


def _where(stretch: Stretch) -> str:
    last = stretch["start"] + stretch["characters"]
    return f"{count(stretch['start'] + 1)} to {count(last)}"


def _source(of_model: Breakdown, key: str) -> str:
    return f"{_file(of_model)}: cells.*.{key}"


def _file(of_model: Breakdown) -> str:
    return paths.at(paths.BREAKDOWN, scale=of_model["scale"], model=of_model["model"])
