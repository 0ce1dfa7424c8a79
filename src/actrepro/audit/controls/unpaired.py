"""Runs scored on different positions of a text, which then seem to differ even from themselves.

A difference between two runs is one between their predictions of *the same* characters.
Drawn anew for each run, the characters differ too, and so do the predictions of a single
run: the number then follows from how sharp the predictions are. Here both are
measured side by side, of real runs and of n-gram tables, which have no seed at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json, write_json
from actrepro.core.seeds import stream_seed
from actrepro.data.corpus import Corpus, load_corpus
from actrepro.data.evaluation_set import SMOOTHING, EvaluationSet, load_evaluation
from actrepro.gates.after import shared_evaluation
from actrepro.gates.outcome import Outcome
from actrepro.measures import BY_ID, PairMeasure, accuracy, loss
from actrepro.predict.store import FINAL, Probabilities, StoredPredictions, open_predictions

# The number that the earlier study scored a model on.
SAMPLE = 1000
DRAWS = 5
LONGEST_CONTEXT = 6

TOTAL_VARIATION = "tv-half_l1-pairs"
CHURN = "churn-top1-pairs"

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]
Run = tuple[str, int]
Numbers = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class _Told:
    """A measure as a control's file has it."""

    id: str
    column: int
    quantity: str
    unit: str
    factor: float
    name: str


MEASURES = (
    _Told(TOTAL_VARIATION, 0, "tv", "", 1.0, "total variation"),
    _Told(CHURN, 1, "churn_per_1000", "of 1,000", 1000.0, "differing top predictions"),
)


def quantity(
    control: float | None,
    honest: float | None,
    what: str,
    unit: str = "",
    *,
    measure: str = "",
    n: int | None = None,
    control_interval: Sequence[float] | None = None,
    honest_interval: Sequence[float] | None = None,
) -> dict[str, Any]:
    """One entry of a control's `numbers`: the number with the mistake, and the honest one.

    `n` counts the seeds behind both. A number that is undefined is None.
    """
    found: dict[str, Any] = {"control": control, "honest": honest, "unit": unit, "what": what}
    intervals = {"control_interval": control_interval, "honest_interval": honest_interval}
    found |= {name: list(one) for name, one in intervals.items() if one is not None}
    return found | ({"measure": measure} if measure else {}) | ({} if n is None else {"n": n})


