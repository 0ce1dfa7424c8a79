"""Numbers as readers see them in figures and in the report: one small function per kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MISSING = "—"


def number(value: float | None, digits: int = 4) -> str:
    """A plain number; a dash where there is none."""
    return MISSING if value is None else minus(f"{value:z.{digits}f}")


def signed(value: float | None, digits: int = 4) -> str:
    """A number with its sign; what rounds to zero is +0."""
    return MISSING if value is None else minus(f"{value:+z.{digits}f}")


def minus(text: str) -> str:
    """A typographic minus in place of each hyphen."""
    return text.replace("-", "−")


def percent(share: float | None, digits: int = 2) -> str:
    """A share of one in per cent."""
    return MISSING if share is None else f"{share * 100:.{digits}f}%"


def level(confidence: float) -> str:
    """A level of confidence without needless zeros: 95%, 97.5%."""
    return f"{confidence * 100:g}%"


def interval(bounds: Sequence[float] | None, digits: int = 4) -> str:
    """[low, high]; a dash where the seeds do not allow one."""
    if bounds is None:
        return MISSING
    return f"[{number(bounds[0], digits)}, {number(bounds[1], digits)}]"


def mean_sd(metric: Mapping[str, Any] | None, share: bool = False) -> str:
    """A metric's mean ± standard deviation (n − 1) over seeds; in per cent for a share."""
    if metric is None:
        return MISSING
    write, unit = (_hundredths, "%") if share else (number, "")
    sd = "" if metric["sd"] is None else f" ± {write(metric['sd'])}"
    return f"{write(metric['value'])}{sd}{unit}"


def _hundredths(share: float) -> str:
    return f"{share * 100:.2f}"


def p_value(p: float | None) -> str:
    """A p-value to three decimals; smaller ones as a bound."""
    if p is None:
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def count(value: int) -> str:
    """A whole number with separators."""
    return f"{value:,}"


def counted(value: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun.

    >>> counted(1, "seed"), counted(3, "seed"), counted(2, "is", "are")
    ('1 seed', '3 seeds', '2 are')
    """
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def spread(values: Iterable[float], digits: int) -> str:
    """The smallest to the largest value, or the one there is."""
    written = [number(value, digits) for value in sorted(values)]
    if not written:
        return MISSING
    return written[0] if written[0] == written[-1] else f"{written[0]} to {written[-1]}"


def counts_spread(values: Iterable[int]) -> str:
    """As `spread`, for whole numbers."""
    ends = sorted(values)
    if not ends:
        return MISSING
    return count(ends[0]) if ends[0] == ends[-1] else f"{count(ends[0])} to {count(ends[-1])}"


def short_hash(digest: str) -> str:
    """The first twelve digits, enough to tell two files apart at a glance."""
    return digest[:12]


def mebibytes(size: int) -> str:
    """Bytes as MiB."""
    return f"{size / 2**20:,.0f} MiB"


def duration(seconds: float) -> str:
    """Seconds as the two largest units: 42 s, 3 min 5 s, 2 h 40 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def listed(names: Sequence[str], most: int | None = None) -> str:
    """Names as in a sentence: a, b and c; beyond `most` only their number.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c", "d"], most=2)
    ('a, b and c', 'a, b and 2 more')
    """
    if most is not None and len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
