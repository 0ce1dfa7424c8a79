"""The tables of a scale: a row per run, a row per pair, and a summary with the numbers."""

import csv
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from made_up import Model

from actrepro.cells import learned
from actrepro.files import read_json, read_npz
from actrepro.measures import PRIMARY, measure_ids
from actrepro.predictions import RULES
from actrepro.statistics import METRICS
from actrepro.tables import scale_tables, summary_text

MODELS = ("charlm", "tinylstm")
ACTIVATIONS = ("relu", "smelu_05")
SEEDS = (42, 43, 44)
GONE = ("tinylstm", "relu", 43)


@dataclass
class Scale:
    """A scale's tables, read again."""

    stats: dict[str, Any]
    runs: list[dict[str, str]]
    pairs: list[dict[str, str]]
    summary: str
    matrices: dict[str, Path]

    def line(self, model: str, activation: str) -> str:
        [found] = [
            line for line in self.summary.splitlines() if line.split()[:2] == [model, activation]
        ]
        return found


def _tables(
    folder: Path,
    seeds: tuple[int, ...] = SEEDS,
    diverged: tuple[tuple[str, str, int], ...] = (),
    confidence: float = 0.95,
) -> Scale:
    models = []
    for name in MODELS:
        gone = [(activation, seed) for model, activation, seed in diverged if model == name]
        models.append(Model(folder, ACTIVATIONS, seeds, diverged=gone, name=name))
        models[-1].write(confidence)
    matrices = {model.name: model.matrices for model in models}
    paths = [folder / name for name in ("stats.json", "runs.csv", "pairs.csv", "summary.txt")]
    scale_tables("tiny", "mine", [model.stats for model in models], matrices, *paths)
    return Scale(
        stats=read_json(paths[0]),
        runs=list(csv.DictReader(paths[1].open(newline=""))),
        pairs=list(csv.DictReader(paths[2].open(newline=""))),
        summary=paths[3].read_text(encoding="utf-8"),
        matrices=matrices,
    )


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    return _tables(tmp_path_factory.mktemp("scale"), diverged=(GONE,))


def test_a_row_per_run_and_rule(scale: Scale) -> None:
    keys = [(r["model"], r["activation"], int(r["seed"]), r["rule"]) for r in scale.runs]
    assert keys == list(itertools.product(MODELS, ACTIVATIONS, SEEDS, RULES))
    assert {row["scale"] for row in scale.runs} == {"tiny"}
    assert {(row["rule"], row["step"]) for row in scale.runs} == {("final", "12"), ("best", "10")}
    assert {row["parameters"] for row in scale.runs} == {"1234"}


def test_the_scores_of_runs_are_those_of_the_statistics(scale: Scale) -> None:
    for row in scale.runs:
        key = (row["model"], row["activation"], int(row["seed"]))
        assert row["status"] == ("diverged" if key == GONE else "finished")
        under = scale.stats["models"][row["model"]]["rules"][row["rule"]]
        metrics = under["cells"][row["activation"]]["metrics"]
        for metric in METRICS:
            if key == GONE:
                assert row[metric] == ""
            else:
                assert float(row[metric]) == metrics[metric]["by_seed"][row["seed"]]


def test_a_row_per_pair_of_a_models_runs_and_rule(scale: Scale) -> None:
    runs = list(itertools.product(ACTIVATIONS, SEEDS))
    expected = [
        (model, *a, *b, rule)
        for model, rule in itertools.product(MODELS, RULES)
        for a, b in itertools.combinations(runs, 2)
    ]
    found = [
        (
            row["model"],
            row["activation_a"],
            int(row["seed_a"]),
            row["activation_b"],
            int(row["seed_b"]),
            row["rule"],
        )
        for row in scale.pairs
    ]
    assert found == expected
    assert len(found) == 2 * 2 * 15


def test_the_differences_of_pairs_are_those_of_the_matrices(scale: Scale) -> None:
    runs = list(itertools.product(ACTIVATIONS, SEEDS))
    matrices = {model: read_npz(path) for model, path in scale.matrices.items()}
    for row in scale.pairs:
        ends = [(row[f"activation_{end}"], int(row[f"seed_{end}"])) for end in "ab"]
        i, j = map(runs.index, ends)
        gone = GONE in [(row["model"], *end) for end in ends]
        for id_ in measure_ids():
            expected = matrices[row["model"]][f"{row['rule']}.{id_}"][i, j]
            assert (row[id_] == "") == gone
            if not gone:
                assert float(row[id_]) == expected


