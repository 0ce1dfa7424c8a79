"""Paths of all files of a study.

Each path is a pattern with wildcards in braces, as Snakemake expects it; `at`
fills in some or all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import PurePosixPath

RESULTS = "results"
LOGS = "logs"
BENCHMARKS = "benchmarks"
# Unfinished training runs, and hashes that explain staleness; Snakemake does not track them.
STATE = "state"
# Published studies in small form; committed, unlike results.
RECORDED = "resources/recorded"

CORPUS = f"{RESULTS}/corpora/{{corpus}}/corpus.npz"
CORPUS_MANIFEST = f"{RESULTS}/corpora/{{corpus}}/corpus.json"
EVALUATION = f"{RESULTS}/corpora/{{corpus}}/evaluation-{{context}}.npz"
EVALUATION_MANIFEST = f"{RESULTS}/corpora/{{corpus}}/evaluation-{{context}}.json"

SCALE = f"{RESULTS}/{{scale}}"
MODEL = f"{SCALE}/{{model}}"
CELL = f"{MODEL}/{{activation}}"
RUN = f"{CELL}/seed{{seed}}"

GATES = f"{MODEL}/gates.json"
GATES_AFTER = f"{MODEL}/gates-after.json"

CHECKPOINT = f"{RUN}/checkpoint.safetensors"
TRAINING_STATE = f"{STATE}/{{scale}}/{{model}}/{{activation}}/seed{{seed}}"
# The hashes behind a fingerprint of code, so that `make explain` can name what has changed.
CODE = f"{STATE}/code/{{fingerprint}}.json"
SNAPSHOTS = f"{RUN}/snapshots.safetensors"
HISTORY = f"{RUN}/history.csv"
RUN_RECORD = f"{RUN}/run.json"
PREDICTIONS = f"{RUN}/predictions.npz"
MATCHED = f"{MODEL}/matched.json"
MATCHED_PREDICTIONS = f"{RUN}/predictions-matched.npz"

CELL_DIFFERENCES = f"{CELL}/differences.json"
MODEL_DIFFERENCES = f"{MODEL}/differences.npz"
MATCHED_DIFFERENCES = f"{MODEL}/differences-matched.json"

MODEL_STATS = f"{MODEL}/stats.json"
BREAKDOWN = f"{MODEL}/breakdown.json"
SCALE_STATS = f"{SCALE}/stats.json"
COSTS = f"{SCALE}/costs.json"
RUNS_TABLE = f"{SCALE}/runs.csv"
PAIRS_TABLE = f"{SCALE}/pairs.csv"
CELLS_TABLE = f"{SCALE}/cells.csv"
CONTRASTS_TABLE = f"{SCALE}/contrasts.csv"
GATES_TABLE = f"{SCALE}/gates.csv"
ACROSS_TABLE = f"{SCALE}/across.csv"
TESTS_TABLE = f"{SCALE}/tests.csv"
VARIANCE_TABLE = f"{SCALE}/variance.csv"
TABLES = (
    RUNS_TABLE,
    PAIRS_TABLE,
    CELLS_TABLE,
    CONTRASTS_TABLE,
    GATES_TABLE,
    ACROSS_TABLE,
    TESTS_TABLE,
    VARIANCE_TABLE,
)
SUMMARY = f"{SCALE}/summary.txt"
ELSEWHERE = f"{SCALE}/elsewhere.json"

FIGURE_SVG = f"{SCALE}/figures/{{figure}}.svg"
FIGURE_PNG = f"{SCALE}/figures/{{figure}}.png"

# Parts and cost of every model, at every scale of the config.
MODELS = f"{RESULTS}/models.json"
REPORT = f"{RESULTS}/report.html"
REPORT_TEXT = f"{RESULTS}/report.md"

# Left for the report by `snakemake audit`.
AUDIT_SECTION = f"{RESULTS}/audit/section.json"

BENCHMARK = f"{RESULTS}/benchmarks/training.json"
BENCHMARK_SVG = f"{RESULTS}/benchmarks/training.svg"
BENCHMARK_PNG = f"{RESULTS}/benchmarks/training.png"

RECORD = f"{RECORDED}/{{record}}"
PROVENANCE = f"{RECORD}/provenance.json"


def at(pattern: str, **wildcards: object) -> str:
    """Fill in the named wildcards; others stay.

    >>> at(CELL, scale="cpu", model="charlm")
    'results/cpu/charlm/{activation}'
    """
    for name, value in wildcards.items():
        pattern = pattern.replace(f"{{{name}}}", str(value))
    return pattern


def each(pattern: str, **values: Sequence[object]) -> list[str]:
    """Return a path for each combination of the wildcards' values; the last varies fastest.

    >>> each("{activation}/seed{seed}", activation=("relu", "gelu"), seed=(1, 2))
    ['relu/seed1', 'relu/seed2', 'gelu/seed1', 'gelu/seed2']
    """
    combinations = product(*values.values())
    return [at(pattern, **dict(zip(values, chosen, strict=True))) for chosen in combinations]


def folders_beside_scales() -> frozenset[str]:
    """Return the names of the results folders that a scale cannot have."""
    constants = [value for name, value in globals().items() if name.isupper()]
    patterns = [PurePosixPath(path).parts for path in constants if isinstance(path, str)]
    below = [parts for parts in patterns if parts[0] == RESULTS and len(parts) > 2]
    return frozenset(parts[1] for parts in below if "{" not in parts[1])


def seed_of(path: str) -> int:
    """Return the seed of the run that a file belongs to.

    >>> seed_of(at(CHECKPOINT, scale="cpu", model="charlm", activation="relu", seed=42))
    42
    """
    return int(PurePosixPath(path).parent.name.removeprefix("seed"))


def log_of(rule: str, pattern: str) -> str:
    """Return the log of a rule whose outputs have the wildcards of `pattern`."""
    return f"{LOGS}/{rule}/{_wildcards(pattern)}.log"


def benchmark_of(rule: str, pattern: str) -> str:
    """Return the benchmark of a rule whose outputs have the wildcards of `pattern`."""
    return f"{BENCHMARKS}/{rule}/{_wildcards(pattern)}.tsv"


def _wildcards(pattern: str) -> str:
    names = ("corpus", "context", "scale", "model", "activation", "seed", "figure", "control")
    parts = [f"{{{name}}}" for name in names if f"{{{name}}}" in pattern]
    return "/".join(parts) or "study"


def record_of(file: str) -> str:
    """Return the name of the record that a file belongs to; empty for other files.

    >>> record_of("resources/recorded/h100/full/stats.json"), record_of("results/full/stats.json")
    ('h100', '')
    """
    parts = PurePosixPath(file).parts
    folder = PurePosixPath(RECORDED).parts
    return parts[len(folder)] if parts[: len(folder)] == folder and len(parts) > 3 else ""


def below_results(path: str) -> str:
    """Return a results file's path as a record names it.

    >>> below_results("results/full/charlm/stats.json")
    'full/charlm/stats.json'
    """
    return str(PurePosixPath(path).relative_to(RESULTS))
