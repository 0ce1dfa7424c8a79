"""Formats of numbers in figures and in the report: one small function per kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from typing_extensions import TypedDict

MISSING = "—"


class Spread(TypedDict):
    """A mean and its standard deviation; null where there is one value."""

    value: float
    sd: float | None


def number(value: float | None, digits: int = 4) -> str:
    """Format a plain number; a dash where there is none."""
    return MISSING if value is None else minus(f"{value:z.{digits}f}")


def signed(value: float | None, digits: int = 4) -> str:
    """Format a number with its sign; a value that rounds to zero is +0."""
    return MISSING if value is None else minus(f"{value:+z.{digits}f}")


def minus(text: str) -> str:
    """Replace each hyphen with a typographic minus."""
    return text.replace("-", "−")


def percent(share: float | None, digits: int = 2) -> str:
    """Format a share of one in per cent."""
    return MISSING if share is None else f"{share * 100:.{digits}f}%"


def level(confidence: float) -> str:
    """Format a confidence level without trailing zeros: 95%, 97.5%."""
    return f"{confidence * 100:g}%"


def interval(bounds: Sequence[float] | None, digits: int = 4) -> str:
    """Format an interval as [low, high]; a dash where the seeds allow none."""
    if bounds is None:
        return MISSING
    return f"[{number(bounds[0], digits)}, {number(bounds[1], digits)}]"


def mean_sd(metric: Spread | None, share: bool = False) -> str:
    """Format a metric as mean ± standard deviation (n − 1) over seeds; a share in per cent."""
    if metric is None:
        return MISSING
    write, unit = (_hundredths, "%") if share else (number, "")
    sd = "" if metric["sd"] is None else f" ± {write(metric['sd'])}"
    return f"{write(metric['value'])}{sd}{unit}"


def _hundredths(share: float) -> str:
    return f"{share * 100:.2f}"


def p_value(p: float | None) -> str:
    """Format a p-value to three decimals; below 0.001 as a bound."""
    if p is None:
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def count(value: int) -> str:
    """Format a whole number with thousands separators."""
    return f"{value:,}"


def counted(value: int, noun: str, plural: str | None = None) -> str:
    """Format a number with its noun.

    >>> counted(1, "seed"), counted(3, "seed"), counted(2, "is", "are")
    ('1 seed', '3 seeds', '2 are')
    """
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def spread(values: Iterable[float], digits: int) -> str:
    """Format the range of values, from the smallest to the largest; equal ends once."""
    written = [number(value, digits) for value in sorted(values)]
    if not written:
        return MISSING
    return written[0] if written[0] == written[-1] else f"{written[0]} to {written[-1]}"


def counts_spread(values: Iterable[int]) -> str:
    """Format the range of whole numbers as `spread` does."""
    ends = sorted(values)
    if not ends:
        return MISSING
    return count(ends[0]) if ends[0] == ends[-1] else f"{count(ends[0])} to {count(ends[-1])}"


def short_hash(digest: str) -> str:
    """Return a hash's first twelve digits, enough to tell two files apart at a glance."""
    return digest[:12]


def mebibytes(size: float) -> str:
    """Format bytes as MiB."""
    return f"{size / 2**20:,.0f} MiB"


def duration(seconds: float) -> str:
    """Format seconds in their two largest units: 42 s, 3 min 5 s, 2 h 40 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def listed(names: Sequence[str], most: int | None = None) -> str:
    """Join names as in a sentence: a, b and c; names beyond `most` are counted.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c", "d"], most=2)
    ('a, b and c', 'a, b and 2 more')
    """
    if most is not None and len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
