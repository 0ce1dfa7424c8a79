"""Histories: round trips, and the rows that were the best so far."""

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actrepro.core.errors import ActreproError
from actrepro.train.history import HistoryRow, history_csv, improvements, read_history

LOSSES = st.floats(0, 10)


@given(st.lists(st.tuples(LOSSES, LOSSES), max_size=8))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, losses: list[tuple[float, float]]
) -> None:
    rows = [HistoryRow(50 * step, *both) for step, both in enumerate(losses)]
    path = tmp_path_factory.mktemp("history") / "history.csv"
    path.write_text(history_csv(rows))
    assert read_history(path) == rows


def test_losses_that_are_no_number_stay_so(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text(history_csv([HistoryRow(0, math.nan, math.inf)]))
    [row] = read_history(path)
    assert math.isnan(row.train_loss)
    assert row.selection_loss == math.inf


@pytest.mark.parametrize(
    "text", ["step,train_loss\n1,2\n", "step,train_loss,selection_loss\na,1,2\n"]
)
def test_another_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "history.csv"
    path.write_text(text)
    with pytest.raises(ActreproError, match=r"history\.csv: not a readable training history"):
        read_history(path)
    with pytest.raises(ActreproError, match=r"gone\.csv: not a readable training history"):
        read_history(tmp_path / "gone.csv")


@given(st.lists(st.one_of(LOSSES, st.just(math.nan), st.just(math.inf))))
def test_improvements_fall_to_the_best(losses: list[float]) -> None:
    rows = [HistoryRow(step, 0.0, loss) for step, loss in enumerate(losses)]
    improved = [row.selection_loss for row in improvements(rows)]
    assert all(later < earlier for earlier, later in itertools.pairwise(improved))
    finite = [loss for loss in losses if math.isfinite(loss)]
    assert improved[-1:] == ([min(finite)] if finite else [])
    for row in improvements(rows):
        assert not any(loss <= row.selection_loss for loss in losses[: row.step])
