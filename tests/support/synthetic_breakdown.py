"""Synthetic predictions of a text long enough for a page of the breakdown."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import synthetic

from actrepro.data.corpus import Corpus
from actrepro.data.evaluation_set import EvaluationSet, evaluation_set
from actrepro.measures.breakdown import breakdown
from actrepro.predict.store import open_predictions, save_predictions


class Long:
    """A text long enough for a page, and runs that predict it."""

    def __init__(self, folder: Path, text: str, activations: int = 1, seeds: int = 2) -> None:
        self.corpus = Corpus.of_text(text)
        self.evaluation: EvaluationSet = evaluation_set(self.corpus, synthetic.BLOCK, None)
        self.cells: dict[str, Any] = {}
        for activation, seed in itertools.product(range(activations), range(seeds)):
            path = folder / f"{activation}-{seed}.npz"
            save_predictions(path, synthetic.predictions(self.evaluation, 10 * activation + seed))
            self.cells.setdefault(f"act{activation}", {})[seed] = open_predictions(path)

    def page(self) -> Any:
        return breakdown(self.cells, self.corpus, self.evaluation)["page"]
