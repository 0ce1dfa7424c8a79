"""The breakdown: its rows average to the cells' numbers, and its page shows predictions."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st
from synthetic import Model
from synthetic_breakdown import Long

from actrepro.core.files import read_json
from actrepro.data.corpus import Corpus
from actrepro.data.evaluation_set import evaluation_set
from actrepro.measures import BY_ID, all_pairs
from actrepro.measures import breakdown as module
from actrepro.measures.breakdown import (
    MOST_SUBSETS,
    PAGE_CHARACTERS,
    Characters,
    by_confidence,
    by_position,
    ensemble_sums,
    model_breakdown,
    of_sizes,
    page_bounds,
    reliability,
    subsets_by_size,
)
from actrepro.measures.positions import churns, confidences, hits, losses, total_variations
from actrepro.predict.store import FINAL
from actrepro.predict.validity import inspect

ACTIVATIONS = ["relu", "gelu", "mish", "elu"]
SEEDS = [7, 3, 5]
# Three runs of relu are left, two of gelu, one of mish, none of elu.
LOST = [("gelu", 3), ("mish", 7), ("mish", 3), *(("elu", seed) for seed in SEEDS)]
LEFT = {"relu": [7, 3, 5], "gelu": [7, 5], "mish": [5], "elu": []}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    made = Model(tmp_path_factory.mktemp("model"), ACTIVATIONS, SEEDS, diverged=LOST)
    made.write()
    return made


def written(model: Model, name: str = "breakdown.json") -> Any:
    model_breakdown(
        model.names,
        model.of_runs("predictions.npz"),
        model.corpus_path,
        model.evaluation_path,
        model.path(name),
    )
    return read_json(model.path(name))


@pytest.fixture(scope="module")
def found(model: Model) -> Any:
    return written(model)


def predicted(model: Model, activation: str) -> np.ndarray:
    """Return the predictions `[M, N, V]` of a cell's remaining runs."""
    runs = [(activation, seed) for seed in LEFT[activation]]
    return np.stack([model.predictions[run].probabilities[FINAL, "all"] for run in runs])


def weighted(rows: list[Any], weight: str, name: str) -> float:
    """Compute the weighted mean of rows; a row without characters has no number."""
    total = sum(row[weight] for row in rows)
    return sum(row[weight] * row[name] for row in rows if row[name] is not None) / total


def test_the_file_names_its_scale_and_model(model: Model, found: Any) -> None:
    assert list(found)[:3] == ["schema", "scale", "model"]
    assert found["evaluation_sha256"] == model.evaluation.sha256
    assert found["characters"] == len(model.evaluation.targets)
    assert {name: cell["n"] for name, cell in found["cells"].items()} == {
        name: len(seeds) for name, seeds in LEFT.items()
    }


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize(
    ("table", "weight"),
    [("by_symbol", "count"), ("by_confidence", "share"), ("by_position", "characters")],
)
def test_rows_average_to_the_differences_in_the_statistics(
    model: Model, found: Any, activation: str, table: str, weight: str
) -> None:
    stats = read_json(model.stats)["rules"][FINAL]["cells"][activation]["differences"]
    rows = found["cells"][activation][table]
    for name, id_ in (("churn", "churn-top1-pairs"), ("total_variation", "tv-half_l1-pairs")):
        value = stats[f"{id_}.all"]["value"]
        assert weighted(rows, weight, name) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("activation", ["relu", "gelu", "mish"])
def test_scores_are_those_of_the_statistics(model: Model, found: Any, activation: str) -> None:
    metrics = read_json(model.stats)["rules"][FINAL]["cells"][activation]["metrics"]
    cell = found["cells"][activation]
    for name in ("loss", "accuracy"):
        value = metrics[f"{name}.all"]["value"]
        assert weighted(cell["by_symbol"], "count", name) == pytest.approx(value, abs=1e-6)
        assert cell["ensemble"]["sizes"][0][name] == pytest.approx(value, abs=1e-6)
    calibration = metrics["calibration.all"]["value"]
    assert cell["calibration"]["error"] == pytest.approx(calibration, abs=1e-9)


