"""The summary of a scale: the numbers of `stats.json`, failures, and verdicts."""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from synthetic import WHY
from synthetic_scale import Scale, ignorant, make_scale

from actrepro.core.vocabulary import DIVERGED, FAILED
from actrepro.measures import PRIMARY
from actrepro.report.sections.answer import headline
from actrepro.report.summary import summary_text
from actrepro.results.cells import cells_of
from actrepro.results.words import learned

MODELS = ("charlm", "tinylstm")
ACTIVATIONS = ("relu", "smelu_05", "elu", "gelu")
SHOWN = {
    "total variation between seeds at the fixed step (±0.01)": (PRIMARY, "final"),
    "total variation between seeds at matched loss (±0.01)": (PRIMARY, "matched"),
    "churn between seeds at the fixed step (±0.01)": ("churn-top1-pairs.all", "final"),
    "churn between seeds at matched loss (±0.01)": ("churn-top1-pairs.all", "matched"),
    "test loss at the fixed step (±0.01 nats)": ("loss.all", "final"),
    "test accuracy at the fixed step (±0.5 points)": ("accuracy.all", "final"),
}


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """A scale with a diverged run, a failed run, a cell of noise and a failed gate."""
    folder = tmp_path_factory.mktemp("summary")
    return make_scale(
        folder,
        models=MODELS,
        activations=ACTIVATIONS,
        diverged=[("relu", 2)],
        out_of_memory=[("smelu_05", 3)],
        failed={"smelu_05": "causal"},
        changed_runs={("elu", 1): ignorant(folder, 1)},
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """A complete scale."""
    return make_scale(tmp_path_factory.mktemp("whole"), activations=ACTIVATIONS, models=MODELS)


def line_of(summary: str, model: str, activation: str) -> str:
    cell = [model, activation]
    # The sentence on lost runs may wrap before a cell's name, which "seed" follows.
    [line] = [
        line
        for line in summary.splitlines()
        if line.split()[:2] == cell and line.split()[2] != "seed"
    ]
    return line


def test_it_begins_with_the_answer(whole: Scale) -> None:
    text = " ".join(summary_text(whole.numbers).split())
    assert headline(whole.numbers) in text
    assert text.index(headline(whole.numbers)) < text.index("model activation")


def test_it_has_the_numbers(whole: Scale) -> None:
    summary = summary_text(whole.numbers)
    assert "tiny: seeds 1, 2, 3; final checkpoint; 200 characters of the test half" in summary
    assert "[95% jackknife interval]" in summary
    for model, activation in itertools.product(MODELS, ACTIVATIONS):
        cell = cells_of(whole.numbers, model)[activation]
        loss, accuracy = cell["metrics"]["loss.all"], cell["metrics"]["accuracy.all"]
        difference = cell["differences"][PRIMARY]
        low, high = difference["interval"]
        for expected in (
            " 3  ",
            f"{loss['value']:.4f} ± {loss['sd']:.4f} ",
            f"{accuracy['value'] * 100:.2f} ± {accuracy['sd'] * 100:.2f}% ",
            f"{difference['value']:.4f} [{low:.4f}, {high:.4f}] ",
            f"{cell['differences']['churn-top1-pairs.all']['value']:.4f} ",
            "beats bigram",
        ):
            assert expected in line_of(summary, model, activation)
    assert "†" not in summary
    assert "gates: all 8 cells passed every gate" in summary


def test_it_names_what_a_cell_is_without(scale: Scale) -> None:
    line = line_of(summary_text(scale.numbers), "tinylstm", "relu")
    assert line.endswith("  without seed 2 (diverged)")
    assert "[needs 3 seeds]" in line
    assert " 2  " in line
    failed = line_of(summary_text(scale.numbers), "tinylstm", "smelu_05")
    assert failed.endswith("  without seed 3 (failed); failed: causal")


def test_it_names_lost_runs_with_their_reasons(scale: Scale, whole: Scale) -> None:
    text = " ".join(summary_text(scale.numbers).split())
    assert "2 runs diverged and 2 failed; they are excluded from every statistic and never" in text
    assert f"tinylstm relu seed 2 ({WHY[DIVERGED]})" in text
    assert f"charlm smelu_05 seed 3 ({WHY[FAILED]})" in text
    assert "excluded from every statistic" not in " ".join(summary_text(whole.numbers).split())


def test_it_marks_what_failed(scale: Scale) -> None:
    summary = summary_text(scale.numbers)
    for model in MODELS:
        causal = line_of(summary, model, "smelu_05")
        assert causal.split()[2] == "†"
        assert causal.endswith("; failed: causal")
        noise = line_of(summary, model, "elu")
        assert noise.split()[2] == "†"
        # Both models have the very same runs of noise.
        assert noise.endswith("  failed: distinct, learned")
        assert "†" not in line_of(summary, model, "relu")
    assert "gates: 4 of 8 cells passed every gate" in summary
    text = " ".join(summary.split())
    assert "causal in charlm smelu_05 and tinylstm smelu_05" in text


def test_nothing_is_ranked_where_all_failed(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    for model in MODELS:
        for cell in cells_of(numbers, model).values():
            cell["failed_gates"] = ["wired"]
    assert "0 of 8 cells passed every gate; nothing can be ranked" in summary_text(numbers)


@pytest.mark.parametrize(("seeds", "smoke"), [(2, True), (3, True), (9, True), (10, False)])
def test_a_smoke_study_says_so_first(whole: Scale, seeds: int, smoke: bool) -> None:
    numbers = {**whole.numbers, "seeds": list(range(seeds)), "smoke": smoke}
    first = summary_text(numbers).splitlines()[0]
    wanted = f"Smoke study: {seeds} seeds. At least 10 are needed for claims."
    assert (first == wanted) == smoke
    assert smoke or first.startswith(headline(numbers)[:30])


def test_verdicts_are_counted(scale: Scale) -> None:
    lines = summary_text(scale.numbers).splitlines()
    [header] = [line for line in lines if line.startswith("verdicts")]
    columns = header.removeprefix("verdicts on contrasts (margin)").split(maxsplit=4)
    assert columns == ["different", "equivalent", "inconclusive", "unsound", "not testable"]
    for name, (metric, rule) in SHOWN.items():
        found = Counter(
            contrast["verdict"] or "not testable"
            for model in scale.numbers["models"].values()
            for contrast in model["rules"][rule]["contrasts"]
            if contrast["metric"] == metric
        )
        [line] = [line for line in lines if line.startswith(name)]
        assert line.removeprefix(name).split() == [str(found[column]) for column in columns]
        assert found.total() == 12
        assert found["unsound"] == 10


def test_it_has_the_tables_a_model_must_beat(scale: Scale) -> None:
    lines = summary_text(scale.numbers).splitlines()
    baselines = scale.numbers["evaluation"]["baselines"]
    assert list(baselines) == ["unigram", "bigram", "trigram"]
    for table, scores in baselines.items():
        [line] = [one for one in lines if one.startswith(f"{table} table")]
        assert line.split()[2:] == [f"{scores['loss']:.4f}", f"{scores['accuracy']:.2%}"]


def test_its_columns_stand_below_each_other(scale: Scale) -> None:
    summary = summary_text(scale.numbers)
    lines = summary.splitlines()
    [header] = [line for line in lines if line.startswith("model")]
    for model, activation in itertools.product(MODELS, ACTIVATIONS):
        line = line_of(summary, model, activation)
        cell = cells_of(scale.numbers, model)[activation]
        loss, tv = cell["metrics"]["loss.all"]["value"], cell["differences"][PRIMARY]["value"]
        assert line.index(f"{loss:.4f}") == header.index("loss")
        assert line.index(f"{tv:.4f} [") == header.index("TV")
        assert line.index(learned(cell["beats"])) == header.index("learned")
    [table] = [line for line in lines if line.startswith("unigram table")]
    unigram = scale.numbers["evaluation"]["baselines"]["unigram"]["loss"]
    assert table.index(f"{unigram:.4f}") == header.index("loss")


@pytest.mark.parametrize("rule", ["best", "matched"])
def test_other_checkpoints(scale: Scale, rule: str) -> None:
    other = summary_text(scale.numbers, rule)
    assert f"{rule} checkpoint" in other
    cell = cells_of(scale.numbers, "charlm", rule)["relu"]
    assert f"{cell['metrics']['loss.all']['value']:.4f}" in other
    assert other != summary_text(scale.numbers)


@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_few_seeds_say_what_is_needed(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    few = make_scale(tmp_path, seeds, activations=("relu", "elu"), models=("charlm",))
    summary = summary_text(few.numbers)
    line = line_of(summary, "charlm", "relu")
    assert f"needs {len(seeds) + 1} seeds" in line
    assert ("±" in line) == (len(seeds) > 1)
    total_variation, *_ = SHOWN
    [counted] = [one for one in summary.splitlines() if one.startswith(total_variation)]
    wanted = {1: ["0", "0", "0", "0", "1"], 2: ["0", "0", "1", "0", "0"]}[len(seeds)]
    assert counted.removeprefix(total_variation).split() == wanted


@pytest.mark.parametrize(
    ("diverged", "failed", "said"),
    [
        ([1, 2], [], "diverged"),
        ([], [1, 2], "failed"),
        ([2], [1], "diverged or failed"),
    ],
)
def test_a_cell_of_lost_runs_says_so(
    tmp_path: Path, diverged: list[int], failed: list[int], said: str
) -> None:
    lost = make_scale(
        tmp_path,
        (1, 2),
        models=("charlm",),
        activations=("relu", "elu"),
        diverged=[("relu", seed) for seed in diverged],
        out_of_memory=[("relu", seed) for seed in failed],
    )
    line = line_of(summary_text(lost.numbers), "charlm", "relu")
    assert line.endswith(f" 0  every run {said}  failed: learned")


def test_one_activation_has_no_verdicts(tmp_path: Path) -> None:
    one = make_scale(tmp_path, (1, 2), models=("charlm",), activations=("relu",))
    assert "verdicts" not in summary_text(one.numbers)


@pytest.mark.parametrize(
    ("confidence", "percent"), [(0.9, "[90% "), (0.95, "[95% "), (0.995, "[99.5% ")]
)
def test_it_says_the_level_of_its_intervals(scale: Scale, confidence: float, percent: str) -> None:
    assert percent in summary_text({**scale.numbers, "confidence": confidence})


def test_a_cell_beats_the_strongest_table_that_all_its_runs_beat() -> None:
    beaten: list[tuple[Any, Any, Any]] = [
        (True, True, True),
        (True, True, False),
        (True, False, False),
        (False, False, False),
        (None, None, None),
    ]
    tables = ("unigram", "bigram", "trigram")
    found = [learned(dict(zip(tables, beats, strict=True))) for beats in beaten]
    nothing = "not learned"
    assert found == ["beats trigram", "beats bigram", "beats unigram", nothing, nothing]
