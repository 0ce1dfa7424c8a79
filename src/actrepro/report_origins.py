"""Where a number of the report comes from: the file, and the function that computed it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from actrepro import paths

# What writes which file: where a number of the report can be followed to.
ORIGINS = (
    (paths.CORPUS, "actrepro.texts.make_corpus"),
    (paths.EVALUATION, "actrepro.evaluation.make_evaluation"),
    (paths.GATES, "actrepro.gates.check_model"),
    (paths.CHECKPOINT, "actrepro.training.train_run"),
    (paths.SNAPSHOTS, "actrepro.training.train_run"),
    (paths.HISTORY, "actrepro.training.train_run"),
    (paths.RUN_RECORD, "actrepro.training.train_run"),
    (paths.PREDICTIONS, "actrepro.prediction.predict_cell"),
    (paths.MATCHED, "actrepro.prediction.predict_matched"),
    (paths.MATCHED_PREDICTIONS, "actrepro.prediction.predict_matched"),
    (paths.CELL_DIFFERENCES, "actrepro.differences.cell_differences"),
    (paths.MODEL_DIFFERENCES, "actrepro.differences.model_differences"),
    (paths.MATCHED_DIFFERENCES, "actrepro.differences.model_differences"),
    (paths.GATES_AFTER, "actrepro.gates_after.check_runs"),
    (paths.MODEL_STATS, "actrepro.statistics.model_statistics"),
    (paths.BREAKDOWN, "actrepro.breakdown.model_breakdown"),
    (paths.SCALE_STATS, "actrepro.scale.scale_statistics"),
    (paths.RUNS_TABLE, "actrepro.tables.scale_tables"),
    (paths.PAIRS_TABLE, "actrepro.tables.scale_tables"),
    (paths.CELLS_TABLE, "actrepro.tables.scale_tables"),
    (paths.CONTRASTS_TABLE, "actrepro.tables.scale_tables"),
    (paths.GATES_TABLE, "actrepro.tables.scale_tables"),
    (paths.ACROSS_TABLE, "actrepro.tables.scale_tables"),
    (paths.SUMMARY, "actrepro.tables.scale_tables"),
    (paths.FIGURE_SVG, "actrepro.figures.draw_figure"),
    (paths.ELSEWHERE, "actrepro.elsewhere.compare_scale"),
    (paths.CLAIMS_JSON, "actrepro.audit.write.write_verdicts"),
    (paths.CLAIMS_TABLE, "actrepro.audit.write.write_verdicts"),
    (paths.AUDIT_PAGE, "actrepro.audit.page.write_page"),
    (paths.MODELS, "actrepro.sizes.write_sizes"),
    (paths.REPORT, "actrepro.report.write_report"),
    (paths.REPORT_TEXT, "actrepro.report_markdown.write_markdown"),
    (paths.PROVENANCE, "actrepro.recording.record_study"),
)

# Within `stats.json`: what computed the numbers under a key.
PARTS: Mapping[str, str] = {
    r"\.contrasts": "actrepro.contrasts.family",
    r"\.across": "actrepro.statistics.across",
    r"\.omnibus": "actrepro.statistics.omnibus",
    r"\.classical": "actrepro.statistics.classical_tests",
    r"\.gates": "actrepro.gates_after.check_runs",
    r"\.cells": "actrepro.statistics.model_statistics",
    r"\.runs": "actrepro.training.train_run",
    r"^decomposition": "actrepro.decomposition.decompose",
    r"^evaluation": "actrepro.evaluation.make_evaluation",
    r"^measures": "actrepro.measures.catalogue.measure_descriptions",
}


def origin(source: str) -> str:
    """The function that computed what stands at `file: key`; empty where none is known.

    >>> origin("results/quick/stats.json: models.charlm.rules.final.contrasts")
    'actrepro.contrasts.family'
    >>> origin("results/quick/charlm/gates.json")
    'actrepro.gates.check_model'
    """
    path, _, key = source.partition(": ")
    if path.endswith("stats.json"):
        for pattern, function in PARTS.items():
            if re.search(pattern, key):
                return function
    return next((function for pattern, function in ORIGINS if _fits(pattern, path)), "")


def _fits(pattern: str, path: str) -> bool:
    """Whether a path is one of a pattern's; wildcards hold no slash."""
    expression = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(pattern))
    return path == pattern or re.fullmatch(expression, path) is not None
