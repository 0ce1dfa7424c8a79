"""The report: one self-contained HTML file of what a study ran and found.

Everything is computed before: the report reads `stats.json`, breakdowns, corpus manifests and
figures, and turns them into words, tables and pictures. `templates/` has only markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from markupsafe import Markup

from actrepro.core import paths
from actrepro.core.files import write_text
from actrepro.core.formats import counted, counts_spread, level
from actrepro.core.model_cards import Card, ModelCards, counted_models
from actrepro.core.shapes import read_as
from actrepro.data.shapes import CorpusManifest
from actrepro.figures.catalogue import figure_group, figure_kind, figure_names, figure_title
from actrepro.figures.draw import figure_caption
from actrepro.measures.shapes import Breakdown
from actrepro.predict.store import FINAL, MATCHED, RULES, Rule
from actrepro.replication.archive import Records, read_records
from actrepro.replication.shapes import Elsewhere
from actrepro.report.kit.inline_svg import inline_svg
from actrepro.report.kit.markup import fill
from actrepro.report.kit.origins import ORIGINS
from actrepro.report.kit.tables import Table
from actrepro.report.sections import (
    all_cells,
    answer,
    breakdown,
    cells_by_model,
    costs,
    diagrams,
    earlier,
    other_tests,
    power,
    replication,
    run,
)
from actrepro.report.sections import gates as report_gates
from actrepro.report.sections import recorded as report_recorded
from actrepro.report.sections.contrasts import contrasts_tables, verdicts_table
from actrepro.report.sections.first_screen import Summary, summary
from actrepro.report.shapes import SectionFile
from actrepro.results.cells import Stats, cells_of, sound
from actrepro.results.contrasts import alpha
from actrepro.results.schema import read_stats
from actrepro.statistics.shapes import Costs

# Bytes of figures that a page includes; of a large study's further figures it has only the paths.
MOST_DRAWN = 8_000_000


@dataclass(frozen=True)
class Figure:
    """A figure of the page and its source file; large studies leave some pictures out."""

    id: str
    name: str
    title: str
    caption: str
    svg: Markup | None
    source: str
    function: str = "actrepro.figures.draw.draw_figure"


@dataclass(frozen=True)
class Diagram:
    """A diagram of a model, with the model's name and its size in words."""

    name: str
    svg: Markup
    size: str = ""


@dataclass(frozen=True)
class Disagreement:
    """The places where a model's seeds disagree: a page of text, and tables."""

    id: str
    model: str
    page: breakdown.Page | None
    tables: Sequence[Table]


@dataclass(frozen=True)
class Gates:
    """A scale's gates in two sentences and tables; `failed` is None if no gate failed."""

    line: str
    other_rules: str
    failed: Table | None
    asked: Table


@dataclass(frozen=True)
class Model:
    """A model's tables; `others` are its results under checkpoint rules that differ.

    Each of these has its summary line.
    """

    id: str
    name: str
    sentence: str
    bars: Sequence[answer.Bar]
    results: Table
    others: Sequence[tuple[str, Table]]
    across: Table
    gates: Table
    contrasts: Sequence[Table]
    tests: Sequence[Table]


