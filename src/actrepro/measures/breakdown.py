"""Breakdown of a model's runs: where they disagree, their calibration, and their ensembles.

Everything is computed for the final checkpoint and every scored character. The measures in
`stats.json` are means over all characters, and a row is the mean over some of them: the mean
of the rows, weighted by their numbers of characters, is the cell's own number.

Predictions are read in pieces; five numbers per character stay in memory.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import reduce
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from actrepro.core.files import write_json
from actrepro.core.runs import ByRun
from actrepro.data.corpus import Corpus, load_corpus
from actrepro.data.evaluation_set import EvaluationSet, load_evaluation
from actrepro.measures import BY_ID, CHUNK, Floats, Targets, all_pairs
from actrepro.measures.positions import (
    churns,
    confidences,
    hits,
    losses,
    total_variations,
)
from actrepro.measures.shapes import (
    Breakdown,
    BrokenDown,
    BrokenDownCell,
    ConfidenceRow,
    Ensembles,
    EnsembleSize,
    ReliabilityBin,
    ShownCell,
    ShownPage,
    Stretch,
    SymbolRow,
)
from actrepro.predict.store import (
    FINAL,
    Probabilities,
    StoredPredictions,
    open_predictions,
    stream,
)
from actrepro.predict.validity import inspect

SCHEMA = 1
CONFIDENCE_BINS = 10
STRETCHES = 32
# Ensembles of one size that are evaluated; of more, a sample of this size is drawn.
MOST_SUBSETS = 64

# The page of text that the report shows character by character.
PAGE_CHARACTERS = 480
CONTEXT_CHARACTERS = 40
PAGE_ACTIVATIONS = 6
PAGE_SEEDS = 5
RANKS = 3

# A cell without usable runs.
NOTHING: BrokenDownCell = {
    "n": 0,
    "by_symbol": None,
    "by_confidence": None,
    "by_position": None,
    "calibration": None,
    "ensemble": None,
}

Groups = npt.NDArray[np.integer[Any]]
Subset = tuple[int, ...]


@dataclass(frozen=True)
class Characters:
    """Scores of a cell's runs at each of N scored characters, `[N]` each.

    Loss (nats), accuracy and confidence (the largest probability) are means over runs;
    churn and total variation are means over pairs of runs, NaN of a single run.
    """

    loss: Floats
    accuracy: Floats
    confidence: Floats
    churn: Floats
    total_variation: Floats

    @classmethod
    def of(cls, p: Probabilities, targets: Targets) -> Self:
        """Score predictions `[M, N, V]` against true symbols `[N]`."""
        pairs = all_pairs(len(p))
        return cls(
            loss=losses(p, targets),
            accuracy=hits(p, targets),
            confidence=confidences(p),
            churn=churns(p, pairs),
            total_variation=total_variations(p, pairs),
        )

    @classmethod
    def joined(cls, pieces: Iterable[Self]) -> Self:
        """Join the pieces of a text in order."""
        parts = list(pieces)
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def means(
        self, names: Sequence[str], groups: Groups, count: int
    ) -> list[dict[str, float | None]]:
        """Average over the characters of each of `count` groups; None for an empty group."""
        sizes = np.bincount(groups, minlength=count)
        sums = {name: np.bincount(groups, getattr(self, name), count) for name in names}
        return [
            {name: _number(sums[name][group] / size) if size else None for name in names}
            for group, size in enumerate(sizes.tolist())
        ]


def model_breakdown(
    model: Mapping[str, str],
    predictions: ByRun,
    corpus_path: Path,
    evaluation_path: Path,
    output: Path,
) -> None:
    """Write where a model's runs disagree, and how well they predict there.

    A run that cannot be compared is excluded from every number.

    Parameters
    ----------
    model
        Names scale and model.
    predictions
        `predictions.npz` of each run.

    Raises
    ------
    ActreproError
        When a file is missing or damaged.
    """
    evaluation = load_evaluation(evaluation_path)
    cells: dict[str, dict[int, StoredPredictions]] = {name: {} for name, _ in predictions}
    for (activation, seed), path in predictions.items():
        run = open_predictions(path)
        if inspect(run, FINAL, evaluation).usable:
            cells[activation][seed] = run
    content = breakdown(cells, load_corpus(corpus_path), evaluation)
    file: Breakdown = {
        "schema": SCHEMA,
        "scale": model["scale"],
        "model": model["model"],
        **content,
    }
    write_json(output, file)


def breakdown(
    cells: Mapping[str, Mapping[int, StoredPredictions]],
    corpus: Corpus,
    evaluation: EvaluationSet,
) -> BrokenDown:
    """Break down each cell's usable runs, by seed, and add a page of text.

    The page shows the study's first cells that have two or more runs.
    """
    start, stop = page_bounds(corpus, evaluation)
    summaries: dict[str, BrokenDownCell] = {}
    shown: dict[str, ShownCell] = {}
    for activation, runs in cells.items():
        at, summaries[activation] = _cell(list(runs.values()), evaluation)
        if at and len(runs) > 1 and len(shown) < PAGE_ACTIVATIONS:
            shown[activation] = _shown(runs, at, start, stop, evaluation.symbols)
    return {
        "evaluation_sha256": evaluation.sha256,
        "characters": len(evaluation.targets),
        "cells": summaries,
        "page": _page(corpus, evaluation, start, stop, shown),
    }


def _cell(
    runs: Sequence[StoredPredictions], evaluation: EvaluationSet
) -> tuple[Characters | None, BrokenDownCell]:
    """Return the scores of each character, and the cell's summary of them, null without runs."""
    if not runs:
        return None, NOTHING
    calibration = BY_ID["calibration"]
    subsets = list(itertools.chain.from_iterable(subsets_by_size(len(runs))))
    pieces, bins, ensembles = [], np.zeros(()), np.zeros(())
    start, characters = 0, len(evaluation.targets)
    for p in stream(runs, FINAL, "all", CHUNK):
        targets = evaluation.targets[start : start + p.shape[1]]
        start += p.shape[1]
        pieces.append(Characters.of(p, targets))
        bins = bins + calibration.sums(p, targets)
        ensembles = ensembles + ensemble_sums(p, targets, subsets)
    at = Characters.joined(pieces)
    return at, {
        "n": len(runs),
        "by_symbol": by_symbol(at, evaluation),
        "by_confidence": by_confidence(at),
        "by_position": by_position(at),
        "calibration": {
            "bins": reliability(bins.sum(axis=0)),
            "error": float(calibration.finish(bins, characters).mean()),
        },
        "ensemble": of_sizes(ensembles / characters, subsets),
    }


