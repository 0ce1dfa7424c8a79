"""Studies whose truth is known: runs drawn from a law and evaluated like real ones.

A run's loss is a block of text's, plus its seed's (shared by all activations),
plus its activation's, plus noise of its own. A run's predictions are a point in
space; the difference between two runs is the mean absolute distance, so the seeds'
differences in a cell are as large as its activation's `spread`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actrepro.gates.after import distinct, shared_hashes
from actrepro.gates.outcome import AFTER, BEFORE, Outcome
from actrepro.measures import PRIMARY
from actrepro.statistics.contrasts import Settings, family
from actrepro.statistics.runs import ModelRuns

LOSS = "loss.all"
Pair = tuple[str, str]
SETTINGS = Settings(0.95, {"loss": 0.01, "accuracy": 0.005, "total_variation": 0.01, "churn": 0.01})
BLOCKS, DIMENSIONS = 40, 60


@dataclass(frozen=True)
class Law:
    """The distribution that studies are drawn from.

    `losses` and `spreads` are each activation's mean loss and the scale of its
    differences between seeds; `noise` is a loss's standard deviation from run to
    run, `uneven` how much the scale of differences varies from run to run.
    """

    losses: Sequence[float] = (2.0, 2.0, 2.0)
    spreads: Sequence[float] = (0.1, 0.1, 0.1)
    seeds: int = 10
    noise: float = 0.01
    uneven: float = 0.1
    bad: Mapping[tuple[int, int], float] = field(default_factory=dict)
    lost: Sequence[tuple[int, int]] = ()
    copied: Sequence[tuple[int, int]] = ()


def study(law: Law, generator: np.random.Generator) -> ModelRuns:
    """Draw a study; `bad` adds to a loss, `lost` runs diverge, `copied` cells equal others."""
    k, n = len(law.losses), law.seeds
    text = generator.normal(0, 0.3, BLOCKS)
    blocks = np.array(law.losses)[:, None, None] + text
    blocks = (
        blocks + generator.normal(0, 0.05, (1, n, 1)) + generator.normal(0, law.noise, (k, n, 1))
    )
    blocks = blocks + generator.normal(0, 0.02, (k, n, BLOCKS))
    for run, excess in law.bad.items():
        blocks[run] += excess
    scales = np.array(law.spreads)[:, None] * np.exp(law.uneven * generator.standard_normal((k, n)))
    points = generator.standard_normal((k, n, DIMENSIONS)) * scales[..., None]
    for source, target in law.copied:
        blocks[target], points[target] = blocks[source], points[source]
    return _model_runs(law, blocks.reshape(k * n, BLOCKS), points.reshape(k * n, DIMENSIONS))


def _model_runs(law: Law, blocks: np.ndarray, points: np.ndarray) -> ModelRuns:
    k, n = len(law.losses), law.seeds
    names, seeds = [f"act{place}" for place in range(k)], list(range(n))
    order = list(itertools.product(names, seeds))
    gone = {(names[a], seeds[s]) for a, s in law.lost}
    matrix = np.abs(points[:, None] - points[None]).mean(axis=2)
    for row, run in enumerate(order):
        if run in gone:
            matrix[row] = matrix[:, row] = np.nan
    return ModelRuns(
        rule="final",
        activations=names,
        seeds=seeds,
        runs={
            run: {"why": "diverged" if run in gone else None, LOSS: float(blocks[row].mean())}
            for row, run in enumerate(order)
        },
        matrices={PRIMARY: matrix},
        groups={name: {} for name in names},
        blocks={"loss": blocks},
        block_characters=np.full(BLOCKS, 100.0),
        gates=_gates(names, order, points),
    )


def _gates(
    names: Sequence[str], order: Sequence[tuple[str, int]], points: np.ndarray
) -> dict[str, Any]:
    """Return gates that all passed, except *distinct*, which is computed."""
    digest = [str(hash(point.tobytes())) for point in points]
    facts = {
        run: {"weights_sha256": one, "predictions_sha256": one}
        for run, one in zip(order, digest, strict=True)
    }
    shared = shared_hashes(facts)
    passed = {gate: Outcome(True, {}, "").as_json() for gate in (*BEFORE, *AFTER)}
    return {
        name: {
            **passed,
            "distinct": distinct([run for run in order if run[0] == name], shared).as_json(),
        }
        for name in names
    }


def verdicts(
    law: Law, metric: str, studies: int, seed: int = 0
) -> list[dict[tuple[str, str], str]]:
    """Return each study's verdicts on pairs of activations."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(studies):
        contrasts = family(study(law, generator), metric, SETTINGS)
        found.append({(one["a"], one["b"]): one["verdict"] for one in contrasts})
    return found


def share(
    found: Sequence[Mapping[Pair, str]],
    verdict: str,
    among: Callable[[Pair], bool] = lambda pair: True,
) -> float:
    """Compute the share of studies in which any of some contrasts has this verdict."""
    hits = [any(one == verdict for pair, one in each.items() if among(pair)) for each in found]
    return float(np.mean(hits))


def mean_difference(spread: float, uneven: float, draws: int = 200_000) -> float:
    """Compute the expected difference between two seeds, for a law's spread and unevenness.

    Of two points with scales s and t, one coordinate's distance is normal with
    variance s² + t², so its mean is √(2(s² + t²)/π).
    """
    scales = spread * np.exp(uneven * np.random.default_rng(1).standard_normal((2, draws)))
    return float(np.sqrt(2 * (scales**2).sum(axis=0) / np.pi).mean())


def spread_for(difference: float, uneven: float) -> float:
    """Find the spread at which two seeds have this expected difference."""
    return difference / mean_difference(1.0, uneven)


LAWS: dict[str, tuple[Law, str]] = {
    "no effect, loss": (Law(), LOSS),
    "no effect, differences": (Law(), PRIMARY),
    "no effect and little noise, loss": (Law(noise=0.003), LOSS),
    "an effect of 0.05 nats": (Law(losses=(2.0, 2.0, 2.05)), LOSS),
    "a loss exactly at the margin": (
        Law(losses=(2.0, 2.01), spreads=(0.1, 0.1), noise=0.004),
        LOSS,
    ),
    "differences exactly at the margin": (
        Law(
            losses=(2.0, 2.0),
            spreads=(spread_for(0.1, 0.02), spread_for(0.11, 0.02)),
            uneven=0.02,
        ),
        PRIMARY,
    ),
    "differences twice as large": (Law(spreads=(0.1, 0.1, 0.2)), PRIMARY),
    "one bad seed": (Law(bad={(0, 3): 1.0}), LOSS),
    "one diverged seed": (Law(lost=[(0, 3)]), LOSS),
    "two cells identical": (Law(copied=[(0, 1)]), PRIMARY),
    "three seeds, an effect of 0.05 nats": (Law(losses=(2.0, 2.0, 2.05), seeds=3), LOSS),
}
