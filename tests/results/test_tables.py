"""The tables of a scale: each row agrees with the statistics and the differences."""

from __future__ import annotations

import csv
import itertools
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from synthetic import WHY
from synthetic_study import ACTIVATIONS, MODELS, SEEDS, make_models, write_scale

from actrepro.core.files import read_json, read_npz
from actrepro.core.vocabulary import DIVERGED, FAILED, FINISHED
from actrepro.gates.outcome import GATES
from actrepro.measures import GENERATED_ID, group_measure_ids, measure_ids, run_measure_ids
from actrepro.predict.store import RULES
from actrepro.results import tables
from actrepro.results.tables import (
    COLUMNS,
    KINDS,
    across_rows,
    cell_rows,
    contrast_rows,
    gate_rows,
    omnibus_rows,
    pair_rows,
    run_rows,
    variance_rows,
)

UNSOUND = "smelu_05"
GATE = "causal"
DIVERGED_RUN = ("tinylstm", "relu", 43)
FAILED_RUN = ("tinylstm", UNSOUND, 43)
LOST_RUNS = {DIVERGED_RUN: DIVERGED, FAILED_RUN: FAILED}
LACKING: dict[str, Any] = {
    "diverged": [DIVERGED_RUN],
    "out_of_memory": [FAILED_RUN],
    "failed": {UNSOUND: GATE},
}
COUPLE = ACTIVATIONS
Row = dict[str, str]


@dataclass
class Scale:
    """A scale's statistics and tables, read from their files."""

    folder: Path
    stats: dict[str, Any]
    matrices: dict[str, Path]

    def table(self, name: str) -> list[Row]:
        with (self.folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def under(self, row: Row) -> dict[str, Any]:
        """Return the statistics of the row's model under the row's rule."""
        rule_stats: dict[str, Any] = self.stats["models"][row["model"]]["rules"][row["rule"]]
        return rule_stats

    def cell(self, row: Row) -> dict[str, Any]:
        cell_stats: dict[str, Any] = self.under(row)["cells"][row["activation"]]
        return cell_stats


def _scale(folder: Path, **changes: Any) -> Scale:
    models = make_models(folder, **changes)
    written = write_scale(models, folder / "tiny")
    matrices = {model.name: model.matrices for model in models}
    return Scale(written, read_json(written / "stats.json"), matrices)


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """A scale with a diverged run, a failed run, and an activation that failed a gate."""
    return _scale(tmp_path_factory.mktemp("scale"), **LACKING)


def written(value: Any) -> str:
    """Format a value as a field of a CSV file."""
    return "" if value is None else str(value)


def assert_estimate(row: Row, estimate: dict[str, Any] | None) -> None:
    """Compare a row with an estimate of the statistics."""
    numbers = estimate or dict.fromkeys(("value", "standard_error", "interval"))
    low, high = numbers["interval"] or (None, None)
    expected = (numbers["value"], numbers["standard_error"], low, high)
    assert tuple(row[name] for name in ("value", "standard_error", "low", "high")) == tuple(
        map(written, expected)
    )
    if estimate is not None:
        assert row["n"] == str(estimate["n"])


@pytest.mark.parametrize("table", COLUMNS)
def test_a_tables_columns_stand_in_their_order(scale: Scale, table: str) -> None:
    head, *_ = (scale.folder / f"{table}.csv").read_text(encoding="utf-8").split("\n")
    assert head.split(",") == list(COLUMNS[table])


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("runs", run_rows),
        ("cells", cell_rows),
        ("contrasts", contrast_rows),
        ("gates", gate_rows),
        ("across", across_rows),
        ("tests", omnibus_rows),
        ("variance", variance_rows),
    ],
)
def test_every_row_speaks_to_every_column(scale: Scale, table: str, rows: Any) -> None:
    table_rows: Iterator[dict[str, Any]] = rows(scale.stats)
    assert all(row.keys() == COLUMNS[table].keys() for row in table_rows)


def test_every_pair_speaks_to_every_column(scale: Scale) -> None:
    rows = pair_rows(scale.stats, scale.matrices)
    assert all(row.keys() == COLUMNS["pairs"].keys() for row in rows)


def test_the_same_results_give_the_same_bytes(scale: Scale, tmp_path: Path) -> None:
    again = _scale(tmp_path, **LACKING)
    for name in (*(f"{table}.csv" for table in COLUMNS), "stats.json", "summary.txt"):
        assert (scale.folder / name).read_bytes() == (again.folder / name).read_bytes()


