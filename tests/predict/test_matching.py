"""Matched loss: the level that all runs reach, and each run's nearest step."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actrepro.predict.matching import Match, common_loss, match
from actrepro.train.history import HistoryRow


def _history(losses: Sequence[float]) -> list[HistoryRow]:
    return [HistoryRow(10 * step, 0.0, loss) for step, loss in enumerate(losses)]


FAST = _history([4.0, 3.0, 2.5, 2.2, 2.0])
SLOW = _history([4.0, 3.5, 3.0, 2.6, 2.4])
OVERFIT = _history([4.0, 2.8, 2.3, 2.6, 2.9])


def test_the_level_is_the_worst_runs_best() -> None:
    runs = {("a", 1): FAST, ("a", 2): OVERFIT, ("b", 1): SLOW}
    assert common_loss(runs, learned_below=3.0) == 2.4


def test_a_run_that_has_not_learned_sets_no_level() -> None:
    runs = {("a", 1): FAST, ("a", 2): OVERFIT, ("b", 1): SLOW}
    assert common_loss(runs, learned_below=2.4) == 2.3


def test_when_none_has_learned_all_count() -> None:
    assert common_loss({("a", 1): FAST, ("b", 1): SLOW}, learned_below=1.0) == 2.4


def test_without_a_history_there_is_no_level() -> None:
    with pytest.raises(ValueError, match="empty"):
        common_loss({("a", 1): []}, learned_below=3.0)


def test_the_nearest_step() -> None:
    assert match(FAST, 2.4) == Match(20, 2.5)
    assert match(FAST, 2.3) == Match(30, 2.2)
    assert match(SLOW, 2.4) == Match(40, 2.4)
    assert match(FAST, 0.0) == Match(40, 2.0)


def test_overfitting_is_not_met_on_its_way_up() -> None:
    assert match(OVERFIT, 2.6) == Match(10, 2.8)
    assert match(OVERFIT, 2.5) == Match(20, 2.3)


def test_untrained_weights_match_only_a_run_that_never_got_better() -> None:
    assert match(FAST, 4.0) == Match(10, 3.0)
    assert match(_history([4.0, 4.5]), 2.0) == Match(0, 4.0)


def test_a_run_without_a_history_matches_nothing() -> None:
    assert match([], 2.4) == Match(None, None)


@given(st.lists(st.lists(st.floats(0.1, 5), min_size=2, max_size=8), min_size=1, max_size=5))
def test_every_learned_run_has_been_at_the_level(losses: list[list[float]]) -> None:
    runs = {("a", seed): _history(history_losses) for seed, history_losses in enumerate(losses)}
    level = common_loss(runs, learned_below=10.0)
    for history in runs.values():
        nearest = match(history, level)
        assert min(row.selection_loss for row in history) <= level
        assert nearest.selection_loss in [row.selection_loss for row in history]
