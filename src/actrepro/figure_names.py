"""The figures of a scale: their names and titles.

The rules ask for them each time they are parsed, and the audit without drawing one.
"""

from __future__ import annotations

from collections.abc import Sequence

CURVES = "curves-"
TITLES = {
    "loss": "Test loss by activation",
    "differences": "Differences between seeds by activation",
    "tradeoff": "Difference between seeds against test loss",
    "heatmap": "Total variation between seeds, by model and activation",
    "contrasts": "Contrasts between activations in total variation between seeds",
}


def figure_names(models: Sequence[str]) -> list[str]:
    """The figures of a scale with these models."""
    return [*(f"{CURVES}{model}" for model in models), *TITLES]


def figure_title(name: str) -> str:
    """What a figure shows, in a few words."""
    if name.startswith(CURVES):
        return f"Training curves of {name.removeprefix(CURVES)}"
    return TITLES[name]
