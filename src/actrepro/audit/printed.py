"""Printed numbers with their rounding, and how sentences write them.

A printed number may be off by half a unit of its last digit. YAML drops the zeros at the end of
1.5540, so a check may say how many `digits` the document prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from statistics import fmean
from typing import Any

from actrepro.audit.claims import Cited, Claim
from actrepro.audit.registry import Context
from actrepro.core.errors import ActreproError

# A key of the claim, a row's id, `row.key`, or a number.
Reference = str | float
# Both ends of a printed range, `low` and `high`.
RANGE = "range"
# The keys that a reference by a row's id alone tries, in this order.
PLAIN = ("value", "runs", RANGE)
# More than the rounding of binary fractions, less than any printed digit.
EXACT = 1e-9


@dataclass(frozen=True)
class Printed:
    """Numbers that stand together in a document.

    Attributes
    ----------
    values
        As printed.
    half
        Half a unit of their last digit, so how far the true numbers may lie from them.
        Numbers that stand together have one last digit, that of the longest.
    row
        Id of the row that has them; empty for the claim's own and for constants.
    is_range
        Whether they are the two ends of a range.
    """

    values: tuple[float, ...]
    half: float
    row: str = ""
    is_range: bool = False

    @property
    def value(self) -> float:
        """The first number, for what has only one."""
        return self.values[0]

    @property
    def low(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest."""
        return max(self.values)

    @property
    def mean(self) -> float:
        """Their mean."""
        return fmean(self.values)

    def told(self) -> str:
        """The number, or the smallest to the largest."""
        return span(self.values)

    def to(self, digits: int | None) -> Printed:
        """Return the same with this many digits behind the point; None leaves them as read."""
        return self if digits is None else replace(self, half=0.5 * 10.0**-digits)


def look_up(
    claim: Claim, context: Context, reference: Reference, digits: int | None = None
) -> Printed:
    """The numbers that a check's argument refers to.

    Parameters
    ----------
    reference
        A key of the claim's own printed numbers, a row's id (its value, or else its runs,
        or else the ends of its range), `row.key`, or a number, which is exact.
        `range` is `low` and `high`, the claim's own or of `row.range`.
    digits
        Behind the point, where YAML may have dropped zeros.

    Raises
    ------
    ActreproError
        When there is no such row, or it has no such numbers.
    """
    if isinstance(reference, int | float):
        return Printed((float(reference),), 0.0)
    row, _, key = reference.partition(".")
    if not key and (reference in claim.printed or reference == RANGE):
        return _numbers(claim, reference, "").to(digits)
    if row not in context.table.claims and row not in context.table.cited:
        raise ActreproError(
            f"claim {claim.id}: a check needs the printed numbers '{reference}', which are neither "
            f"its own ({', '.join(claim.printed) or 'it has none'}) nor those of a row"
        )
    other = context.table.numbers(row)
    plain = next((name for name in PLAIN if name in other.printed), RANGE)
    return _numbers(other, key or plain, row).to(digits)


def look_up_one(
    claim: Claim, context: Context, reference: Reference, digits: int | None = None
) -> Printed:
    """The single number that a check's argument refers to; as `look_up`.

    Raises
    ------
    ActreproError
        Also when it is a list or a range.
    """
    return single(claim, look_up(claim, context, reference, digits))


def single(claim: Claim, part: Printed) -> Printed:
    """Printed numbers that must be one number.

    Raises
    ------
    ActreproError
        When they are several.
    """
    if len(part.values) != 1:
        raise ActreproError(
            f"claim {claim.id}: its check needs a single number, found {list(part.values)} in "
            f"{part.row or 'the row itself'}; name one by its key, or by row.key"
        )
    return part


def joined(
    claim: Claim, context: Context, references: Iterable[Reference], digits: int | None = None
) -> list[Printed]:
    """Return the numbers of several references, in their order."""
    return [look_up(claim, context, one, digits) for one in references]


def rows_of(parts: Iterable[Printed]) -> tuple[str, ...]:
    """The rows that the numbers are from, each once."""
    return tuple(dict.fromkeys(part.row for part in parts if part.row))


def half_unit(values: Iterable[float]) -> float:
    """Half a unit of the last digit of the longest of some numbers, as YAML read them."""
    exponents = [Decimal(repr(value)).as_tuple().exponent for value in values]
    return 0.5 * 10.0 ** min(int(exponent) for exponent in exponents)


def shown(value: float) -> str:
    """A computed or measured number in a sentence: four digits, or all before the point."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return _with_minus(f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}")
    return _with_minus(f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.1e}")


def measured(value: float) -> str:
    """A measured number in a sentence: three digits, four from 1 to 10, or all before the point."""
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return _with_minus(f"{value:,.0f}")
    return _with_minus(f"{value:#.4g}" if 1 <= abs(value) < 9.9995 else f"{value:#.3g}")


def as_printed(value: float) -> str:
    """A printed number in a sentence: all its digits, but for zeros at the end."""
    return _with_minus(f"{value:,.10g}")


def _with_minus(text: str) -> str:
    """A typographic minus before a negative number; its exponent stays as it is."""
    return f"−{text[1:]}" if text.startswith("-") else text


def span(values: Sequence[float], write: Callable[[float], str] = as_printed) -> str:
    """The smallest to the largest of some numbers, or the one there is."""
    low, high = write(min(values)), write(max(values))
    return low if low == high else f"{low} to {high}"


def _numbers(claim: Cited, key: str, row: str) -> Printed:
    if key == RANGE and key not in claim.printed:
        ends = claim.number("low"), claim.number("high")
        return Printed(ends, half_unit(claim.printed[end] for end in ("low", "high")), row, True)
    found = claim.printed.get(key)
    listed = [_in_seconds(one) for one in (found if isinstance(found, list) else [found])]
    values = [one for one in listed if isinstance(one, int | float) and not isinstance(one, bool)]
    if not values or len(values) < len(listed):
        raise ActreproError(
            f"claim {claim.id}: a check needs the number or numbers printed.{key}, found "
            f"{found!r}; printed has: {', '.join(claim.printed) or 'nothing'}"
        )
    return Printed(tuple(map(float, values)), half_unit(values), row)


def _in_seconds(value: Any) -> Any:
    """Return a printed time in seconds since 1970; anything else as it is."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return int(time.replace(tzinfo=UTC).timestamp()) if isinstance(time, datetime) else value
