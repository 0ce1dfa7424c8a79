"""Paths: one place for each file of a study."""

import re
from collections.abc import Callable

import pytest

from actrepro.core import paths
from actrepro.core.paths import at, benchmark_of, log_of

RUN = {"scale": "cpu", "model": "charlm", "activation": "relu", "seed": 42}
PATTERNS = {
    name: value
    for name, value in vars(paths).items()
    if name.isupper() and isinstance(value, str) and value.startswith(paths.RESULTS)
}


def test_wildcards_are_filled_in_some_or_all() -> None:
    assert at(paths.CELL, scale="cpu", model="charlm") == "results/cpu/charlm/{activation}"
    assert at(paths.CHECKPOINT, **RUN) == "results/cpu/charlm/relu/seed42/checkpoint.safetensors"
    assert at(paths.REPORT, **RUN) == "results/report.html"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (paths.CORPUS, "results/corpora/words/corpus.npz"),
        (paths.EVALUATION, "results/corpora/words/evaluation-32.npz"),
        (paths.HISTORY, "results/cpu/charlm/relu/seed42/history.csv"),
        (paths.RUN_RECORD, "results/cpu/charlm/relu/seed42/run.json"),
        (paths.PREDICTIONS, "results/cpu/charlm/relu/seed42/predictions.npz"),
        (paths.CELL_DIFFERENCES, "results/cpu/charlm/relu/differences.json"),
        (paths.MODEL_DIFFERENCES, "results/cpu/charlm/differences.npz"),
        (paths.MODEL_STATS, "results/cpu/charlm/stats.json"),
        (paths.SCALE_STATS, "results/cpu/stats.json"),
        (paths.SUMMARY, "results/cpu/summary.txt"),
        (paths.FIGURE_SVG, "results/cpu/figures/loss.svg"),
    ],
)
def test_files_lie_where_the_design_says(pattern: str, expected: str) -> None:
    assert at(pattern, **RUN, corpus="words", context=32, figure="loss") == expected


def test_no_two_patterns_are_the_same() -> None:
    files = [value for name, value in PATTERNS.items() if "." in value.rsplit("/", 1)[-1]]
    assert len(files) == len(set(files)) > 10


@pytest.mark.parametrize(
    ("pattern", "wildcards"),
    [
        (paths.RUN, "{scale}/{model}/{activation}/{seed}"),
        (paths.MODEL, "{scale}/{model}"),
        (paths.EVALUATION, "{corpus}/{context}"),
        (paths.FIGURE_SVG, "{scale}/{figure}"),
        (paths.REPORT, "study"),
    ],
)
def test_logs_and_benchmarks_have_the_wildcards_of_the_outputs(
    pattern: str, wildcards: str
) -> None:
    assert log_of("train", pattern) == f"logs/train/{wildcards}.log"
    assert benchmark_of("train", pattern) == f"benchmarks/train/{wildcards}.tsv"


@pytest.mark.parametrize("place", [log_of, benchmark_of])
@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_no_wildcard_is_lost(place: Callable[[str, str], str], pattern: str) -> None:
    wildcards = set(re.findall(r"{\w+}", pattern))
    assert set(re.findall(r"{\w+}", place("rule", pattern))) == wildcards
