"""Does the choice of activation function change how reproducible a trained language model is?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actrepro.errors import ActreproError

if TYPE_CHECKING:
    from actrepro.models import build_model as build_model

__version__ = "0.1.0"
__all__ = ["ActreproError", "__version__", "build_model"]


def __getattr__(name: str) -> Any:
    """Import torch only when a model is asked for; statistics and figures start without it."""
    if name == "build_model":
        from actrepro.models import build_model

        return build_model
    raise AttributeError(f"module 'actrepro' has no attribute '{name}'")