@dataclass(frozen=True)
class Scale:
    """Content of the page for one scale; `figure_paths` tells which pictures the page includes."""

    stats: Stats
    figure_paths: Mapping[Path, bool]
    breakdowns: Mapping[str, Breakdown] = field(default_factory=dict)
    cards: Mapping[str, Card] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The scale's name."""
        return str(self.stats["scale"])

    @property
    def file(self) -> str:
        """The file that the scale's numbers are read from."""
        return paths.at(paths.SCALE_STATS, scale=self.name)

    @cached_property
    def headline(self) -> str:
        """The answer in a sentence or two."""
        return answer.headline(self.stats)

    @cached_property
    def answers(self) -> Table:
        """Table of verdicts by model."""
        return answer.answer_table(self.stats)

    @cached_property
    def summary(self) -> Summary:
        """Content of the first screen."""
        return summary(self.stats)

    @cached_property
    def models_run(self) -> Table:
        """Table of parameters, time and speed by model."""
        return run.models_table(self.stats)

    @cached_property
    def lost_runs(self) -> Table | None:
        """Table of the runs that diverged or failed; None if every run finished."""
        return run.lost_table(self.stats)

    @cached_property
    def circumstances(self) -> list[Table]:
        """Tables of protocol, n-gram tables and machines."""
        return [
            run.protocol_table(self.stats),
            run.baselines_table(self.stats),
            run.machines_table(self.stats),
        ]

    @cached_property
    def gates(self) -> Gates:
        """Gates of the scale: sentences, failed gates with their measurements, and definitions."""
        failed = report_gates.failed_table(self.stats)
        return Gates(
            line=report_gates.gates_line(self.stats),
            other_rules=report_gates.other_rules_line(self.stats),
            failed=failed if failed.rows else None,
            asked=report_gates.asked_table(self.stats),
        )

    @cached_property
    def decompositions(self) -> list[tuple[str, Table]]:
        """Tables of the sources of the scores' spread, for each checkpoint rule that differs."""
        rules: list[Rule] = [
            FINAL,
            *(rule for rule in RULES if rule != FINAL and self._differs(rule)),
        ]
        tables = ((rule, other_tests.decomposition_table(self.stats, rule)) for rule in rules)
        return [(cells_by_model.RULE_NAMES[rule], table) for rule, table in tables if table]

    def _differs(self, rule: Rule) -> bool:
        return any(
            cells_by_model.rules_differ(self.stats, model, rule) for model in self.stats["models"]
        )

    @cached_property
    def verdicts(self) -> Table | None:
        """Table of the numbers of verdicts; None with a single activation."""
        return verdicts_table(self.stats) if len(self.stats["activations"]) > 1 else None

    @cached_property
    def models(self) -> list[Model]:
        """Results and contrasts of each model."""
        return [_model(self.stats, name) for name in self.stats["models"]]

    @cached_property
    def reproducibility(self) -> Table:
        """Table of every cell's differences between seeds."""
        return all_cells.reproducibility_table(self.stats)

    @cached_property
    def learning(self) -> Table:
        """Table of every cell's loss, accuracy, gap, best checkpoint and calibration."""
        return all_cells.learning_table(self.stats)

    @cached_property
    def tradeoff(self) -> Table:
        """Table of the sound cells by loss, with the Pareto front."""
        return all_cells.tradeoff_table(self.stats)

    @cached_property
    def ensembles(self) -> Table | None:
        """Table of the gain from averaging seeds; None without breakdowns."""
        return breakdown.ensembles_table(self.stats, self.breakdowns)

    @cached_property
    def contrasts(self) -> Table:
        """Table of every contrast."""
        return power.all_contrasts_table(self.stats)

    @cached_property
    def power(self) -> Table | None:
        """Table of the seeds that would settle undecided contrasts."""
        return power.power_table(self.stats)

    @cached_property
    def disagreement(self) -> list[Disagreement]:
        """The places where seeds disagree, by model."""
        return [self._disagreement(model, of_model) for model, of_model in self.breakdowns.items()]

    def _unsound(self, model: str) -> list[str]:
        """Return the activations whose cells failed a gate."""
        return [name for name, cell in cells_of(self.stats, model).items() if not sound(cell)]

    def _disagreement(self, model: str, of_model: Breakdown) -> Disagreement:
        unsound = self._unsound(model)
        return Disagreement(
            f"disagreement-{self.name}-{model}",
            model,
            breakdown.page(of_model, f"page-{self.name}-{model}", unsound),
            breakdown.tables(of_model, unsound),
        )

    @cached_property
    def reliability(self) -> list[Table]:
        """Tables of accuracy by confidence, a table per model."""
        tables = (
            breakdown.reliability_table(of_model, self._unsound(model))
            for model, of_model in self.breakdowns.items()
        )
        return [table for table in tables if table is not None]

    @cached_property
    def diagrams(self) -> list[Diagram]:
        """Diagrams of the models that the study ran."""
        return [
            Diagram(
                name,
                diagrams.diagram(name, outline),
                f"{counts_spread(card['parameters'].values())} parameters",
            )
            for name, card in counted_models(self.cards).items()
            if name in self.stats["models"] and (outline := card.get("outline"))
        ]

    def pictures(self, group: str) -> list[Figure]:
        """Return the figures of a place in the page, in their order."""
        return [figure for figure in self._figures if figure_group(figure.name) == group]

    def pictures_of(self, model: str) -> list[Figure]:
        """Return the figures of one model."""
        return [figure for figure in self.pictures("model") if figure_kind(figure.name)[1] == model]

    @cached_property
    def _figures(self) -> list[Figure]:
        names = figure_names(list(self.stats["models"]), list(self.stats["activations"]))
        rank = {name: place for place, name in enumerate(names)}
        ordered = sorted(self.figure_paths, key=lambda path: rank[path.stem])
        return [_figure(self.stats, path, self.figure_paths[path]) for path in ordered]


def _model(stats: Stats, name: str) -> Model:
    tests = [
        other_tests.omnibus_table(stats, name),
        *(other_tests.pairs_table(stats, name, score) for score in other_tests.SCORES),
    ]
    return Model(
        id=f"model-{stats['scale']}-{name}",
        name=name,
        sentence=answer.model_sentence(stats, name),
        bars=answer.model_bars(stats, name),
        results=cells_by_model.results_table(stats, name, FINAL),
        others=[
            (_where_it_differs(stats, name, rule), cells_by_model.results_table(stats, name, rule))
            for rule in RULES
            if rule != FINAL and cells_by_model.rules_differ(stats, name, rule)
        ],
        across=cells_by_model.across_table(stats, name),
        gates=report_gates.gates_table(stats, name),
        contrasts=contrasts_tables(stats, name),
        tests=[table for table in tests if table is not None],
    )


