"""Bounds between loss, accuracy and churn: a violation shows that the texts differ."""

from __future__ import annotations

import math


def certificate(loss: float) -> float:
    """Compute the least accuracy, in [0, 1], that a mean loss in nats allows on its positions.

    Where the most probable symbol is not y, p_y ≤ ½, so the position costs at least
    ln 2: loss ≥ (1 − accuracy) ln 2, accuracy ≥ 1 − loss / ln 2.
    """
    # In this order of arguments, `max` returns NaN for a loss that is NaN, rather than 0.
    return max(1 - loss / math.log(2), 0.0)


def churn_range(first: float, second: float) -> tuple[float, float]:
    """Compute the least and the most churn of two models with these accuracies.

    On at least |a₁ − a₂| of the positions only one model is right, and there they differ.
    On at least a₁ + a₂ − 1 of the positions both are right, and there they agree.
    """
    return abs(first - second), min(1.0, 2 - first - second)
