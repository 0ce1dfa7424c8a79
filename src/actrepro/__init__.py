"""Does the choice of activation function change how reproducible a trained language model is?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actrepro.core.errors import ActreproError

if TYPE_CHECKING:
    from actrepro.models import build_model as build_model
    from actrepro.results.frames import load_study as load_study

__version__ = "0.1.0"
__all__ = ["ActreproError", "__version__", "build_model", "load_study"]


def __getattr__(name: str) -> Any:
    """Import torch only when a model is asked for, and pandas only for results."""
    if name == "build_model":
        from actrepro.models import build_model

        return build_model
    if name == "load_study":
        from actrepro.results.frames import load_study

        return load_study
    raise AttributeError(f"module 'actrepro' has no attribute '{name}'")
