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

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from actrepro import paths, report_tables
from actrepro.cells import Stats
from actrepro.figures import figure_caption
from actrepro.files import read_json, write_text
from actrepro.formats import counted, level
from actrepro.inference import MOST_EXACT_SEEDS
from actrepro.inline_svg import inline_svg
from actrepro.measures import PRIMARY
from actrepro.report_tables import Table
from actrepro.report_text import LOSS, Summary, summary

TEMPLATES = Path(__file__).parent / "templates"

# What writes which file: where a number of the report can be followed to.
ORIGINS = (
    (paths.CORPUS, "actrepro.corpus.make_corpus"),
    (paths.EVALUATION, "actrepro.evaluation.make_evaluation"),
    (paths.CHECKPOINT, "actrepro.training.train_run"),
    (paths.HISTORY, "actrepro.training.train_run"),
    (paths.RUN_RECORD, "actrepro.training.train_run"),
    (paths.PREDICTIONS, "actrepro.prediction.predict_cell"),
    (paths.CELL_DIFFERENCES, "actrepro.differences.cell_differences"),
    (paths.MODEL_DIFFERENCES, "actrepro.differences.model_differences"),
    (paths.MODEL_STATS, "actrepro.statistics.model_statistics"),
    (paths.SCALE_STATS, "actrepro.statistics.scale_statistics"),
    (paths.RUNS_TABLE, "actrepro.tables.scale_tables"),
    (paths.PAIRS_TABLE, "actrepro.tables.scale_tables"),
    (paths.FIGURE_SVG, "actrepro.figures.draw_figure"),
    (paths.REPORT, "actrepro.report.write_report"),
)


@dataclass(frozen=True)
class Figure:
    """A figure in the page."""

    id: str
    caption: str
    svg: Markup


@dataclass(frozen=True)
class Model:
    """A model's tables; `best` only where the best checkpoint is not the final one."""

    name: str
    results: Table
    best: Table | None
    runs_best_before: str
    contrasts: Sequence[Table]


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
        return report_tables.models_table(self.stats)

    @cached_property
    def circumstances(self) -> list[Table]:
        """Protocol, n-gram tables, machines."""
        return [
            report_tables.protocol_table(self.stats),
            report_tables.baselines_table(self.stats),
            report_tables.machines_table(self.stats),
        ]

    @cached_property
    def models(self) -> list[Model]:
        """Each model's results and contrasts."""
        return [_model(self.stats, name) for name in self.stats["models"]]

    @cached_property
    def figures(self) -> list[Figure]:
        """The figures: first those of the primary measure, last those of single models."""
        first = ("heatmap", "differences", "tradeoff", "loss")
        rank = {name: place for place, name in enumerate(first)}
        ordered = sorted(self.figure_paths, key=lambda path: rank.get(path.stem, len(rank)))
        return [_figure(self.stats, path) for path in ordered]


def _model(stats: Stats, name: str) -> Model:
    before = report_tables.rules_differ(stats, name)
    runs = counted(len(stats["models"][name]["runs"]), "run")
    return Model(
        name=name,
        results=report_tables.results_table(stats, name, "final"),
        best=report_tables.results_table(stats, name, "best") if before else None,
        runs_best_before=f"{before} of {runs}",
        contrasts=[
            report_tables.contrasts_table(stats, name, PRIMARY, "Total variation between seeds"),
            report_tables.contrasts_table(stats, name, LOSS, "Test loss"),
        ],
    )


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

    Raises
    ------
    ActreproError
        When a file is missing or damaged.
    """
    scales = [_scale(read_json(path), figures) for path in stats]
    manifests = [read_json(path) for path in corpora]
    write_text(output, render(study, scales, manifests))


def _scale(stats: Stats, figures: Sequence[Path]) -> Scale:
    own = [path for path in figures if path.parent.parent.name == stats["scale"]]
    return Scale(stats, own)


def render(study: str, scales: Sequence[Scale], manifests: Sequence[Mapping[str, Any]]) -> str:
    """The page as text."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        study=study,
        scales=scales,
        corpora=report_tables.corpora_table(manifests),
        measures=report_tables.measures_table(scales[0].stats),
        hashes=report_tables.hashes_table(manifests, [scale.stats for scale in scales]),
        origins=ORIGINS,
        confidence=level(scales[0].stats["confidence"]),
        most_exact_seeds=MOST_EXACT_SEEDS,
    )