def by_symbol(at: Characters, evaluation: EvaluationSet) -> list[SymbolRow]:
    """Group the characters by their true symbol, the most frequent first."""
    targets, symbols = evaluation.targets, evaluation.symbols
    counts = np.bincount(targets, minlength=len(symbols))
    names = ("churn", "total_variation", "loss", "accuracy")
    means = at.means(names, targets, len(symbols))
    return [
        {
            "symbol": symbols[code],
            "count": int(counts[code]),
            "churn": means[code]["churn"],
            "total_variation": means[code]["total_variation"],
            "loss": means[code]["loss"],
            "accuracy": means[code]["accuracy"],
        }
        for code in np.argsort(-counts, kind="stable").tolist()
        if counts[code]
    ]


def by_confidence(at: Characters) -> list[ConfidenceRow]:
    """Group the characters by the runs' mean confidence, in ten bins (low, high]."""
    bins = np.ceil(at.confidence * CONFIDENCE_BINS).astype(np.int64) - 1
    # A confidence may pass 1 by a rounding error.
    bins = bins.clip(0, CONFIDENCE_BINS - 1)
    shares = np.bincount(bins, minlength=CONFIDENCE_BINS) / len(bins)
    means = at.means(("churn", "total_variation"), bins, CONFIDENCE_BINS)
    return [
        {
            "low": place / CONFIDENCE_BINS,
            "high": (place + 1) / CONFIDENCE_BINS,
            "share": float(shares[place]),
            "churn": mean["churn"],
            "total_variation": mean["total_variation"],
        }
        for place, mean in enumerate(means)
    ]


def by_position(at: Characters) -> list[Stretch]:
    """Group the characters into consecutive stretches of text, nearly equal in length."""
    characters = len(at.loss)
    edges = np.linspace(0, characters, min(STRETCHES, characters) + 1).astype(np.int64)
    lengths = np.diff(edges)
    stretch = np.repeat(np.arange(len(lengths)), lengths)
    means = at.means(("churn", "total_variation"), stretch, len(lengths))
    return [
        {
            "start": start,
            "characters": length,
            "churn": mean["churn"],
            "total_variation": mean["total_variation"],
        }
        for start, length, mean in zip(edges.tolist(), lengths.tolist(), means, strict=False)
    ]


def reliability(sums: Floats) -> list[ReliabilityBin]:
    """Compute a reliability diagram from the sums of the measure `calibration`, `[3 B]`.

    Bins of confidence with their accuracy, the predictions of all runs pooled
    (Guo et al. 2017, arXiv:1706.04599, figure 1).
    """
    counts, confidences, right = sums.reshape(3, -1)
    return [
        {
            "low": place / len(counts),
            "high": (place + 1) / len(counts),
            "share": float(count / counts.sum()),
            "confidence": float(confidences[place] / count) if count else None,
            "accuracy": float(right[place] / count) if count else None,
        }
        for place, count in enumerate(counts)
    ]


def subsets_by_size(runs: int) -> list[list[Subset]]:
    """List subsets of runs by size, from 1: all subsets of a size, or a sample of many.

    The sample is the same every time. Size 1 always has every run.
    """
    return [
        list(itertools.combinations(range(runs), size))
        if size in (1, runs) or math.comb(runs, size) <= MOST_SUBSETS
        else _drawn(runs, size)
        for size in range(1, runs + 1)
    ]


