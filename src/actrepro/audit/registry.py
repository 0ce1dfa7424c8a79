"""The checks by name, as the table of claims calls them."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from actrepro.audit.claims import Claim, Table
from actrepro.audit.findings import Finding, MissingError
from actrepro.audit.results import Results
from actrepro.config.names import nearest
from actrepro.core.errors import ActreproError

CHECKS: dict[str, Callable[..., Finding]] = {}


@dataclass(frozen=True)
class Context:
    """The inputs of a check besides its claim: the whole table, and the results."""

    table: Table
    results: Results


def check(function: Callable[..., Finding]) -> Callable[..., Finding]:
    """Register a check `function(claim, context, *, …) -> Finding` under its name."""
    if function.__name__ in CHECKS:
        raise ValueError(f"there are two checks named '{function.__name__}'")
    CHECKS[function.__name__] = function
    return function


def put(claim: Claim, call: Mapping[str, Any], context: Context) -> Finding:
    """Put a claim to one of its checks; a result that is missing is a finding too.

    Raises
    ------
    ActreproError
        When the check does not exist, or not with such arguments.
    """
    name = call.get("check")
    arguments = {key: value for key, value in call.items() if key != "check"}
    passed = {f"{key}_" if keyword.iskeyword(key) else key: one for key, one in arguments.items()}
    if name not in CHECKS:
        raise ActreproError(
            f"claim {claim.id}: there is no check '{name}'{nearest(str(name), list(CHECKS))}"
        )
    try:
        inspect.signature(CHECKS[name]).bind(claim, context, **passed)
    except TypeError as error:
        raise ActreproError(f"claim {claim.id}: check '{name}': {error}") from None
    try:
        finding = CHECKS[name](claim, context, **passed)
    except MissingError as missing:
        finding = missing.finding
    return replace(finding, check=name, arguments=arguments)
