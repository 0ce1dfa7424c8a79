"""What loss and accuracy allow: a violation tells that two numbers are not of one text."""

from __future__ import annotations

import math


def certificate(loss: float) -> float:
    """The least accuracy, in [0, 1], that a mean loss in nats allows on the same positions.

    Where the most probable symbol is not y, p_y ≤ ½, so the position costs ln 2 at
    the least: loss ≥ (1 − accuracy) ln 2, accuracy ≥ 1 − loss / ln 2.
    """
    # In this order a loss that is no number allows no accuracy, rather than any.
    return max(1 - loss / math.log(2), 0.0)


def churn_range(first: float, second: float) -> tuple[float, float]:
    """The least and the most churn of two models with these accuracies on the same positions.

    Only one of them is right on |a₁ − a₂| of the positions at the least, and there they
    differ; they agree where both are right, on a₁ + a₂ − 1 of the positions at the least.
    """
    return abs(first - second), min(1.0, 2 - first - second)