def _where_it_differs(stats: Stats, model: str, rule: Rule) -> str:
    runs = counted(len(stats["models"][model]["runs"]), "run")
    which = "at matched loss" if rule == MATCHED else "at its best checkpoint"
    differing = cells_by_model.rules_differ(stats, model, rule)
    return f"{model} {which}: not the final one in {differing} of {runs}"


def _figure(stats: Stats, path: Path, drawn: bool) -> Figure:
    name, scale = path.stem, stats["scale"]
    caption = figure_caption(name, stats)
    return Figure(
        id=f"figure-{scale}-{name}",
        name=name,
        title=figure_title(name),
        caption=caption,
        svg=inline_svg(path, f"{scale}-{name}-", caption) if drawn else None,
        source=paths.at(paths.FIGURE_SVG, scale=scale, figure=name),
    )


@dataclass(frozen=True)
class Inputs:
    """Files that a report is made from.

    Attributes
    ----------
    stats
        `stats.json` of each scale.
    corpora
        The corpus manifest of each scale, in the same order; the same one may recur.
    figures
        SVG files of all scales, `…/{scale}/figures/{name}.svg`.
    breakdowns
        `breakdown.json` of models, of any of the scales.
    models
        `models.json`, for diagrams; None leaves them out.
    costs
        `costs.json` of each scale, in the same order as `stats`; none leaves costs out.
    benchmarks
        The folder where Snakemake keeps the times of jobs; None leaves them out.
    earlier
        `section.json` on an earlier study, where `snakemake audit` has left one.
    root
        The folder that the names of its files start from.
    elsewhere
        `elsewhere.json` of scales, for a section on the same runs made elsewhere.
    records
        Folders of records, for a section on recorded results.
    """

    stats: Sequence[Path]
    corpora: Sequence[Path]
    figures: Sequence[Path] = ()
    breakdowns: Sequence[Path] = ()
    models: Path | None = None
    costs: Sequence[Path] = ()
    benchmarks: Path | None = None
    earlier: Path | None = None
    root: Path = Path()
    elsewhere: Sequence[Path] = ()
    records: Sequence[Path] = ()


def write_report(page: Mapping[str, Any], output: Path) -> None:
    """Write the report as HTML; `page` is the result of `contents`. Same inputs, same bytes."""
    write_text(output, fill("report.html.j2", **page))


def contents(study: str, inputs: Inputs) -> dict[str, Any]:
    """Return the content of a study's report, by the names that its templates use.

    Parameters
    ----------
    study
        The study's name, for the title.

    Raises
    ------
    ActreproError
        When a file is missing or damaged.
    """
    models = None if inputs.models is None else read_as(ModelCards, inputs.models)
    scales = _scales(inputs, models)
    stats = [scale.stats for scale in scales]
    of_scales = [read_as(Costs, path) for path in inputs.costs]
    manifests = [read_as(CorpusManifest, path) for path in inputs.corpora]
    recorded = read_records(inputs.records)
    elsewhere = (read_as(Elsewhere, path) for path in inputs.elsewhere)
    comparisons = {of_scale["scale"]: of_scale for of_scale in elsewhere}
    return {
        "study": study,
        "scales": scales,
        "models_file": paths.MODELS,
        "corpora": run.corpora_table(manifests),
        "measures": cells_by_model.measures_table(stats[0]),
        "hashes": run.hashes_table(manifests, stats),
        "earlier": _earlier(inputs, recorded),
        "twice": [
            replication.section(of_scale, comparisons[of_scale["scale"]])
            for of_scale in stats
            if of_scale["scale"] in comparisons
        ],
        "elsewhere_command": replication.COMMAND,
        "recorded": report_recorded.section(recorded, stats),
        "costs": costs.section(stats, of_scales, inputs.benchmarks) if of_scales else None,
        "origins": ORIGINS,
        "confidence": level(stats[0]["confidence"]),
        "alpha": level(alpha(stats[0])),
    }


def _scales(inputs: Inputs, models: ModelCards | None) -> list[Scale]:
    broken_down: dict[str, dict[str, Breakdown]] = {}
    for of_model in (read_as(Breakdown, path) for path in inputs.breakdowns):
        broken_down.setdefault(of_model["scale"], {})[of_model["model"]] = of_model
    drawn = _drawn(inputs.figures)
    return [
        Scale(
            stats,
            {path: on for path, on in drawn.items() if path.parent.parent.name == stats["scale"]},
            broken_down.get(stats["scale"], {}),
            {} if models is None else models["scales"].get(stats["scale"], {}),
        )
        for stats in map(read_stats, inputs.stats)
    ]


def _drawn(figures: Sequence[Path]) -> dict[Path, bool]:
    """Return the figures and whether the page includes each; figures of whole scales come first."""
    drawn, size = {}, 0
    for path in sorted(figures, key=lambda path: bool(figure_kind(path.stem)[1])):
        size += path.stat().st_size if path.exists() else 0
        drawn[path] = size <= MOST_DRAWN
    return drawn


def _earlier(inputs: Inputs, recorded: Records) -> earlier.Section | None:
    if inputs.earlier is None:
        return None
    return earlier.section(read_as(SectionFile, inputs.earlier), inputs.root, recorded)
