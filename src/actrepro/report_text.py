"""The report's summary in words: every sentence follows from the numbers of `stats.json`.

What the numbers cannot carry is said as plainly as what they show: a large p is never
"no difference", and a test that could not have found anything is called that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from actrepro.cells import Cell, Stats, cells_of, sound
from actrepro.evidence import (
    Contrast,
    alpha,
    family,
    seeds_needed,
    significant,
    smallest_holm,
    smallest_p,
)
from actrepro.formats import (
    count,
    counted,
    interval,
    level,
    listed,
    number,
    p_value,
    signed,
    spread,
)
from actrepro.measures import PRIMARY

CHURN = "churn-top1-pairs.all"
LOSS = "loss.all"
RECOMMENDED_SEEDS = 10
MOST_NAMED = 6


@dataclass(frozen=True)
class Summary:
    """A scale's first screen.

    Attributes
    ----------
    tiles
        A few numbers, each with what it is.
    warning
        What the study's size does not allow; empty when there is nothing to warn of.
    points
        What was found: a heading and sentences each.
    """

    tiles: Sequence[tuple[str, str]]
    warning: str
    points: Sequence[tuple[str, str]]


def summary(stats: Stats) -> Summary:
    """What a scale's numbers say."""
    points = [
        ("What was trained", trained(stats)),
        ("From seed to seed", between_seeds(stats)),
        ("Activation against seed", activation_against_seed(stats)),
        ("Do activations differ?", tests(stats)),
        ("Have the models learned?", learning(stats)),
        (
            "What is not claimed",
            "Whether two activations are the same within some margin is not tested in this "
            "version, so nothing here says that they are. Cells are compared after the same "
            "number of steps and not at the same loss; a sharper model can differ more.",
        ),
    ]
    return Summary(tiles(stats), warning(stats), [point for point in points if point[1]])


def named_cells(stats: Stats, rule: str = "final") -> list[tuple[str, Cell]]:
    """All cells of a scale with their names, `model activation`."""
    return [
        (f"{model} {activation}", cell)
        for model in stats["models"]
        for activation, cell in cells_of(stats, model, rule).items()
    ]


def tiles(stats: Stats) -> list[tuple[str, str]]:
    """The study's size, its main result, and what its tests could find at best."""
    chosen = [
        (count(_runs(stats)), f"runs: {_product(stats)}"),
        (
            _range(_differences(stats, PRIMARY).values()),
            "total variation between seeds, smallest to largest cell",
        ),
        (
            _range(_kinds(stats, "other_activation_same_seed").values()),
            "total variation between activations at the same seed, by model",
        ),
    ]
    smallest = smallest_holm(stats)
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
    found = list(values)
    return spread(found, 3).replace(" to ", "–") if found else ""


def trained(stats: Stats) -> str:
    """Models × activations × seeds, the protocol in short, and what became of the runs."""
    protocol = next(iter(stats["models"].values()))["protocol"]
    size = (
        f"{_product(stats)}, {counted(_runs(stats), 'run')} at scale {stats['scale']}: "
        f"{count(protocol['iterations'])} steps of {protocol['batch']} × {protocol['context']} "
        f"characters of {protocol['corpus']}. Every run predicts the same "
        f"{count(stats['evaluation']['characters'])} characters of held-out text."
    )
    lost = [
        f"{model} {run['activation']} seed {run['seed']}"
        for model, one in stats["models"].items()
        for run in one["runs"]
        if run["status"] == "diverged"
    ]
    if not lost:
        return f"{size} Every run finished."
    verb = "diverged and is" if len(lost) == 1 else "diverged and are"
    return (
        f"{size} {counted(len(lost), 'run')} {verb} left out of all numbers, never replaced: "
        f"{listed(lost, MOST_NAMED)}."
    )


def between_seeds(stats: Stats) -> str:
    """How far two runs differ that share all but their seed."""
    values = _differences(stats, PRIMARY)
    if not values:
        return (
            "Nothing can be said: no cell has two finished runs, and a difference between seeds "
            "needs two."
        )
    churn = _percents(_differences(stats, CHURN).values())
    return (
        f"Two runs that differ only in their seed give probabilities with a total variation of "
        f"{_ends(values)}, averaged over the text and over pairs of seeds; 0 would be identical "
        f"predictions, 1 predictions without overlap. Their most probable next character differs "
        f"at {churn} of the positions."
    )


def _ends(values: Mapping[str, float]) -> str:
    """The smallest and the largest value, with their names."""
    least, most = (pick(values, key=values.__getitem__) for pick in (min, max))
    if least == most:
        return f"{number(values[least], 3)} ({least})"
    return f"{number(values[least], 3)} ({least}) to {number(values[most], 3)} ({most})"


def _percents(shares: Iterable[float]) -> str:
    found = sorted(shares)
    low, high = f"{found[0]:.0%}", f"{found[-1]:.0%}"
    return low if low == high else f"{low} to {high}"


def _differences(stats: Stats, measure: str) -> dict[str, float]:
    return {
        name: cell["differences"][measure]["value"]
        for name, cell in named_cells(stats)
        if cell["differences"][measure] is not None
    }


