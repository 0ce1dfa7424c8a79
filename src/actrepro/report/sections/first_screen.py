"""The report's summary in words: every sentence follows from the numbers of `stats.json`.

The limits of the numbers are stated as plainly as the results: a large p is never called
"no difference", and a test that could not have found anything is described as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from actrepro.core.formats import count, counted, listed, number, p_value, spread
from actrepro.measures import PRIMARY
from actrepro.report.sections.gates import gates_line
from actrepro.report.sections.verdicts import not_claimed, settling, verdicts, warning
from actrepro.results.cells import Cell, Stats, known, named_cells, sound
from actrepro.results.contrasts import CHURN, LOSS
from actrepro.results.words import lost_line

MOST_NAMED = 6
KEYS = {
    "What was trained": "models.*.protocol",
    "Can the numbers be trusted?": "models.*.rules.*.cells.*.gates",
    "From seed to seed": "models.*.rules.final.cells.*.differences",
    "Activation against seed": "models.*.rules.final.across",
    "Do activations differ?": "models.*.rules.*.contrasts",
    "What would settle it": "models.*.rules.*.contrasts.*.seeds_to_settle",
    "Have the models learned?": "models.*.rules.final.cells.*.beats",
    "What is not claimed": "margins",
}


@dataclass(frozen=True)
class Summary:
    """Content of a scale's first screen.

    Attributes
    ----------
    tiles
        A few numbers, each with its label.
    warning
        Claims that the study's size rules out; empty if there are none.
    points
        The results: headings with sentences.
    keys
        Key in `stats.json` of each heading's numbers.
    """

    tiles: Sequence[tuple[str, str]]
    warning: str
    points: Sequence[tuple[str, str]]
    keys: Mapping[str, str]


def summary(stats: Stats) -> Summary:
    """Return the content of a scale's first screen."""
    sections = (
        trained,
        gates_line,
        between_seeds,
        activation_against_seed,
        verdicts,
        settling,
        learning,
        not_claimed,
    )
    points = [(heading, say(stats)) for heading, say in zip(KEYS, sections, strict=True)]
    return Summary(tiles(stats), warning(stats), [point for point in points if point[1]], KEYS)


def tiles(stats: Stats) -> list[tuple[str, str]]:
    """Return the study's size, its main result, and the smallest p-value that is possible."""
    cells = named_cells(stats)
    passed = sum(map(sound, cells.values()))
    chosen = [
        (count(_runs(stats)), f"runs: {_product(stats)}"),
        (f"{passed} of {len(cells)}", "cells passed every gate"),
        (
            _range(_differences(stats, PRIMARY).values()),
            "total variation between seeds, smallest to largest sound cell",
        ),
        (
            _range(_effects(stats, "activation").values()),
            "total variation between activations at the same seed, by model",
        ),
    ]
    smallest = stats["reach"]["p_holm"]
    if smallest is not None:
        chosen.append((p_value(smallest), "the smallest corrected p-value that these seeds allow"))
    return [(value, label) for value, label in chosen if value]


def _product(stats: Stats) -> str:
    sizes = (("model", stats["models"]), ("activation", stats["activations"]))
    parts = [counted(len(names), noun) for noun, names in sizes]
    return " × ".join([*parts, counted(len(stats["seeds"]), "seed")])


def _runs(stats: Stats) -> int:
    return sum(len(model["runs"]) for model in stats["models"].values())


def _range(values: Iterable[float]) -> str:
    numbers = list(values)
    return spread(numbers, 3).replace(" to ", "–") if numbers else ""


def trained(stats: Stats) -> str:
    """Describe the grid of runs, the protocol in short, and the runs that were lost."""
    protocol = next(iter(stats["models"].values()))["protocol"]
    size = (
        f"{_product(stats)}, {counted(_runs(stats), 'run')} at scale {stats['scale']}: "
        f"{count(protocol['iterations'])} steps of {protocol['batch']} × {protocol['context']} "
        f"characters of {protocol['corpus']}. Every run predicts the same "
        f"{count(stats['evaluation']['characters'])} characters of held-out text."
    )
    return f"{size} {lost_line(stats, MOST_NAMED) or 'Every run finished.'}"


def between_seeds(stats: Stats) -> str:
    """Describe how far runs differ that share all but their seed, over the sound cells."""
    values = _differences(stats, PRIMARY)
    if not values:
        return _nothing_to_rank(stats)
    churn = _percents(_differences(stats, CHURN).values())
    return (
        f"Two runs that differ only in their seed give probabilities with a total variation of "
        f"{_ends(values)}, averaged over the text and over pairs of seeds; 0 would be identical "
        f"predictions, 1 predictions without overlap. Their most probable next character differs "
        f"at {churn} of the positions.{_left_out(stats)}"
    )