def test_the_summary_has_the_numbers(scale: Scale) -> None:
    head = scale.summary.splitlines()[0]
    assert head == "tiny: seeds 42, 43, 44; final checkpoint; 200 characters of the test half"
    assert "[95% jackknife interval]" in scale.summary
    for model, activation in itertools.product(MODELS, ACTIVATIONS):
        line = scale.line(model, activation)
        cell = scale.stats["models"][model]["rules"]["final"]["cells"][activation]
        loss, accuracy = cell["metrics"]["loss.all"], cell["metrics"]["accuracy.all"]
        difference = cell["differences"][PRIMARY]
        for expected in (
            f" {cell['n']}  ",
            f"{loss['value']:.4f} ± {loss['sd']:.4f} ",
            f"{accuracy['value'] * 100:.2f} ± {accuracy['sd'] * 100:.2f}% ",
            f"{difference['value']:.4f} [",
            f"{cell['differences']['churn-top1-pairs.all']['value']:.4f} ",
            "not learned",
        ):
            assert expected in line
        if cell["n"] == 3:
            low, high = difference["interval"]
            assert f"[{low:.4f}, {high:.4f}]" in line
            assert "diverged" not in line


def test_the_summary_names_what_a_cell_is_without(scale: Scale) -> None:
    line = scale.line("tinylstm", "relu")
    assert line.endswith("  without diverged seeds 43")
    assert "[needs 3 seeds]" in line
    assert " 2  " in line


def test_the_summary_has_the_tables_a_model_must_beat(scale: Scale) -> None:
    for table, scores in scale.stats["evaluation"]["baselines"].items():
        [line] = [one for one in scale.summary.splitlines() if one.startswith(f"{table} table")]
        assert line.split()[2:] == [f"{scores['loss']:.4f}", f"{scores['accuracy']:.2%}"]


def test_the_columns_of_the_summary_stand_below_each_other(scale: Scale) -> None:
    lines = scale.summary.splitlines()
    [header] = [line for line in lines if line.startswith("model")]
    for model, activation in itertools.product(MODELS, ACTIVATIONS):
        line = scale.line(model, activation)
        cell = scale.stats["models"][model]["rules"]["final"]["cells"][activation]
        loss, tv = cell["metrics"]["loss.all"]["value"], cell["differences"][PRIMARY]["value"]
        assert line.index(f"{loss:.4f}") == header.index("loss")
        assert line.index(f"{tv:.4f} [") == header.index("TV")
        assert line.index("not learned") == header.index("learned")
    [table] = [line for line in lines if line.startswith("unigram table")]
    unigram = scale.stats["evaluation"]["baselines"]["unigram"]["loss"]
    assert table.index(f"{unigram:.4f}") == header.index("loss")


def test_the_summary_of_the_best_checkpoint(scale: Scale) -> None:
    best = summary_text(scale.stats, "best")
    assert "best checkpoint" in best
    cell = scale.stats["models"]["charlm"]["rules"]["best"]["cells"]["relu"]
    assert f"{cell['metrics']['loss.all']['value']:.4f}" in best
    assert best != scale.summary


@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_with_few_seeds_the_summary_says_what_is_needed(
    tmp_path: Path, seeds: tuple[int, ...]
) -> None:
    scale = _tables(tmp_path, seeds)
    line = scale.line("charlm", "relu")
    assert f"needs {len(seeds) + 1} seeds" in line
    assert ("±" in line) == (len(seeds) > 1)
    assert len(scale.runs) == 2 * 2 * len(seeds) * 2
    pairs = {1: 1, 2: 6}[len(seeds)]
    assert len(scale.pairs) == 2 * 2 * pairs


def test_a_cell_of_diverged_runs_says_so(tmp_path: Path) -> None:
    gone = tuple(("charlm", "relu", seed) for seed in (1, 2))
    scale = _tables(tmp_path, (1, 2), diverged=gone)
    assert scale.line("charlm", "relu").endswith(" 0  every run diverged")
    rows = [r for r in scale.runs if (r["model"], r["activation"]) == ("charlm", "relu")]
    assert {row["status"] for row in rows} == {"diverged"}
    assert {row[metric] for row in rows for metric in METRICS} == {""}


@pytest.mark.parametrize(
    ("confidence", "percent"), [(0.9, "[90% "), (0.95, "[95% "), (0.995, "[99.5% ")]
)
def test_the_summary_says_the_level_of_its_intervals(
    scale: Scale, confidence: float, percent: str
) -> None:
    assert percent in summary_text({**scale.stats, "confidence": confidence})


def test_a_cell_that_has_learned_beats_the_bigram_table() -> None:
    found = [
        learned({"unigram": unigram, "bigram": bigram})
        for unigram, bigram in ((True, True), (True, False), (False, False), (None, None))
    ]
    assert found == ["beats bigram", "beats unigram", "not learned", "not learned"]