def activation_against_seed(stats: Stats) -> str:
    """How far the activation changes predictions, beside how far the seed does."""
    by_activation = _kinds(stats, "other_activation_same_seed")
    by_seed = _kinds(stats, "same_activation_other_seed")
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
        f"than the seed in {smaller} of {counted(len(both), 'model')}. This compares sizes of "
        f"change; which activation is more reproducible is the next question."
    )


def _kinds(stats: Stats, kind: str) -> dict[str, float]:
    """A kind of pairs' mean total variation by model, where there are such pairs."""
    return {
        name: model["rules"]["final"]["kinds_of_pairs"][PRIMARY][kind]
        for name, model in stats["models"].items()
        if model["rules"]["final"]["kinds_of_pairs"][PRIMARY][kind] is not None
    }


def warning(stats: Stats) -> str:
    """Why the tests could not have found anything, or not much."""
    n, smallest = len(stats["seeds"]), smallest_p(stats)
    seeds = counted(n, "seed")
    few = f"This study has {seeds}: three make a smoke study, ten are recommended for claims."
    few = "" if n >= RECOMMENDED_SEEDS else few
    corrected, bound = smallest_holm(stats), alpha(stats)
    if smallest is None or corrected is None or corrected < bound:
        return few
    at = f"the {level(bound)} level"
    size = max(len(family(stats, model, PRIMARY)) for model in stats["models"])
    needed = (
        f"With {counted(size, 'contrast')} in a model, at least {seeds_needed(size, bound)} seeds "
        f"are needed for one to reach it after correction."
    )
    if smallest >= bound:
        cannot = (
            f"No test with {seeds} can reach significance at {at}, whatever the data: the "
            f"smallest p-value that the exact test can give is {p_value(smallest)}."
        )
    else:
        cannot = (
            f"No contrast with {seeds} can reach significance at {at} after correction, whatever "
            f"the data: the smallest corrected p-value is {p_value(corrected)}."
        )
    return " ".join(filter(None, [cannot, needed, few]))


def tests(stats: Stats) -> str:
    """What the contrasts between activations show on total variation, and on loss."""
    if len(stats["activations"]) < 2:
        return "There is one activation only, so there is nothing to compare."
    said = [_tested(stats, PRIMARY, "total variation between seeds")]
    said.append(_tested(stats, LOSS, "test loss"))
    return " ".join([*said, _possible(stats)])


def _tested(stats: Stats, metric: str, name: str) -> str:
    contrasts = [(model, c) for model in stats["models"] for c in family(stats, model, metric)]
    tried = [(model, contrast) for model, contrast in contrasts if contrast["p"] is not None]
    if not tried:
        return f"No contrast in {name} could be tested: too few runs finished."
    bound = f"p < {alpha(stats):g} after Holm’s correction within each model"
    found = [(model, contrast) for model, contrast in tried if significant(stats, contrast)]
    if not found:
        return f"In {name}, none of {counted(len(tried), 'contrast')} has {bound}."
    told = listed([_told(model, contrast) for model, contrast in found], MOST_NAMED)
    return f"In {name}, {len(found)} of {counted(len(tried), 'contrast')} have {bound}: {told}."


def _possible(stats: Stats) -> str:
    """What the intervals leave open: a large p is no evidence of sameness."""
    ends = [
        end
        for model in stats["models"]
        for contrast in family(stats, model, PRIMARY)
        for end in contrast["interval"] or ()
    ]
    alike = "A large p, or none, is no evidence that activations are alike"
    if not ends:
        return f"{alike}."
    return (
        f"{alike}: the {level(stats['confidence'])} intervals of the differences in total "
        f"variation, each for itself, reach from {signed(min(ends), 3)} to {signed(max(ends), 3)}."
    )


def _told(model: str, contrast: Contrast) -> str:
    return (
        f"{model} {contrast['a']} − {contrast['b']} {signed(contrast['value'])} "
        f"{interval(contrast['interval'])}, p {p_value(contrast['p_holm'])}"
    )


def learning(stats: Stats) -> str:
    """The range of test loss, and which cells do not beat the n-gram tables."""
    cells = [(name, cell) for name, cell in named_cells(stats) if cell["n"]]
    if not cells:
        return "No cell has a finished run."
    losses = {name: cell["metrics"][LOSS]["value"] for name, cell in cells}
    tables = stats["evaluation"]["baselines"]
    said = [
        f"Mean test loss is {_ends(losses)} nats per character; a unigram table of the training "
        f"text has {number(tables['unigram']['loss'], 3)}, a bigram table "
        f"{number(tables['bigram']['loss'], 3)}."
    ]
    unlearned = [name for name, cell in cells if not cell["beats"]["unigram"]]
    weak = [name for name, cell in cells if not sound(cell) and name not in unlearned]
    if unlearned:
        said.append(
            f"Not learned, because not every run beats the unigram table: "
            f"{listed(unlearned, MOST_NAMED)}."
        )
    if weak:
        said.append(
            f"Not every run beats the bigram table in {listed(weak, MOST_NAMED)}; how "
            f"reproducible so weak a model is says little."
        )
    if not unlearned and not weak:
        said.append("Every run beats the bigram table.")
    return " ".join(said)