def _drawn(runs: int, size: int) -> list[Subset]:
    """Draw distinct subsets of one size with equal probabilities."""
    generator = np.random.default_rng([runs, size])
    subsets: dict[Subset, None] = {}
    while len(subsets) < MOST_SUBSETS:
        chosen = generator.choice(runs, size, replace=False)
        subsets[tuple(sorted(chosen.tolist()))] = None
    return list(subsets)


def ensemble_sums(p: Probabilities, targets: Targets, subsets: Sequence[Subset]) -> Floats:
    """Compute Σ −ln p̄_y and the number of hits of each subset's mean of `[M, N, V]`, `[S, 2]`.

    The mean of probabilities is a deep ensemble (Lakshminarayanan et al. 2017,
    arXiv:1612.01474); its loss is at most the mean loss of its members (Jensen).
    """
    true = p[:, np.arange(len(targets)), targets].astype(np.float64)

    def sums(subset: Subset) -> tuple[float, float]:
        loss = -np.log(true[list(subset)].mean(axis=0)).sum()
        # The sum has the same most probable symbol as the mean.
        best = reduce(np.add, (p[run] for run in subset)).argmax(axis=1)
        return float(loss), float((best == targets).sum())

    return np.array([sums(subset) for subset in subsets])


def of_sizes(scores: Floats, subsets: Sequence[Subset]) -> Ensembles:
    """Average loss and accuracy of ensembles by size, and compute the gain of the largest.

    `scores` `[S, 2]` has loss and accuracy of each subset. The gain is the loss of single runs
    minus that of all runs together, None for a single run.
    """
    sizes = np.array([len(subset) for subset in subsets])
    rows: list[EnsembleSize] = []
    for size in range(1, int(sizes.max()) + 1):
        loss, accuracy = scores[sizes == size].mean(axis=0).tolist()
        rows.append({"k": size, "loss": loss, "accuracy": accuracy})
    gain = rows[0]["loss"] - rows[-1]["loss"] if len(rows) > 1 else None
    return {"sizes": rows, "gain": gain}


def page_bounds(corpus: Corpus, evaluation: EvaluationSet) -> tuple[int, int]:
    """Return the start and the end of the page in the scored text.

    The page begins with the first line, not an empty one, after which a full page follows, or
    with the text where there is none. So nobody can pick a favourable page.
    """
    characters = len(evaluation.targets)
    newline = corpus.symbols.find("\n")
    # In a text without line ends, `newline` is -1, which is no code.
    before = corpus.codes[evaluation.positions - 1].astype(np.int64)
    begins = np.flatnonzero((before == newline) & (evaluation.targets != newline))
    fitting = begins[begins <= characters - PAGE_CHARACTERS]
    start = int(fitting[0]) if len(fitting) else 0
    return start, min(start + PAGE_CHARACTERS, characters)


def _page(
    corpus: Corpus,
    evaluation: EvaluationSet,
    start: int,
    stop: int,
    shown: dict[str, ShownCell],
) -> ShownPage | None:
    """Return the page's text with the predictions of its cells; None without any cell."""
    if not shown:
        return None
    place = int(evaluation.positions[start])
    return {
        "start": start,
        "text": corpus.decode(evaluation.targets[start:stop]),
        "context": corpus.decode(corpus.codes[max(0, place - CONTEXT_CHARACTERS) : place]),
        "cells": shown,
    }


def _shown(
    runs: Mapping[int, StoredPredictions],
    at: Characters,
    start: int,
    stop: int,
    symbols: str,
) -> ShownCell:
    """Return a cell's part of the page: differences of all runs, predictions of the first seeds."""
    seeds = list(runs)[:PAGE_SEEDS]
    predictions = [_most_probable(runs[seed], start, stop, symbols) for seed in seeds]
    return {
        "seeds": seeds,
        "total_variation": at.total_variation[start:stop].round(3).tolist(),
        "churn": at.churn[start:stop].round(3).tolist(),
        "top": [top for top, _ in predictions],
        "share": [share for _, share in predictions],
    }


def _most_probable(
    run: StoredPredictions, start: int, stop: int, symbols: str
) -> tuple[list[str], list[list[int]]]:
    """Return, by rank, the most probable symbols along the page, and their per cent.

    Of equally probable symbols, the one with the lower code comes first.
    """
    p = _rows(run, start, stop)
    ranked = np.argsort(-p, axis=1, kind="stable")[:, :RANKS]
    shares = np.rint(100 * np.take_along_axis(p, ranked, axis=1)).astype(np.int64)
    tops = ["".join(symbols[code] for code in column) for column in ranked.T.tolist()]
    return tops, shares.T.tolist()


def _rows(run: StoredPredictions, start: int, stop: int) -> Probabilities:
    """Read rows of a run's predictions, `[stop - start, V]`, and no further."""
    pieces, place = [], 0
    for p in run.rows(FINAL, "all", CHUNK):
        pieces.append(p[max(0, start - place) : max(0, stop - place)])
        place += len(p)
        if place >= stop:
            break
    return np.concatenate(pieces)


def _number(value: float) -> float | None:
    """Replace NaN, which JSON lacks, by None: a single run has no differences."""
    return float(value) if math.isfinite(value) else None