def test_a_row_per_run_and_rule(scale: Scale) -> None:
    rows = scale.table("runs")
    keys = [(r["model"], r["activation"], int(r["seed"]), r["rule"]) for r in rows]
    assert keys == list(itertools.product(MODELS, ACTIVATIONS, SEEDS, RULES))
    assert {row["scale"] for row in rows} == {"tiny"}
    steps = {(row["rule"], row["step"]) for row in rows}
    whole = {("final", "12"), ("best", "10"), ("matched", "10")}
    assert steps == whole | {("final", "6"), ("best", "6")}
    assert {(row["parameters"], row["device"], row["seconds"]) for row in rows} == {
        ("1234", "cpu", "0.5")
    }


def test_the_scores_of_runs_are_those_of_the_statistics(scale: Scale) -> None:
    for row in scale.table("runs"):
        run = row["model"], row["activation"], int(row["seed"])
        status = LOST_RUNS.get(run, FINISHED)
        assert (row["status"], row["why"]) == (status, WHY.get(status, ""))
        for id_, metric in scale.cell(row)["metrics"].items():
            expected = None if run in LOST_RUNS else metric["by_seed"][row["seed"]]
            assert row[id_] == written(expected)


def test_a_run_names_its_weights_and_its_cells_failed_gates(scale: Scale) -> None:
    for row in scale.table("runs"):
        [run] = [
            run
            for run in scale.stats["models"][row["model"]]["runs"]
            if (run["activation"], str(run["seed"])) == (row["activation"], row["seed"])
        ]
        assert row["weights_sha256"] == written(run["weights_sha256"].get(row["rule"]))
        assert (row["weights_sha256"] == "") == (row["rule"] == "matched")
        assert row["failed_gates"] == (GATE if row["activation"] == UNSOUND else "")


def test_a_row_per_pair_of_a_models_runs_and_rule(scale: Scale) -> None:
    runs = list(itertools.product(ACTIVATIONS, SEEDS))
    expected = [
        (model, *a, *b, rule)
        for model, rule in itertools.product(MODELS, RULES)
        for a, b in itertools.combinations(runs, 2)
    ]
    keys = ("model", "activation_a", "seed_a", "activation_b", "seed_b", "rule")
    row_keys = [
        tuple(int(row[key]) if key.startswith("seed") else row[key] for key in keys)
        for row in scale.table("pairs")
    ]
    assert row_keys == expected
    assert len(row_keys) == 2 * 3 * 15


def test_the_differences_of_pairs_are_those_of_the_matrices(scale: Scale) -> None:
    runs = list(itertools.product(ACTIVATIONS, SEEDS))
    matrices = {model: read_npz(path) for model, path in scale.matrices.items()}
    assert GENERATED_ID in measure_ids()
    for row in scale.table("pairs"):
        ends = [(row[f"activation_{end}"], int(row[f"seed_{end}"])) for end in "ab"]
        i, j = map(runs.index, ends)
        gone = any((row["model"], *end) in LOST_RUNS for end in ends)
        assert row["failed_gates"] == (GATE if UNSOUND in dict(ends) else "")
        for id_ in measure_ids():
            expected = matrices[row["model"]][f"{row['rule']}.{id_}"][i, j]
            assert (row[id_] == "") == gone
            if not gone:
                assert float(row[id_]) == expected


def test_a_row_per_cell_rule_and_measure(scale: Scale) -> None:
    every = [*run_measure_ids(), *measure_ids(), *group_measure_ids()]
    rows = scale.table("cells")
    keys = [(r["model"], r["rule"], r["activation"], r["measure"]) for r in rows]
    assert keys == list(itertools.product(MODELS, RULES, ACTIVATIONS, every))
    for row in rows:
        cell = scale.cell(row)
        estimate = {**cell["metrics"], **cell["differences"], **cell["group"]}[row["measure"]]
        assert_estimate(row, estimate)
        assert row["n"] == ("2" if row["model"] == "tinylstm" else "3")
        assert row["sd"] == written(estimate.get("sd"))
        assert (row["sd"] != "") == (row["measure"] in run_measure_ids())


def test_an_interval_says_what_it_is_over(scale: Scale) -> None:
    over = {(row["measure"], row["interval_over"]) for row in scale.table("cells") if row["low"]}
    with_text = {measure for measure, what in over if what == "seeds and text"}
    assert with_text == {"loss.all", "accuracy.all"}
    assert {what for _, what in over} == {"seeds and text", "seeds"}
    assert all(not row["interval_over"] for row in scale.table("cells") if not row["low"])


