"""One colour per activation and one marker per model, the same in every figure.

The six activations and models of the default study come first: their colours are
Okabe and Ito's, which people with colour blindness can tell apart. A name that is
not listed here takes a spare, chosen by the name itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

ACTIVATION_COLOURS: Mapping[str, str] = {
    "relu": "#0072B2",
    "gelu": "#E69F00",
    "swish": "#009E73",
    "smelu_05": "#CC79A7",
    "smelu_1": "#D55E00",
    "swiglu": "#56B4E9",
    "geglu": "#332288",
    "reglu": "#882255",
    "mish": "#44AA99",
    "elu": "#999933",
    "selu": "#C0A63A",
    "squared_relu": "#117733",
    "softplus": "#AA4499",
    "tanh": "#661100",
    "prelu": "#6699CC",
    "rrelu": "#888888",
    "apl": "#AA4466",
    "gsmelu": "#4477AA",
    "identity": "#000000",
    "sine": "#CC6677",
    "step": "#555555",
}
SPARE_COLOURS = ("#1B6CA8", "#8A5A00", "#3B7A57", "#7B2D8B", "#B03A2E", "#2F4F4F", "#9C6B98")

MODEL_MARKERS: Mapping[str, str] = {
    "charlm": "o",
    "minigpt": "s",
    "nanotransformer": "^",
    "convlm": "D",
    "hybridlm": "v",
    "tinylstm": "P",
}
SPARE_MARKERS = ("X", "<", ">", "p", "h", "*", "8", "d")


def activation_colours(names: Sequence[str]) -> dict[str, str]:
    """Activation → colour."""
    return _assigned(names, ACTIVATION_COLOURS, SPARE_COLOURS)


def model_markers(names: Sequence[str]) -> dict[str, str]:
    """Model → marker."""
    return _assigned(names, MODEL_MARKERS, SPARE_MARKERS)


def _assigned(
    names: Sequence[str], listed: Mapping[str, str], spares: Sequence[str]
) -> dict[str, str]:
    chosen = {name: listed[name] for name in names if name in listed}
    free = list(spares)
    for name in sorted(set(names) - set(listed)):
        # The name decides, so that a name keeps its look from study to study where it can;
        # spares are shared only when there are more names than spares.
        free = free or list(spares)
        chosen[name] = free.pop(zlib.crc32(name.encode()) % len(free))
    return {name: chosen[name] for name in names}