def test_a_symbols_row_is_the_measures_of_its_characters(model: Model, found: Any) -> None:
    p, targets = predicted(model, "relu"), model.evaluation.targets
    for row in found["cells"]["relu"]["by_symbol"]:
        where = targets == model.evaluation.symbols.index(row["symbol"])
        assert row["count"] == where.sum()
        own, true = p[:, where], targets[where]
        above = np.triu_indices(len(p), 1)
        for name, id_ in (("churn", "churn-top1-pairs"), ("total_variation", "tv-half_l1-pairs")):
            assert row[name] == pytest.approx(BY_ID[id_](own, true)[above].mean(), abs=1e-6)
        for name in ("loss", "accuracy"):
            assert row[name] == pytest.approx(BY_ID[name](own, true).mean(), abs=1e-6)


def test_symbols_are_ordered_by_frequency(model: Model, found: Any) -> None:
    rows = found["cells"]["relu"]["by_symbol"]
    counts = [row["count"] for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == found["characters"]
    assert len({row["symbol"] for row in rows}) == len(rows)


@pytest.mark.parametrize("activation", ["mish", "elu"])
def test_cells_with_one_run_or_none_have_nulls(found: Any, activation: str) -> None:
    cell = found["cells"][activation]
    if activation == "elu":
        assert cell == module.NOTHING
        return
    tables = ("by_symbol", "by_confidence", "by_position")
    rows = [row for table in tables for row in cell[table]]
    assert {(row["churn"], row["total_variation"]) for row in rows} == {(None, None)}
    assert cell["ensemble"]["gain"] is None
    assert all(row["loss"] is not None for row in cell["by_symbol"])


def test_confidence_bins_are_open_below_and_hold_every_character() -> None:
    confidence = np.array([0.05, 0.1, 0.1000001, 0.95, 1.0, 1.0000001])
    ones = np.ones(6)
    rows = by_confidence(Characters(ones, ones, confidence, np.arange(6.0), ones))
    assert [row["share"] * 6 for row in rows] == pytest.approx([2, 1, *[0] * 7, 3])
    assert [row["churn"] for row in rows] == [0.5, 2.0, *[None] * 7, 4.0]
    assert [row["low"] for row in rows[1:]] == [row["high"] for row in rows[:-1]]


@given(st.integers(1, 200))
def test_stretches_follow_each_other_and_are_nearly_equal(characters: int) -> None:
    values = np.arange(float(characters))
    rows = by_position(Characters(values, values, values, values, values))
    lengths = [row["characters"] for row in rows]
    assert len(rows) == min(module.STRETCHES, characters)
    assert max(lengths) - min(lengths) <= 1
    ends = list(itertools.accumulate(lengths, initial=0))
    assert [row["start"] for row in rows] == ends[:-1]
    assert ends[-1] == characters
    assert [row["churn"] for row in rows] == [
        pytest.approx(values[low:high].mean()) for low, high in itertools.pairwise(ends)
    ]


def test_reliability_pools_the_runs(model: Model, found: Any) -> None:
    p, targets = predicted(model, "relu"), model.evaluation.targets
    sure, right = p.max(axis=2).ravel(), (p.argmax(axis=2) == targets).ravel()
    rows = found["cells"]["relu"]["calibration"]["bins"]
    for row in rows:
        where = (sure > row["low"]) & (sure <= row["high"])
        assert row["share"] == pytest.approx(where.mean())
        if where.any():
            assert row["confidence"] == pytest.approx(sure[where].mean())
            assert row["accuracy"] == pytest.approx(right[where].mean())
        else:
            assert row["confidence"] is row["accuracy"] is None
    assert sum(row["share"] for row in rows) == pytest.approx(1)


def test_right_confidence_lies_on_the_diagonal() -> None:
    p = np.tile(np.float32([[0.75, 0.25]]), (1, 4, 1))
    sums = BY_ID["calibration"].sums(p, np.array([0, 0, 0, 1]))
    [row] = [row for row in reliability(sums[0]) if row["share"]]
    assert row["confidence"] == row["accuracy"] == 0.75


def test_ensembles_are_means_of_probabilities(model: Model, found: Any) -> None:
    p, targets = predicted(model, "relu").astype(np.float64), model.evaluation.targets
    sizes = found["cells"]["relu"]["ensemble"]["sizes"]
    assert [one["k"] for one in sizes] == [1, 2, 3]
    for one in sizes:
        means = [p[list(some)].mean(axis=0) for some in itertools.combinations(range(3), one["k"])]
        assert one["loss"] == pytest.approx(
            np.mean([-np.log(mean[np.arange(len(targets)), targets]).mean() for mean in means])
        )
        assert one["accuracy"] == pytest.approx(
            np.mean([(mean.argmax(axis=1) == targets).mean() for mean in means])
        )
    gain = found["cells"]["relu"]["ensemble"]["gain"]
    assert gain == pytest.approx(sizes[0]["loss"] - sizes[-1]["loss"])


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_a_larger_ensemble_is_no_worse_on_average(runs: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    p = np.stack([synthetic.probabilities(generator, 5, 4) for _ in range(runs)])
    subsets = [one for size in subsets_by_size(runs) for one in size]
    sums = ensemble_sums(p, generator.integers(4, size=5), subsets)
    made = [one["loss"] for one in of_sizes(sums / 5, subsets)["sizes"]]
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(made))


@pytest.mark.parametrize("runs", [1, 2, 8, 10, 80])
def test_subsets_are_all_of_a_size_or_a_fixed_sample(runs: int) -> None:
    sizes = subsets_by_size(runs)
    assert sizes == subsets_by_size(runs)
    assert sizes[0] == [(run,) for run in range(runs)]
    assert sizes[-1] == [tuple(range(runs))]
    for size, subsets in enumerate(sizes, start=1):
        every = math.comb(runs, size)
        assert len(subsets) == (every if size == 1 else min(every, MOST_SUBSETS))
        assert len(set(subsets)) == len(subsets)
        assert all(len(one) == size == len(set(one)) for one in subsets)
        assert all(list(one) == sorted(one) for one in subsets)


@given(st.integers(1, 4), st.integers(1, 9), st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_means_over_positions_are_the_measures(
    models: int, positions: int, symbols: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    p = np.stack([synthetic.probabilities(generator, positions, symbols) for _ in range(models)])
    targets = generator.integers(symbols, size=positions)
    pairs = all_pairs(models)
    assert losses(p, targets).mean() == pytest.approx(BY_ID["loss"](p, targets).mean())
    assert hits(p, targets).mean() == pytest.approx(BY_ID["accuracy"](p, targets).mean())
    assert confidences(p).mean() == pytest.approx(p.max(axis=2).mean(dtype=np.float64))
    for at, id_ in (
        (churns(p, pairs), "churn-top1-pairs"),
        (total_variations(p, pairs), "tv-half_l1-pairs"),
    ):
        if models == 1:
            assert np.isnan(at).all()
        else:
            above = np.triu_indices(models, 1)
            assert at.mean() == pytest.approx(BY_ID[id_](p, targets)[above].mean(), abs=1e-6)


def test_the_pieces_that_predictions_are_read_in_change_nothing(
    model: Model, found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 7)
    again = written(model, "again.json")
    assert again["page"] == found["page"]
    for name, cell in found["cells"].items():
        for table in ("by_symbol", "by_confidence", "by_position"):
            for one, other in zip(
                again["cells"][name][table] or [], cell[table] or [], strict=True
            ):
                assert one == pytest.approx(other)
        assert (again["cells"][name]["ensemble"] or {}).get("gain") == pytest.approx(
            (cell["ensemble"] or {}).get("gain")
        )


def test_a_run_on_another_text_is_excluded(tmp_path: Path) -> None:
    made = Model(tmp_path, ["relu"], [1, 2, 3])
    other = dataclasses.replace(made.predictions["relu", 2], evaluation_sha256="another")
    made.predictions["relu", 2] = other
    made.write_runs()
    without = Model(tmp_path / "without", ["relu"], [1, 3])
    without.write_runs()
    found, expected = written(made), written(without)
    assert found["cells"] == expected["cells"]
    assert found["page"] == expected["page"]


def test_the_page_begins_with_the_first_whole_line(
    tmp_path: Path,
) -> None:
    made = Long(tmp_path, synthetic.text(20_000))
    whole = made.corpus.decode(made.corpus.codes)
    start = made.corpus.selection_end
    begins = next(at for at in range(start, len(whole)) if whole[at - 1] == "\n")
    page = made.page()
    assert page["start"] == begins - start
    assert page["text"] == whole[begins : begins + PAGE_CHARACTERS]
    assert page["context"] == whole[begins - 40 : begins]


def test_empty_lines_begin_no_page(tmp_path: Path) -> None:
    made = Long(tmp_path, synthetic.text(20_000).replace("\n", "\n\n"))
    page = made.page()
    assert page["context"].endswith("\n\n")
    assert not page["text"].startswith("\n")


@pytest.mark.parametrize("text", ["ab" * 10_000, "ab\n" * 300])
def test_a_text_without_lines_or_too_short_is_shown_from_its_start(
    tmp_path: Path, text: str
) -> None:
    corpus = Corpus.of_text(text)
    evaluation = evaluation_set(corpus, synthetic.BLOCK, None)
    length = min(PAGE_CHARACTERS, len(evaluation.targets))
    assert page_bounds(corpus, evaluation) == (0, length)


def test_the_page_shows_the_runs_predictions(tmp_path: Path) -> None:
    made = Long(tmp_path, synthetic.text(20_000))
    page = made.page()
    cell, rows = page["cells"]["act0"], slice(page["start"], page["start"] + PAGE_CHARACTERS)
    p = np.stack([run.read(FINAL, "all")[rows] for run in made.cells["act0"].values()])
    half = np.abs(p[0] - p[1]).sum(axis=1) / 2
    assert cell["total_variation"] == pytest.approx(half, abs=6e-4)
    assert cell["churn"] == [float(one) for one in p[0].argmax(axis=1) != p[1].argmax(axis=1)]
    for run, seed in enumerate(cell["seeds"]):
        assert inspect(made.cells["act0"][seed], FINAL, made.evaluation).usable
        ranked = np.sort(p[run], axis=1)[:, ::-1]
        for rank in range(3):
            shown = made.corpus.encode(cell["top"][run][rank])
            assert (p[run][np.arange(len(shown)), shown] == ranked[:, rank]).all()
            assert cell["share"][run][rank] == np.rint(100 * ranked[:, rank]).tolist()


def test_a_large_studys_page_shows_six_activations_and_five_seeds(tmp_path: Path) -> None:
    made = Long(tmp_path, synthetic.text(6000), activations=8, seeds=7)
    first = made.cells["act0"]
    made.cells["act0"] = {0: first[0]}
    page = made.page()
    # Of the first activation one run is left: there is nothing to compare.
    assert list(page["cells"]) == [f"act{place}" for place in range(1, 7)]
    assert all(cell["seeds"] == [0, 1, 2, 3, 4] for cell in page["cells"].values())
    # Differences are those of all seven runs.
    runs = np.stack([run.read(FINAL, "all") for run in made.cells["act1"].values()])
    rows = slice(page["start"], page["start"] + len(page["text"]))
    expected = total_variations(runs[:, rows], all_pairs(7))
    assert page["cells"]["act1"]["total_variation"] == pytest.approx(expected, abs=6e-4)


def test_without_runs_to_compare_there_is_no_page(tmp_path: Path) -> None:
    assert Long(tmp_path, synthetic.text(6000), seeds=1).page() is None