def test_a_cell_says_which_gates_it_passed(scale: Scale) -> None:
    for row in scale.table("cells"):
        bad = row["activation"] == UNSOUND
        assert row["failed_gates"] == (GATE if bad else "")
        assert row["gates_asked"] == str(len(GATES))
        assert int(row["gates_passed"]) == len(GATES) - bad


def test_several_failed_gates_are_named_with_semicolons(scale: Scale, tmp_path: Path) -> None:
    stats = json.loads(json.dumps(scale.stats))
    for model in stats["models"].values():
        for under in model["rules"].values():
            cell = under["cells"][UNSOUND]
            cell["gates"]["learned"]["passed"] = False
            cell["failed_gates"] = [GATE, "learned"]
    named = {
        row["failed_gates"]
        for rows in (run_rows(stats), cell_rows(stats), pair_rows(stats, scale.matrices))
        for row in rows
    }
    assert named == {"", f"{GATE};learned"}


def test_a_row_per_contrast(scale: Scale) -> None:
    rows = scale.table("contrasts")
    entries = [
        ((model, rule), contrast)
        for model, rule in itertools.product(MODELS, RULES)
        for contrast in scale.stats["models"][model]["rules"][rule]["contrasts"]
    ]
    for row, (key, contrast) in zip(rows, entries, strict=True):
        assert (row["model"], row["rule"]) == key
        assert (row["measure"], row["a"], row["b"]) == (contrast["metric"], *COUPLE)
        assert_estimate(row, contrast)
        assert row["failed_gates"] == GATE
        assert row["verdict"] == "unsound"
        for name in ("sd", "test", "exact", "p", "p_smallest", "p_holm", "margin"):
            assert row[name] == written(contrast[name])


def test_a_contrast_has_a_verdict_and_what_would_settle_it(tmp_path: Path) -> None:
    scale = _scale(tmp_path, seeds=range(6), models=["charlm"])
    contrasts = scale.stats["models"]["charlm"]["rules"]["final"]["contrasts"]
    rows = [row for row in scale.table("contrasts") if row["rule"] == "final"]
    for row, contrast in zip(rows, contrasts, strict=True):
        assert row["failed_gates"] == ""
        for name in ("p_equivalent", "p_equivalent_holm", "significant", "verdict", "detectable"):
            assert row[name] == written(contrast[name])
        for what in ("different", "equivalent", "either"):
            settling = contrast["seeds_to_settle"] or {what: None}
            assert row[f"seeds_to_settle_{what}"] == written(settling[what])
    judged = [row for row in rows if row["verdict"]]
    assert {row["measure"].split(".")[0] for row in judged} == {
        "loss",
        "accuracy",
        "tv-half_l1-pairs",
        "churn-top1-pairs",
    }
    assert all(float(row["detectable"]) > 0 for row in judged)
    assert any(int(row["seeds_to_settle_either"] or 0) > 1 for row in judged)


def test_a_row_per_cell_rule_and_gate(scale: Scale) -> None:
    rows = scale.table("gates")
    keys = [(r["model"], r["rule"], r["activation"], r["gate"]) for r in rows]
    assert keys == list(itertools.product(MODELS, RULES, ACTIVATIONS, GATES))
    for row in rows:
        outcome = scale.cell(row)["gates"][row["gate"]]
        assert json.loads(row["measured"]) == outcome["measured"]
        assert row["passed"] == str(outcome["passed"])
        assert row["bound"] == outcome["bound"]
    assert _failed(rows) == {(UNSOUND, GATE)}


def _failed(rows: Iterable[Row]) -> set[tuple[str, str]]:
    return {(row["activation"], row["gate"]) for row in rows if row["passed"] == "False"}


def test_what_a_gate_measured_is_compact_and_reads_as_text(scale: Scale) -> None:
    measured = {row["gate"]: row["measured"] for row in scale.table("gates")}
    assert measured["recorded"] == '{"runs":3,"wrong":[]}'


def test_a_row_per_two_activations_measure_and_kind(scale: Scale) -> None:
    rows = scale.table("across")
    keys = [(r["model"], r["rule"], r["measure"], r["a"], r["b"], r["kind"]) for r in rows]
    expected = itertools.product(MODELS, RULES, measure_ids(), [COUPLE], KINDS)
    assert keys == [(model, rule, id_, *ends, kind) for model, rule, id_, ends, kind in expected]
    for row in rows:
        [entry] = [
            across for across in scale.under(row)["across"] if across["metric"] == row["measure"]
        ]
        assert_estimate(row, entry[row["kind"]])
        assert row["n"] == ("2" if row["model"] == "tinylstm" else "3")
        assert row["failed_gates"] == GATE


