"""The report: one self-contained HTML file of what a study ran and found.

Everything is computed before: the report reads `stats.json`, corpus manifests and
figures, and turns them into words, tables and pictures. `templates/` holds markup only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from markupsafe import Markup

from actrepro import (
    paths,
    report_audit,
    report_elsewhere,
    report_gates,
    report_recorded,
    report_run,
    report_tables,
    report_tests,
)
from actrepro.cells import Stats
from actrepro.evidence import alpha
from actrepro.figures import figure_caption
from actrepro.files import read_json, write_text
from actrepro.formats import counted, level
from actrepro.inline_svg import inline_svg
from actrepro.markup import fill
from actrepro.predictions import FINAL, MATCHED, RULES
from actrepro.records import read_records
from actrepro.report_contrasts import contrasts_tables, verdicts_table
from actrepro.report_parts import Table
from actrepro.report_text import Summary, summary

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
    (paths.REPORT, "actrepro.report.write_report"),
    (paths.PROVENANCE, "actrepro.recording.record_study"),
)


@dataclass(frozen=True)
class Figure:
    """A figure in the page."""

    id: str
    caption: str
    svg: Markup


@dataclass(frozen=True)
class Gates:
    """A scale's gates in two sentences, with the tables to them; `failed` only where any did."""

    line: str
    other_rules: str
    failed: Table | None
    asked: Table


@dataclass(frozen=True)
class Model:
    """A model's tables; `others` are its results under other checkpoint rules, where they differ.

    Each of these with what its summary line says.
    """

    name: str
    results: Table
    others: Sequence[tuple[str, Table]]
    across: Table
    gates: Table
    contrasts: Sequence[Table]
    tests: Sequence[Table]


@dataclass(frozen=True)
class Scale:
    """What the page shows of one scale."""

    stats: Stats
    figure_paths: Sequence[Path]

    @property
    def name(self) -> str:
        """The scale's name."""
        return str(self.stats["scale"])

    @cached_property
    def summary(self) -> Summary:
        """The first screen."""
        return summary(self.stats)

    @cached_property
    def models_run(self) -> Table:
        """Parameters, time and speed."""
        return report_run.models_table(self.stats)

    @cached_property
    def lost_runs(self) -> Table | None:
        """The runs that diverged or failed; None where every run finished."""
        return report_run.lost_table(self.stats)

    @cached_property
    def circumstances(self) -> list[Table]:
        """Protocol, n-gram tables, machines."""
        return [
            report_run.protocol_table(self.stats),
            report_run.baselines_table(self.stats),
            report_run.machines_table(self.stats),
        ]

    @cached_property
    def gates(self) -> Gates:
        """Which cells passed, and what was measured where one did not."""
        failed = report_gates.failed_table(self.stats)
        return Gates(
            line=report_gates.gates_line(self.stats),
            other_rules=report_gates.other_rules_line(self.stats),
            failed=failed if failed.rows else None,
            asked=report_gates.asked_table(self.stats),
        )

    @cached_property
    def decompositions(self) -> list[tuple[str, Table]]:
        """Where the scores' spread comes from, under each checkpoint rule that differs."""
        rules = [FINAL, *(rule for rule in RULES if rule != FINAL and self._differs(rule))]
        found = ((rule, report_tests.decomposition_table(self.stats, rule)) for rule in rules)
        return [(report_tables.RULE_NAMES[rule], table) for rule, table in found if table]

    def _differs(self, rule: str) -> bool:
        return any(
            report_tables.rules_differ(self.stats, model, rule) for model in self.stats["models"]
        )

    @cached_property
    def verdicts(self) -> Table | None:
        """How many contrasts end in which verdict; None where there is nothing to compare."""
        return verdicts_table(self.stats) if len(self.stats["activations"]) > 1 else None

    @cached_property
    def models(self) -> list[Model]:
        """Each model's results and contrasts."""
        return [_model(self.stats, name) for name in self.stats["models"]]

    @cached_property
    def figures(self) -> list[Figure]:
        """The figures: first those of the primary measure, last those of single models."""
        first = ("heatmap", "contrasts", "differences", "tradeoff", "loss")
        rank = {name: place for place, name in enumerate(first)}
        ordered = sorted(self.figure_paths, key=lambda path: rank.get(path.stem, len(rank)))
        return [_figure(self.stats, path) for path in ordered]