def draws(name: str, characters: int) -> Iterator[tuple[Positions, Positions]]:
    """Five times two sets of positions that have none in common, uniform over the text.

    Each is of 1,000 positions, or of half of a text that is shorter than twice that.
    The name alone decides which.
    """
    size = min(SAMPLE, characters // 2)
    for draw in range(DRAWS):
        generator = np.random.Generator(np.random.PCG64(stream_seed(draw, f"positions/{name}")))
        chosen = generator.choice(characters, 2 * size, replace=False)
        yield chosen[:size], chosen[size:]


def differences(p: Probabilities, q: Probabilities) -> Floats:
    """Total variation and churn `[2]` between two lists of predictions `[N, V]`, row by row."""
    both, nothing = np.stack([p, q]), np.zeros(len(p), np.uint8)
    return np.array([_measure(id_)(both, nothing)[0, 1] for id_ in (TOTAL_VARIATION, CHURN)])


def _measure(id_: str) -> PairMeasure:
    measure = BY_ID[id_]
    assert isinstance(measure, PairMeasure)
    return measure


def unpaired_differences(p: Probabilities, q: Probabilities, name: str) -> Floats:
    """Return `differences` with the second list at other positions, a row per draw `[draws, 2]`."""
    return np.array([differences(p[one], q[other]) for one, other in draws(name, len(p))])


def unpaired_control(
    runs: Sequence[Run],
    prediction_paths: Sequence[Path],
    corpus_path: Path,
    evaluation_path: Path,
    stats_path: Path,
    output: Path,
) -> None:
    """Score every two seeds of each activation on different positions and write the control.

    Parameters
    ----------
    runs
        `(activation, seed)`, in the order of `prediction_paths`.
    stats_path
        The runs' statistics, whose paired differences are the honest numbers.
    output
        JSON in the shape of a trained control's, with the n-gram tables under `ladder`. The
        intervals go from the least to the greatest of pairs, and of draws.

    Raises
    ------
    ActreproError
        When a file cannot be read, or no activation has two runs to compare.
    """
    corpus, evaluation = load_corpus(corpus_path), load_evaluation(evaluation_path)
    stats = read_json(stats_path)
    paths = dict(zip(runs, prediction_paths, strict=True))
    honest = {
        activation: cell["differences"]
        for activation, cell in stats["rules"][FINAL]["cells"].items()
        if cell["differences"][f"{TOTAL_VARIATION}.all"] is not None
    }
    cells = _cells({run: open_predictions(paths[run]) for run in runs if run[0] in honest})
    if not cells:
        raise ActreproError(
            f"{stats_path}: no activation has two runs to compare; the control needs two seeds of "
            "one activation, whose runs must end"
        )
    scored = {activation: _Cell.of(activation, cell) for activation, cell in cells.items()}
    write_json(
        output,
        {
            "control": "unpaired",
            "about": {
                "scale": stats["scale"],
                "model": stats["model"],
                "rule": FINAL,
                "characters": len(evaluation.targets),
                "positions_per_run": min(SAMPLE, len(evaluation.targets) // 2),
                "draws": DRAWS,
                "smoothing": SMOOTHING,
                "evaluation_sha256": evaluation.sha256,
            },
            "numbers": {**_of_activations(scored, honest), **_of_all(scored, honest)},
            "gates": {"shared_evaluation": _gate(cells, evaluation)},
            "runs": [
                {"activation": activation, "seed": seed, "weights_sha256": _weights(run)}
                for activation, cell in cells.items()
                for seed, run in cell.items()
            ],
            "ladder": ngram_ladder(corpus, evaluation.positions),
        },
    )


Cells = Mapping[str, Mapping[int, StoredPredictions]]


def _cells(runs: Mapping[Run, StoredPredictions]) -> dict[str, dict[int, StoredPredictions]]:
    """Return the runs that ended, by activation and seed, where there are two of them."""
    found: dict[str, dict[int, StoredPredictions]] = {}
    for (activation, seed), run in runs.items():
        if not run.lost:
            found.setdefault(activation, {})[seed] = run
    return {activation: cell for activation, cell in found.items() if len(cell) > 1}


def _weights(run: StoredPredictions) -> str:
    return run.weights_sha256[FINAL]


@dataclass(frozen=True)
class _Cell:
    """An activation's runs: total variation and churn, a row for each pair and draw."""

    between_seeds: Floats
    with_itself: Floats
    paired_with_itself: Floats
    seeds: int

    @classmethod
    def of(cls, activation: str, runs: Mapping[int, StoredPredictions]) -> _Cell:
        p = {seed: run.read(FINAL, "all") for seed, run in runs.items()}
        pairs = itertools.combinations(p, 2)
        names = {pair: f"{activation}/{pair[0]}/{pair[1]}" for pair in pairs}
        alone = {seed: f"{activation}/{seed}" for seed in p}
        return cls(
            np.concatenate([unpaired_differences(p[i], p[j], n) for (i, j), n in names.items()]),
            np.concatenate([unpaired_differences(p[i], p[i], n) for i, n in alone.items()]),
            np.array([differences(one, one) for one in p.values()]),
            len(p),
        )


def _of_activations(cells: Mapping[str, _Cell], honest: Mapping[str, Any]) -> Numbers:
    numbers: Numbers = {}
    for measure, (activation, cell) in itertools.product(MEASURES, cells.items()):
        column, factor = measure.column, measure.factor
        paired = honest[activation][f"{measure.id}.all"]
        pairs = [factor * pair["value"] for pair in paired["pairs"]]
        between = factor * cell.between_seeds[:, column]
        with_itself = factor * cell.with_itself[:, column]
        shared: dict[str, Any] = {"measure": f"{measure.id}.all", "n": cell.seeds}
        numbers[f"{measure.quantity}.{activation}"] = quantity(
            float(between.mean()),
            factor * paired["value"],
            f"{measure.name} of two seeds",
            measure.unit,
            control_interval=span(between),
            honest_interval=span(np.array(pairs)),
            **shared,
        )
        numbers[f"self_{measure.quantity}.{activation}"] = quantity(
            float(with_itself.mean()),
            factor * float(cell.paired_with_itself[:, column].mean()),
            f"{measure.name} of one run and itself",
            measure.unit,
            control_interval=span(with_itself),
            **shared,
        )
    return numbers


def _of_all(cells: Mapping[str, _Cell], honest: Mapping[str, Any]) -> Numbers:
    """Means over activations; the control's interval spans all pairs and draws."""
    numbers: Numbers = {}
    for measure in MEASURES:
        by_activation = [
            measure.factor * one.between_seeds[:, measure.column] for one in cells.values()
        ]
        paired = [honest[activation][f"{measure.id}.all"]["value"] for activation in cells]
        numbers[measure.quantity] = quantity(
            float(np.mean([one.mean() for one in by_activation])),
            measure.factor * float(np.mean(paired)),
            f"{measure.name} of two seeds, mean over activations",
            measure.unit,
            measure=f"{measure.id}.all",
            n=min(cell.seeds for cell in cells.values()),
            control_interval=span(np.concatenate(by_activation)),
        )
    return numbers


def span(values: Floats) -> tuple[float, float]:
    """The least and the greatest."""
    return float(values.min()), float(values.max())


def _gate(cells: Cells, evaluation: EvaluationSet) -> dict[str, Any]:
    """Return the gate of one shared text: for the control's draws, and for the honest scoring."""
    activation, cell = next(iter(cells.items()))
    (first, one), (second, other) = itertools.islice(cell.items(), 2)
    drawn = next(draws(f"{activation}/{first}/{second}", len(evaluation.targets)))
    texts = [_cut(evaluation, positions).sha256 for positions in drawn]
    return {
        "control": _outcome(activation, dict(zip((first, second), texts, strict=True)), texts[0]),
        "honest": _outcome(
            activation,
            {first: one.evaluation_sha256, second: other.evaluation_sha256},
            evaluation.sha256,
        ),
    }


def _outcome(activation: str, texts: Mapping[int, str], expected: str) -> dict[str, Any]:
    facts = {(activation, seed): {"evaluation_sha256": text} for seed, text in texts.items()}
    outcome: Outcome = shared_evaluation(facts, expected)
    return outcome.as_json()


def _cut(evaluation: EvaluationSet, places: Positions) -> EvaluationSet:
    """The evaluation set of a run that is scored on some of the positions only."""
    return replace(
        evaluation,
        window=evaluation.window[places],
        offset=evaluation.offset[places],
        positions=evaluation.positions[places],
        targets=evaluation.targets[places],
    )


def ngram_ladder(corpus: Corpus, positions: Positions) -> list[dict[str, Any]]:
    """N-gram tables of the training text, each against itself on other positions.

    By the number of characters of context, 0 to 6 (fewer where a text has so many
    symbols that a context is no 64-bit number): the table's accuracy and loss on all
    positions, and means and spans of total variation and churn over the draws.
    """
    targets = corpus.codes[positions]
    ladder = []
    for order, rows in enumerate(ngram_rows(corpus, positions)):
        found = unpaired_differences(rows, rows, f"order {order}")
        ladder.append(
            {
                "order": order,
                "accuracy": accuracy(rows, targets),
                "loss": loss(rows, targets),
                "tv": float(found[:, 0].mean()),
                "tv_interval": span(found[:, 0]),
                "churn": float(found[:, 1].mean()),
                "churn_interval": span(found[:, 1]),
                "paired_tv": float(differences(rows, rows)[0]),
            }
        )
    return ladder


def ngram_rows(corpus: Corpus, positions: Positions) -> Iterator[Probabilities]:
    """Yield the predictions of n-gram tables, `[positions, V]`, the shortest context first.

    After a context that the training text has n times, c of them before a symbol, its
    probability is (c + s·q)/(n + s): q after the same context without its first character,
    and 1/V at the start (MacKay & Peto 1995, the hierarchical Dirichlet model). A symbol that
    was not seen in a long context thus falls back on a shorter one.
    """
    symbols = len(corpus.symbols)
    rows = np.full((len(positions), symbols), 1 / symbols)
    for order in range(LONGEST_CONTEXT + 1):
        if symbols**order >= 2**63:
            return
        counts = _counts(corpus, positions, order)
        rows = (counts + SMOOTHING * rows) / (counts.sum(axis=1, keepdims=True) + SMOOTHING)
        yield rows.astype(np.float32)


def _counts(corpus: Corpus, positions: Positions, order: int) -> NDArray[np.int64]:
    """Count the symbols that follow each position's context in the training text."""
    symbols = len(corpus.symbols)
    wanted, row = np.unique(_contexts(corpus, positions, order), return_inverse=True)
    train = np.arange(order, corpus.train_end)
    contexts = _contexts(corpus, train, order)
    place = np.searchsorted(wanted, contexts).clip(max=len(wanted) - 1)
    seen = wanted[place] == contexts
    cells = place[seen] * symbols + corpus.codes[train[seen]]
    counts: NDArray[np.int64] = np.bincount(cells, minlength=len(wanted) * symbols)
    return counts.reshape(-1, symbols)[row]


def _contexts(corpus: Corpus, positions: Positions, order: int) -> Positions:
    """The `order` characters before each position, as one number."""
    contexts = np.zeros(len(positions), np.int64)
    for back in range(order, 0, -1):
        contexts = contexts * len(corpus.symbols) + corpus.codes[positions - back]
    return contexts