def test_with_one_seed_there_are_scores_and_no_differences(tmp_path: Path) -> None:
    scale = _scale(tmp_path, seeds=[42], models=["charlm"])
    assert all(row["loss.all"] for row in scale.table("runs"))
    for row in scale.table("cells"):
        assert (row["value"] != "") == (row["measure"] in run_measure_ids())
        assert (row["n"], row["low"], row["interval_over"], row["sd"]) == ("1", "", "", "")
    for row in scale.table("across"):
        assert (row["n"], row["value"] != "") == ("1", row["kind"] == "same_seed")


@pytest.mark.parametrize(("status", "lost"), [(DIVERGED, "diverged"), (FAILED, "out_of_memory")])
def test_a_cell_of_lost_runs_has_no_scores(tmp_path: Path, status: str, lost: str) -> None:
    gone = {lost: [("charlm", "relu", seed) for seed in (42, 43)]}
    scale = _scale(tmp_path, seeds=[42, 43], models=["charlm"], **gone)
    rows = [row for row in scale.table("runs") if row["activation"] == "relu"]
    assert {row["status"] for row in rows} == {status}
    assert {row[id_] for row in rows for id_ in run_measure_ids()} == {""}
    cells = [row for row in scale.table("cells") if row["activation"] == "relu"]
    assert {(row["n"], row["value"]) for row in cells} == {("0", "")}
    assert {row["n"] for row in scale.table("contrasts")} == {"0"}


def test_one_activation_has_nothing_to_compare_with(tmp_path: Path) -> None:
    scale = _scale(tmp_path, activations=["relu"], models=["charlm"])
    assert scale.table("contrasts") == scale.table("across") == []
    assert len(scale.table("pairs")) == 3 * 3


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """A scale with three activations besides the unsound one, enough for omnibus tests."""
    folder = tmp_path_factory.mktemp("larger")
    return _scale(folder, activations=["relu", UNSOUND, "gelu", "mish"], failed={UNSOUND: GATE})


def test_tests_of_several_activations(larger: Scale) -> None:
    scale = larger
    rows = scale.table("tests")
    assert {row["test"] for row in rows} >= {"permutation", "one_way", "tukey", "games_howell"}
    for row in rows:
        under = scale.stats["models"][row["model"]]["rules"][row["rule"]]
        # Only sound cells are compared.
        assert UNSOUND not in row["activations"].split(";")
        if row["test"] == "permutation":
            test = under["omnibus"][row["measure"]]
            assert float(row["p_smallest"]) == test["p_smallest"]
            assert float(row["p"]) == test["p"]
        elif not row["a"]:
            test = under["classical"][row["measure"]][row["test"]]
            assert float(row["statistic"]) == test["statistic"]
            assert float(row["df"]) == test["df"][0]
        else:
            pairs = under["classical"][row["measure"]][row["test"]]
            [test] = [pair for pair in pairs if (pair["a"], pair["b"]) == (row["a"], row["b"])]
            assert float(row["statistic"]) == test["difference"]
            assert float(row["p"]) == test["p"]


def test_variance_by_source(larger: Scale) -> None:
    scale = larger
    rows = scale.table("variance")
    assert {(row["rule"], row["measure"]) for row in rows} == set(
        itertools.product(RULES, ("loss.all", "accuracy.all"))
    )
    for rule, measure in itertools.product(RULES, ("loss.all", "accuracy.all")):
        sources = [row for row in rows if (row["rule"], row["measure"]) == (rule, measure)]
        assert sum(float(row["eta2"]) for row in sources) == pytest.approx(1)
        [seed] = [row for row in sources if row["source"] == "seed"]
        decomposition = scale.stats["decomposition"][rule][measure]
        assert float(seed["icc"]) == decomposition["icc"]
        assert all(UNSOUND not in row["activations"].split(";") for row in sources)


def test_a_table_larger_than_memory_is_written_row_by_row(tmp_path: Path) -> None:
    size = 20_000
    row = dict.fromkeys(COLUMNS["across"], "0.1234567890123456")
    tracemalloc.start()
    tables._write(tmp_path / "across.csv", "across", itertools.repeat(row, size))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    written = (tmp_path / "across.csv").stat().st_size
    assert written > 100 * size
    assert peak < written / 10