def _nothing_to_rank(stats: Stats) -> str:
    if not any(map(sound, named_cells(stats).values())):
        return "Nothing can be ranked: every cell failed a gate."
    return (
        f"Nothing can be said: no cell has two finished runs, and a difference between seeds "
        f"needs two.{_left_out(stats)}"
    )


def _left_out(stats: Stats) -> str:
    """Count the failed cells that a range leaves out."""
    failed = sum(not sound(cell) for cell in named_cells(stats).values())
    if not failed:
        return ""
    verb = "is" if failed == 1 else "are"
    return f" {counted(failed, 'cell')} that failed a gate {verb} left out."


def _ends(values: Mapping[str, float]) -> str:
    """Return the smallest and the largest value, with their names."""
    least, most = (pick(values, key=values.__getitem__) for pick in (min, max))
    if least == most:
        return f"{number(values[least], 3)} ({least})"
    return f"{number(values[least], 3)} ({least}) to {number(values[most], 3)} ({most})"


def _percents(shares: Iterable[float]) -> str:
    ordered = sorted(shares)
    low, high = f"{ordered[0]:.0%}", f"{ordered[-1]:.0%}"
    return low if low == high else f"{low} to {high}"


def _differences(stats: Stats, measure: str) -> dict[str, float]:
    """Return a measure's differences of the cells that passed every gate."""
    return {
        name: difference["value"]
        for name, cell in named_cells(stats).items()
        if sound(cell) and (difference := cell["differences"][measure]) is not None
    }


def activation_against_seed(stats: Stats) -> str:
    """Compare the activation's effect on predictions with the seed's."""
    by_activation, by_seed = _effects(stats, "activation"), _effects(stats, "seed")
    both = [model for model in by_activation if model in by_seed]
    if not both:
        return ""
    smaller = sum(by_activation[model] < by_seed[model] for model in both)
    sizes = (spread([kind[model] for model in both], 3) for kind in (by_activation, by_seed))
    activation, seed = sizes
    return (
        f"Another activation with the same seed, which means the same text in the same order, "
        f"changes the predictions by a mean total variation of {activation}, by model; another "
        f"seed with the same activation changes them by {seed}. The activation changes them less "
        f"than the seed in {smaller} of {counted(len(both), 'model')}.{_left_out(stats)} This "
        f"compares sizes of change; which activation is more reproducible is the next question."
    )


def _effects(stats: Stats, of: Literal["activation", "seed"]) -> dict[str, float]:
    """Return the effect of changing the activation or the seed, by model where known."""
    effects = {model: effect[of] for model, effect in stats["effects"].items()}
    return {model: value for model, value in effects.items() if value is not None}


def learning(stats: Stats) -> str:
    """Return the range of test loss, and the cells that do not beat the n-gram tables."""
    cells = {name: cell for name, cell in named_cells(stats).items() if cell["n"]}
    if not cells:
        return "No cell has a finished run."
    sentences = [_losses({name: cell for name, cell in cells.items() if sound(cell)}, stats)]
    unlearned = [name for name, cell in cells.items() if not cell["beats"]["unigram"]]
    weak = [
        name
        for name, cell in cells.items()
        if not cell["beats"]["bigram"] and name not in unlearned
    ]
    strong = sum(bool(cell["beats"]["trigram"]) for cell in cells.values())
    if unlearned:
        sentences.append(
            f"Not learned, because not every run beats the unigram table: "
            f"{listed(unlearned, MOST_NAMED)}."
        )
    if weak:
        sentences.append(
            f"Not every run beats the bigram table in {listed(weak, MOST_NAMED)}; the "
            f"reproducibility of so weak a model says little."
        )
    if not unlearned and not weak:
        sentences.append("Every run beats the bigram table.")
    sentences.append(
        f"In {strong} of {counted(len(cells), 'cell')} every run beats the trigram table."
    )
    return " ".join(sentences)


def _losses(cells: Mapping[str, Cell], stats: Stats) -> str:
    """Return the range of the sound cells' losses, beside those of n-gram tables."""
    tables = stats["evaluation"]["baselines"]
    reached = listed([f"{name} {number(table['loss'], 3)}" for name, table in tables.items()])
    beside = f"n-gram tables of the training text have {reached}"
    if not cells:
        return f"No cell passed every gate, so losses are not ranked; {beside}."
    losses = {name: known(cell["metrics"][LOSS])["value"] for name, cell in cells.items()}
    return f"Mean test loss is {_ends(losses)} nats per character; {beside}.{_left_out(stats)}"
