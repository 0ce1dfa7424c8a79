"""One model's runs under one checkpoint rule, as the statistics read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from actrepro.gates.outcome import all_failed
from actrepro.gates.shapes import Outcomes
from actrepro.measures.differences import score
from actrepro.measures.shapes import GroupValue, RunUnderRule
from actrepro.predict.store import Rule

Floats = npt.NDArray[np.float64]
Run = tuple[str, int]


@dataclass(frozen=True)
class ModelRuns:
    """A model's runs, and all that was measured of them.

    Attributes
    ----------
    runs
        By activation and seed: the reason `why` a run cannot be compared (None where it
        can), and its scores by measure id.
    matrices
        By id of a measure of pairs, `[R, R]`, activation-major.
    groups
        By activation and id of a measure of groups: `value`, and by seed the
        value `without` it.
    blocks
        `loss` and `accuracy` `[R, B]` in blocks of text, of `block_characters` each.
    gates
        By activation, each gate's outcome.
    """

    rule: Rule
    activations: Sequence[str]
    seeds: Sequence[int]
    runs: Mapping[Run, RunUnderRule]
    matrices: Mapping[str, Floats]
    groups: Mapping[str, Mapping[str, GroupValue]]
    blocks: Mapping[str, Floats]
    block_characters: Floats
    gates: Mapping[str, Outcomes]

    def usable(self, *activations: str) -> list[int]:
        """Return the seeds whose runs can be compared, with all of these activations."""
        return [
            seed
            for seed in self.seeds
            if all(self.runs[activation, seed]["why"] is None for activation in activations)
        ]

    def sound(self) -> list[str]:
        """Return the activations whose cell passed every gate and has runs to compare."""
        return [name for name in self.activations if not self.failed(name) and self.usable(name)]

    def failed(self, *activations: str) -> list[str]:
        """List the gates that any of these activations' cells failed."""
        return all_failed(self.gates[name] for name in activations)

    def index(self, activation: str, seeds: Sequence[int]) -> list[int]:
        """Return the rows of the matrices and blocks."""
        start = self.activations.index(activation) * len(self.seeds)
        return [start + self.seeds.index(seed) for seed in seeds]

    def scores(self, activation: str, seeds: Sequence[int], metric: str) -> Floats:
        """Return a measure of single runs, by seed."""
        return np.array([score(self.runs[activation, seed], metric) for seed in seeds])

    def text_blocks(self, activation: str, seeds: Sequence[int], metric: str) -> Floats | None:
        """Return a score `[seeds, B]` by block of text; None if it is not kept by block."""
        kept, _, positions = metric.partition(".")
        if positions != "all" or kept not in self.blocks:
            return None
        return self.blocks[kept][self.index(activation, seeds)]

    def between(self, a: str, b: str, seeds: Sequence[int], id_: str) -> Floats:
        """Return differences `[seeds, seeds]` from the runs of `a` to those of `b`."""
        matrix: Floats = self.matrices[id_][np.ix_(self.index(a, seeds), self.index(b, seeds))]
        return matrix

    def within(self, activation: str, seeds: Sequence[int], id_: str) -> Floats:
        """Return differences `[seeds, seeds]` between a cell's runs, in no direction."""
        matrix = self.between(activation, activation, seeds, id_)
        return (matrix + matrix.T) / 2

    def without(self, activation: str, seeds: Sequence[int], id_: str) -> tuple[float, Floats]:
        """Return a group's value, and by seed the value without it (NaN where none is)."""
        group = self.groups[activation][id_]
        left = [group["without"].get(str(seed)) for seed in seeds]
        values = [group["value"], *left]
        numbers = np.array([np.nan if value is None else value for value in values])
        return float(numbers[0]), numbers[1:]
