"""The report: self-contained, well-formed, and true to the numbers of `stats.json`."""

from __future__ import annotations

import copy
import importlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_up_scale import ACTIVATIONS, MODELS, Scale, make_scale
from test_figures import CASES, draw

from actrepro import formats
from actrepro.cells import cells_of
from actrepro.errors import ActreproError
from actrepro.evidence import family, seeds_needed, significant, smallest_holm, smallest_p
from actrepro.figures import figure_caption, figure_names
from actrepro.inference import smallest_p as smallest_p_of
from actrepro.inline_svg import inline_svg
from actrepro.measures import MEASURES, PRIMARY
from actrepro.report import ORIGINS, write_report
from actrepro.report_tables import (
    contrasts_table,
    machines_table,
    protocol_table,
    results_table,
    rules_differ,
)
from actrepro.report_text import activation_against_seed, summary

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """A page's tags, ids, references and visible text; fails where tags are not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.cells: list[str] = []
        self.labels: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            assert name not in ("src", "srcset", "action", "onload", "onclick")
            self.ids += [value or ""] if name == "id" else []
            self.labels += [value or ""] if name == "aria-label" and tag == "svg" else []
            self.references += [value or ""] if name == "href" else []
            self.references += re.findall(r"url\(([^)]*)\)", value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and {"td", "th"} & set(self.open):
            self.cells[-1] += data


def write(scale: Scale, study: str = "a study", figures: bool = True) -> str:
    names = figure_names(list(scale.numbers["models"])) if figures else []
    drawn = [scale.figure(name)[0] for name in names]
    output = scale.folder / "results/report.html"
    write_report(study, [scale.stats], [scale.corpus], drawn, output)
    return output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    made = make_scale(tmp_path_factory.mktemp("report"), diverged=[("my-act", 2)])
    for name in figure_names(MODELS):
        draw(made, name)
    return made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """A scale where every run finished."""
    return make_scale(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def html(scale: Scale) -> str:
    return write(scale)


def test_nothing_is_loaded_from_outside(html: str) -> None:
    assert "http" not in html
    assert "@import" not in html
    assert "<script" not in html
    assert "<link" not in html
    assert len(html) < 3_000_000


def test_page_is_well_formed_and_its_references_stay_inside(html: str) -> None:
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert page.references
    assert {reference.removeprefix("#") for reference in page.references} <= set(page.ids)


def test_same_inputs_same_bytes(scale: Scale, html: str) -> None:
    assert write(scale) == html


def test_cells_show_the_numbers(scale: Scale, html: str) -> None:
    cells = Page(html).cells
    for model in MODELS:
        for cell in cells_of(scale.numbers, model).values():
            loss, variation = cell["metrics"]["loss.all"], cell["differences"][PRIMARY]
            assert f"{loss['value']:.4f} ± {loss['sd']:.4f}" in cells
            low, high = variation["interval"] or (None, None)
            interval = "—" if low is None else f"[{low:.4f}, {high:.4f}]"
            assert f"{variation['value']:.4f} {interval}" in cells
            assert f"{cell['differences']['churn-top1-pairs.all']['value']:.4f}" in cells
        for contrast in family(scale.numbers, model, "loss.all"):
            assert f"{contrast['p']:.3f}" in cells
    for loss in scale.numbers["evaluation"]["baselines"].values():
        assert f"{loss['loss']:.4f}" in cells
    for measure in MEASURES:
        assert {measure.id, measure.formula} <= set(cells)


def test_figures_carry_their_captions(scale: Scale, html: str) -> None:
    labels = Page(html).labels
    wanted = [figure_caption(name, scale.numbers) for name in figure_names(MODELS)]
    assert sorted(labels) == sorted(wanted)


def test_diverged_runs_are_named(html: str) -> None:
    assert "2 runs diverged" in html
    assert "charlm my-act seed 2" in html
    assert "without seed 2 (diverged)" in html


def test_hostile_names_are_escaped(scale: Scale) -> None:
    html = write(scale, "<script>alert(1)</script>&", figures=False)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in html
    assert "A &lt;Chip&gt; &amp; Co" in html
    assert "file &lt;words&gt;.txt" in html


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_missing_is_said(tmp_path: Path, case: dict[str, Any]) -> None:
    made = make_scale(tmp_path, **{"models": ("charlm",), "best_is_final": True, **case})
    html = write(made, figures=False)
    Page(html)
    assert "nan" not in re.findall(r"\bnan\b", html)
    assert "None" not in html
    assert "no difference" not in html.lower()


def test_two_scales_share_a_page(scale: Scale, tmp_path: Path) -> None:
    other = make_scale(tmp_path, seeds=(1, 2), models=("charlm",), best_is_final=True)
    text = other.stats.read_text().replace('"scale": "tiny"', '"scale": "small"')
    other.stats.write_text(text)
    svg = tmp_path / "results/small/figures/heatmap.svg"
    svg.parent.mkdir(parents=True)
    svg.write_bytes(scale.figure("heatmap")[0].read_bytes())
    output = tmp_path / "report.html"
    figures = [scale.figure("heatmap")[0], svg]
    write_report("s", [scale.stats, other.stats], [scale.corpus] * 2, figures, output)
    page = Page(output.read_text())
    assert len(page.ids) == len(set(page.ids))
    assert {"figure-tiny-heatmap", "figure-small-heatmap"} <= set(page.ids)
    assert page.cells.count("words") == 1 + 2  # the corpus once, and in each scale's protocol


def test_best_checkpoints_are_shown_only_where_they_differ(whole: Scale) -> None:
    assert rules_differ(whole.numbers, "charlm") == 6
    assert "not the final one in 6 of 6 runs" in write(whole, figures=False)
    numbers = copy.deepcopy(whole.numbers)
    for run in numbers["models"]["charlm"]["runs"]:
        run["best_step"] = run["final_step"]
    assert rules_differ(numbers, "charlm") == 0


def test_settings_of_single_models_are_named(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    numbers["models"]["my_model"]["protocol"]["learning_rate"] = 0.5
    rows = {row.cells[0]: row.cells[1] for row in protocol_table(numbers).rows}
    assert rows["learning rate"] == "0.01 (my_model: 0.5)"
    assert rows["steps"] == "12"


def test_machines_are_counted(scale: Scale) -> None:
    rows = [list(row.cells) for row in machines_table(scale.numbers).rows]
    assert ["machine", "A <Chip> & Co, 2 cores, Linux x86_64", "12"] in rows
    assert ["source", "commit c0ffeec0ffee, with uncommitted changes", "12"] in rows


def test_tables_name_where_they_come_from(scale: Scale) -> None:
    source = results_table(scale.numbers, "charlm", "final").source
    path, _, key = source.partition(": ")
    assert path == "results/tiny/stats.json"
    found: Any = scale.numbers
    for part in key.split("."):
        found = found[part]
    assert list(found) == list(ACTIVATIONS)


@pytest.mark.parametrize("function", sorted({function for _, function in ORIGINS}))
def test_functions_that_the_report_names_exist(function: str) -> None:
    module, _, name = function.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_too_few_seeds_for_any_test_is_said(whole: Scale) -> None:
    numbers = whole.numbers
    said = summary(numbers)
    assert smallest_p(numbers) == smallest_holm(numbers) == smallest_p_of(3) == 0.25
    assert "No test with 3 seeds can reach significance at the 5% level" in said.warning
    assert "at least 6 seeds" in said.warning
    assert "ten are recommended" in said.warning
    assert "none of 2 contrasts has p < 0.05" in dict(said.points)["Do activations differ?"]


@pytest.mark.parametrize("tests", [1, 2, 15, 190])
def test_seeds_needed_is_the_fewest(tests: int) -> None:
    n = seeds_needed(tests, 0.05)
    assert tests * smallest_p_of(n) < 0.05 <= tests * smallest_p_of(n - 1)


def with_contrasts(scale: Scale, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    numbers = copy.deepcopy(scale.numbers)
    for model in MODELS:
        for contrast in family(numbers, model, PRIMARY):
            change(contrast)
    return numbers


def test_a_significant_contrast_is_told_and_shaded(whole: Scale) -> None:
    def small(contrast: dict[str, Any]) -> None:
        contrast.update(value=-0.01, interval=[-0.02, -0.005], p=0.002, p_smallest=0.002)
        contrast.update(p_holm=0.002)

    numbers = with_contrasts(whole, small)
    numbers["seeds"] = list(range(10))
    assert all(significant(numbers, contrast) for contrast in family(numbers, "charlm", PRIMARY))
    said = summary(numbers)
    assert said.warning == ""
    told = dict(said.points)["Do activations differ?"]
    assert "2 of 2 contrasts have p < 0.05" in told
    assert "charlm relu − my-act −0.0100 [−0.0200, −0.0050], p 0.002" in told
    table = contrasts_table(numbers, "charlm", PRIMARY, "TV")
    assert [row.marked for row in table.rows] == [True]


def test_correction_beyond_reach_is_said(whole: Scale) -> None:
    def halved(contrast: dict[str, Any]) -> None:
        contrast["p_smallest"] = 0.04

    numbers = with_contrasts(whole, halved)
    for model in numbers["models"].values():
        contrasts = model["rules"]["final"]["contrasts"]
        contrasts += [dict(one) for one in contrasts if one["metric"] == PRIMARY]
    assert "after correction, whatever the data" in summary(numbers).warning


def test_activation_is_set_against_seed(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    sizes = {"charlm": (0.1, 0.2), "my_model": (0.3, 0.2)}
    for model, (activation, seed) in sizes.items():
        numbers["models"][model]["rules"]["final"]["kinds_of_pairs"][PRIMARY] = {
            "other_activation_same_seed": activation,
            "same_activation_other_seed": seed,
            "other_activation_other_seed": 0.4,
        }
    said = activation_against_seed(numbers)
    assert "variation of 0.100 to 0.300" in said
    assert "changes them by 0.200" in said
    assert "less than the seed in 1 of 2 models" in said


def test_what_is_no_svg_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_text("<svg")
    with pytest.raises(ActreproError, match="not a readable SVG"):
        inline_svg(path, "a-", "")


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (formats.number(-0.00001), "0.0000"),
        (formats.signed(-0.00001), "+0.0000"),
        (formats.signed(-1.5, 1), "−1.5"),
        (formats.interval(None), "—"),
        (formats.level(0.975), "97.5%"),
        (formats.p_value(0.0004), "< 0.001"),
        (formats.p_value(None), "—"),
        (formats.duration(4.26), "4.3 s"),
        (formats.duration(59.7), "1 min 0 s"),
        (formats.duration(9660), "2 h 41 min"),
        (formats.mebibytes(3 * 2**20), "3 MiB"),
        (formats.counts_spread([2000, 1000]), "1,000 to 2,000"),
        (formats.spread([0.5, 0.5], 1), "0.5"),
        (formats.listed(["a"]), "a"),
    ],
)
def test_formats(made: str, wanted: str) -> None:
    assert made == wanted
