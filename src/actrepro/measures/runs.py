"""Measures of one run: quality, certainty and calibration."""

from __future__ import annotations

import math

import numpy as np

from actrepro.measures.measure import (
    Floats,
    RunMeasure,
    Targets,
    entropy,
    true_label,
)
from actrepro.predict.store import Probabilities

CALIBRATION_BINS = 15


def loss(p: Probabilities, targets: Targets) -> float:
    """Compute mean −ln p_y of one model `[N, V]`, nats; infinite if any p_y is 0."""
    return float(LOSS(p[None], targets)[0])


def accuracy(p: Probabilities, targets: Targets) -> float:
    """Compute the share of positions where the top symbol of one model `[N, V]` is true."""
    return float(ACCURACY(p[None], targets)[0])


def loss_sums(p: Probabilities, targets: Targets) -> Floats:
    """Σ −ln p_y, `[M, 1]`; the mean is the cross-entropy in nats, [0, ∞] (Shannon 1948)."""
    with np.errstate(divide="ignore"):
        surprise = -np.log(true_label(p, targets))
    sums: Floats = surprise.sum(axis=1, keepdims=True)
    return sums


def accuracy_sums(p: Probabilities, targets: Targets) -> Floats:
    """Count positions where argmaxᵥ pᵥ = y, `[M, 1]`; the share is in [0, 1].

    Of equally probable symbols, the one with the lower code is the prediction.
    """
    hits = p.argmax(axis=2) == targets
    counts: Floats = hits.sum(axis=1, keepdims=True, dtype=np.float64)
    return counts


def calibration_sums(p: Probabilities, targets: Targets) -> Floats:
    """Compute count, sum of confidences and number of hits of each bin, `[M, 3 · 15]`.

    The confidence is the probability of the most probable symbol; bin b of
    B = 15 holds confidences in ((b − 1)/B, b/B] (Guo et al. 2017,
    arXiv:1706.04599, equations 1 to 3).
    """
    best = p.argmax(axis=2)
    confidence = np.take_along_axis(p, best[..., None], axis=2)[..., 0].astype(np.float64)
    bins = np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1
    # A confidence may pass 1 by a rounding error.
    bins = np.minimum(bins, CALIBRATION_BINS - 1)
    columns = (np.ones_like(confidence), confidence, best == targets)
    return np.array(
        [
            np.concatenate(
                [np.bincount(bins[m], column[m], CALIBRATION_BINS) for column in columns]
            )
            for m in range(len(p))
        ]
    )


def calibration_error(sums: Floats, n: int) -> Floats:
    """Σ_b n_b/n · |hits_b/n_b − confidence_b/n_b|, in [0, 1] (Guo et al. 2017, equation 3)."""
    _, confidence, hits = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, CALIBRATION_BINS), -2, 0)
    error: Floats = np.abs(hits - confidence).sum(axis=-1) / n
    return error


def entropy_sums(p: Probabilities, targets: Targets) -> Floats:
    """Σ H(p), `[M, 1]`: the uncertainty of predictions; the mean is in [0, ln V] (Shannon 1948)."""
    return np.array([[entropy(model).sum()] for model in p])


LOSS = RunMeasure(
    "loss",
    "loss",
    "−ln p_y in nats, mean over positions",
    (0.0, math.inf),
    "Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x",
    loss_sums,
)
ACCURACY = RunMeasure(
    "accuracy",
    "accuracy",
    "share of positions where the most probable symbol is the true one",
    (0.0, 1.0),
    "definition",
    accuracy_sums,
)
RUN_MEASURES: tuple[RunMeasure, ...] = (
    LOSS,
    ACCURACY,
    RunMeasure(
        "calibration",
        "expected calibration error",
        "Σ_b n_b/n · |accuracy_b − confidence_b| over 15 equal bins of the largest probability",
        (0.0, 1.0),
        "Guo et al. 2017, arXiv:1706.04599",
        calibration_sums,
        calibration_error,
    ),
    RunMeasure(
        "entropy",
        "entropy",
        "−Σᵥ pᵥ ln pᵥ in nats, mean over positions",
        (0.0, math.inf),
        "Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x",
        entropy_sums,
    ),
)
