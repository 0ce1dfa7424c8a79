"""Origins of the report's numbers: the file, and the function that computed it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from actrepro.core import paths

# Files and the functions that write them, from which a reader can trace a number.
ORIGINS = (
    (paths.CORPUS, "actrepro.data.sources.make_corpus"),
    (paths.EVALUATION, "actrepro.data.evaluation_set.make_evaluation"),
    (paths.GATES, "actrepro.gates.before.check_model"),
    (paths.CHECKPOINT, "actrepro.train.runs.train_run"),
    (paths.SNAPSHOTS, "actrepro.train.runs.train_run"),
    (paths.HISTORY, "actrepro.train.runs.train_run"),
    (paths.RUN_RECORD, "actrepro.train.runs.train_run"),
    (paths.PREDICTIONS, "actrepro.predict.predictor.predict_cell"),
    (paths.MATCHED, "actrepro.predict.predictor.predict_matched"),
    (paths.MATCHED_PREDICTIONS, "actrepro.predict.predictor.predict_matched"),
    (paths.CELL_DIFFERENCES, "actrepro.measures.differences.cell_differences"),
    (paths.MODEL_DIFFERENCES, "actrepro.measures.differences.model_differences"),
    (paths.MATCHED_DIFFERENCES, "actrepro.measures.differences.model_differences"),
    (paths.GATES_AFTER, "actrepro.gates.after.check_runs"),
    (paths.MODEL_STATS, "actrepro.statistics.per_model.model_statistics"),
    (paths.BREAKDOWN, "actrepro.measures.breakdown.model_breakdown"),
    (paths.SCALE_STATS, "actrepro.statistics.per_scale.scale_statistics"),
    (paths.COSTS, "actrepro.statistics.costs.scale_costs"),
    *((table, "actrepro.results.tables.write_tables") for table in paths.TABLES),
    (paths.SUMMARY, "actrepro.report.summary.write_summary"),
    (paths.FIGURE_SVG, "actrepro.figures.draw.draw_figure"),
    (paths.ELSEWHERE, "actrepro.replication.compare.compare_scale"),
    (paths.AUDIT_SECTION, "actrepro.audit.page.section.section"),
    (paths.MODELS, "actrepro.models.card.write_cards"),
    (paths.REPORT, "actrepro.report.page.write_report"),
    (paths.REPORT_TEXT, "actrepro.report.markdown.write_markdown"),
    (paths.PROVENANCE, "actrepro.replication.archive_writer.record_study"),
)

# Keys within `stats.json` and the functions that compute their numbers.
PARTS: Mapping[str, str] = {
    r"\.contrasts": "actrepro.statistics.contrasts.family",
    r"\.across": "actrepro.statistics.per_model.across",
    r"\.omnibus": "actrepro.statistics.per_model.omnibus",
    r"\.classical": "actrepro.statistics.per_model.classical_tests",
    r"\.gates": "actrepro.gates.after.check_runs",
    r"\.cells": "actrepro.statistics.per_model.model_statistics",
    r"\.runs": "actrepro.train.runs.train_run",
    r"^decomposition": "actrepro.statistics.decomposition.decompose",
    r"^planning": "actrepro.statistics.planning.planning",
    r"^undecided": "actrepro.statistics.planning.undecided",
    r"^evaluation": "actrepro.data.evaluation_set.make_evaluation",
    r"^measures": "actrepro.measures.catalogue.measure_descriptions",
}


def origin(source: str) -> str:
    """Return the function that computed the value at `file: key`; empty if none is known.

    >>> origin("results/quick/stats.json: models.charlm.rules.final.contrasts")
    'actrepro.statistics.contrasts.family'
    >>> origin("results/quick/charlm/gates.json")
    'actrepro.gates.before.check_model'
    """
    path, _, key = source.partition(": ")
    if path.endswith("stats.json"):
        for pattern, function in PARTS.items():
            if re.search(pattern, key):
                return function
    return next((function for pattern, function in ORIGINS if _fits(pattern, path)), "")


def _fits(pattern: str, path: str) -> bool:
    """Check whether a path matches a pattern; wildcards match no slash."""
    expression = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(pattern))
    return path == pattern or re.fullmatch(expression, path) is not None
