"""The Pareto front is what comparing every two points says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actrepro.statistics.pareto import front

# Few different numbers, so that ties are frequent.
COORDINATE = st.integers(0, 5).map(float)
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE), max_size=12)
Point = tuple[float, float]


def beats(a: Point, b: Point) -> bool:
    return a[0] <= b[0] and a[1] <= b[1] and a != b


@given(POINTS)
def test_the_front_is_what_no_other_point_beats(points: list[Point]) -> None:
    wanted = [
        place for place, point in enumerate(points) if not any(beats(one, point) for one in points)
    ]
    assert sorted(front(points)) == wanted


@given(POINTS)
def test_the_front_falls_from_left_to_right(points: list[Point]) -> None:
    kept = [points[place] for place in front(points)]
    assert kept == sorted(kept)
    assert [y for _, y in kept] == sorted((y for _, y in kept), reverse=True)


def test_equal_points_stand_together() -> None:
    assert front([(1.0, 1.0), (2.0, 2.0), (1.0, 1.0)]) == [0, 2]
    assert front([]) == []
