"""The Pareto front: the points that no other point beats in every respect."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The places of the points that no other beats, by their first coordinate.

    Smaller is better in both. A point beats another where it is nowhere larger
    and somewhere smaller, so equal points stand or fall together.

    >>> front([(2.0, 1.0), (1.0, 2.0), (2.0, 2.0)])
    [1, 0]
    """
    order = sorted(range(len(points)), key=lambda place: points[place])
    kept: list[int] = []
    for place in order:
        if not kept or _stands(points[place], points[kept[-1]]):
            kept.append(place)
    return kept


def _stands(point: tuple[float, float], last: tuple[float, float]) -> bool:
    """Whether the front's last point, which is no larger in the first, does not beat a point."""
    return point == last or point[1] < last[1]