def _model(stats: Stats, name: str) -> Model:
    tests = [
        report_tests.omnibus_table(stats, name),
        *(report_tests.pairs_table(stats, name, score) for score in report_tests.SCORES),
    ]
    return Model(
        name=name,
        results=report_tables.results_table(stats, name, FINAL),
        others=[
            (_where_it_differs(stats, name, rule), report_tables.results_table(stats, name, rule))
            for rule in RULES
            if rule != FINAL and report_tables.rules_differ(stats, name, rule)
        ],
        across=report_tables.across_table(stats, name),
        gates=report_gates.gates_table(stats, name),
        contrasts=contrasts_tables(stats, name),
        tests=[table for table in tests if table is not None],
    )


def _where_it_differs(stats: Stats, model: str, rule: str) -> str:
    runs = counted(len(stats["models"][model]["runs"]), "run")
    which = "at matched loss" if rule == MATCHED else "at its best checkpoint"
    differing = report_tables.rules_differ(stats, model, rule)
    return f"{model} {which}: not the final one in {differing} of {runs}"


def _figure(stats: Stats, path: Path) -> Figure:
    id_ = f"{stats['scale']}-{path.stem}"
    caption = figure_caption(path.stem, stats)
    return Figure(f"figure-{id_}", caption, inline_svg(path, f"{id_}-", caption))


def write_report(
    study: str,
    stats: Sequence[Path],
    corpora: Sequence[Path],
    figures: Sequence[Path],
    output: Path,
    audit: Path | None = None,
    root: Path = Path(),
    elsewhere: Sequence[Path] = (),
    records: Sequence[Path] = (),
) -> None:
    """Write the report of a study; the same inputs give the same bytes.

    Parameters
    ----------
    study
        The study's name, for the title.
    stats
        `stats.json` of each scale.
    corpora
        The corpus manifest of each scale, in the same order; the same one may recur.
    figures
        SVG files of all scales, `…/{scale}/figures/{name}.svg`.
    output
        The HTML file.
    audit
        `claims.json`, for a section on the earlier study; without it there is none.
    root
        The folder that the names of the audit's files start from.
    elsewhere
        `elsewhere.json` of scales, for a section on the same runs made elsewhere.
    records
        Folders of records, for a section on recorded results; they are evidence of the audit too.

    Raises
    ------
    ActreproError
        When a file is missing or damaged.
    """
    scales = [_scale(read_json(path), figures) for path in stats]
    manifests = [read_json(path) for path in corpora]
    recorded = read_records(records)
    earlier = None if audit is None else report_audit.section(read_json(audit), root, recorded)
    made = {one["scale"]: one for one in map(read_json, elsewhere)}
    twice = [
        report_elsewhere.section(scale.stats, made[scale.name])
        for scale in scales
        if scale.name in made
    ]
    apart = report_recorded.section(recorded, [scale.stats for scale in scales])
    write_text(output, render(study, scales, manifests, earlier, twice, apart))


def _scale(stats: Stats, figures: Sequence[Path]) -> Scale:
    own = [path for path in figures if path.parent.parent.name == stats["scale"]]
    return Scale(stats, own)


def render(
    study: str,
    scales: Sequence[Scale],
    manifests: Sequence[Mapping[str, Any]],
    earlier: report_audit.Section | None = None,
    twice: Sequence[report_elsewhere.Section] = (),
    recorded: report_recorded.Section | None = None,
) -> str:
    """The page as text."""
    return fill(
        "report.html.j2",
        study=study,
        scales=scales,
        corpora=report_run.corpora_table(manifests),
        measures=report_tables.measures_table(scales[0].stats),
        hashes=report_run.hashes_table(manifests, [scale.stats for scale in scales]),
        earlier=earlier,
        audit_command=report_audit.COMMAND,
        twice=twice,
        elsewhere_command=report_elsewhere.COMMAND,
        recorded=recorded,
        origins=ORIGINS,
        confidence=level(scales[0].stats["confidence"]),
        alpha=level(alpha(scales[0].stats)),
    )
