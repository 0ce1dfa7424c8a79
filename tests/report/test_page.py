"""The report is self-contained and well-formed, and shows the numbers of `stats.json`."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pages import Page
from synthetic import WHY
from synthetic_figures import draw
from synthetic_scale import (
    ACTIVATIONS,
    CASES,
    MODELS,
    Scale,
    changed,
    ignorant,
    make_scale,
    renewed,
    unusable,
)

from actrepro.core import formats
from actrepro.core.errors import ActreproError
from actrepro.core.vocabulary import DIVERGED, FAILED, FINISHED
from actrepro.figures.catalogue import figure_names
from actrepro.figures.draw import figure_caption
from actrepro.gates.outcome import GATES
from actrepro.measures import PRIMARY, measure_descriptions
from actrepro.report.kit.inline_svg import inline_svg
from actrepro.report.kit.tables import Entry, Table
from actrepro.report.page import Inputs, contents, write_report
from actrepro.report.sections.cells_by_model import (
    across_table,
    measures_table,
    results_table,
    rules_differ,
)
from actrepro.report.sections.contrasts import contrasts_table, verdicts_table
from actrepro.report.sections.first_screen import (
    activation_against_seed,
    between_seeds,
    learning,
    summary,
    trained,
)
from actrepro.report.sections.gates import (
    failed_table,
    gates_line,
    gates_table,
    other_rules_line,
    words,
)
from actrepro.report.sections.other_tests import decomposition_table, omnibus_table, pairs_table
from actrepro.report.sections.run import lost_table, machines_table, models_table, protocol_table
from actrepro.report.sections.verdicts import counts_line, omnibus_line, settling, warning
from actrepro.results.cells import cells_of
from actrepro.results.contrasts import (
    ACCURACY,
    CHURN,
    COMPARED,
    LOSS,
    family,
    loss_gap,
)
from actrepro.statistics.inference import smallest_p


def write(scale: Scale, study: str = "a study", figures: bool = True) -> str:
    names = figure_names(MODELS, ACTIVATIONS) if figures else []
    drawn = [scale.figure(name)[0] for name in names]
    output = scale.folder / "results/report.html"
    write_report(contents(study, Inputs([scale.stats], [scale.corpus], drawn)), output)
    return output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    made = make_scale(tmp_path_factory.mktemp("report"), diverged=[("my-act", 2)])
    for name in figure_names(MODELS, ACTIVATIONS):
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
        for contrast in family(scale.numbers, model, LOSS):
            smallest = f"≥ {contrast['p_smallest']:.3f}"
            assert f"{contrast['p']:.3f}{smallest}" in cells
    for loss in scale.numbers["evaluation"]["baselines"].values():
        assert f"{loss['loss']:.4f}" in cells
    for id_, measure in measure_descriptions().items():
        assert {id_, measure["formula"], measure["source"]} <= set(cells)


def test_figures_carry_their_captions(scale: Scale, html: str) -> None:
    labels = Page(html).labels
    wanted = [figure_caption(name, scale.numbers) for name in figure_names(MODELS, ACTIVATIONS)]
    assert sorted(labels) == sorted(wanted)


def test_diverged_runs_are_named(html: str) -> None:
    assert "2 runs diverged; they are excluded from every statistic and never replaced: " in html
    assert f"charlm my-act seed 2 ({WHY[DIVERGED]})" in html
    assert "without seed 2 (diverged)" in html


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """A scale with a diverged run, a failed run, and a run that failed before its history began."""
    made = make_scale(
        tmp_path_factory.mktemp("lost"),
        models=("charlm",),
        diverged=[("relu", 1)],
        out_of_memory=[("my-act", 2), ("my-act", 3)],
    )

    def at_once(numbers: dict[str, Any]) -> None:
        numbers["models"]["charlm"]["runs"][-1].update(
            last_history=None, why="out of memory at step 0"
        )

    return changed(made, at_once)


def test_a_failed_run_is_distinguished_from_a_diverged_one(lost: Scale) -> None:
    text = (
        "1 run diverged and 2 failed; they are excluded from every statistic and never replaced: "
        f"charlm relu seed 1 ({WHY[DIVERGED]}), charlm my-act seed 2 ({WHY[FAILED]}) and "
        f"charlm my-act seed 3 (out of memory at step 0)."
    )
    assert trained(lost.numbers).endswith(text)
    html = write(lost, figures=False)
    assert text in html
    assert "without seed 1 (diverged)" in html
    assert "without seed 2, 3 (failed)" in html


def test_one_lost_run_is_reported_in_the_singular(tmp_path: Path) -> None:
    one = make_scale(tmp_path, models=("charlm",), out_of_memory=[("relu", 1)])
    text = (
        "1 run failed; it is excluded from every statistic and never replaced: charlm relu seed 1"
    )
    assert trained(one.numbers).endswith(f" {text} ({WHY[FAILED]}).")


def test_runs_are_counted_by_how_they_ended(lost: Scale) -> None:
    made = models_table(lost.numbers)
    place = made.columns.index(FINISHED)
    assert list(made.columns[place : place + 3]) == [FINISHED, DIVERGED, FAILED]
    assert [row.cells[place : place + 3] for row in made.rows] == [["3", "1", "2"]]


def test_steps_and_speeds_are_of_finished_runs(lost: Scale) -> None:
    assert "(step 12)" in results_table(lost.numbers, "charlm", "final").caption
    assert rules_differ(lost.numbers, "charlm", "best") == 3
    numbers = copy.deepcopy(lost.numbers)
    for run in numbers["models"]["charlm"]["runs"]:
        run["characters_per_second"] = 1000 if run["status"] == FINISHED else 0
    made = models_table(numbers)
    speed = made.columns.index("characters per second")
    assert [row.cells[speed] for row in made.rows] == ["1,000"]


def test_lost_runs_are_listed_with_the_end_of_their_histories(lost: Scale, whole: Scale) -> None:
    made = lost_table(lost.numbers)
    assert made is not None
    assert [list(row.cells) for row in made.rows] == [
        ["charlm", "relu", "1", DIVERGED, WHY[DIVERGED], "12", "—", "—"],
        ["charlm", "my-act", "2", FAILED, WHY[FAILED], "6", "2.6000", "2.7000"],
        ["charlm", "my-act", "3", FAILED, "out of memory at step 0", "—", "—", "—"],
    ]
    assert "Lost runs" in write(lost, figures=False)
    assert lost_table(whole.numbers) is None
    assert "Lost runs" not in write(whole, figures=False)
    assert trained(whole.numbers).endswith("Every run finished.")


def test_no_number_has_a_failed_run(lost: Scale) -> None:
    for rule in lost.numbers["models"]["charlm"]["rules"].values():
        cell = rule["cells"]["my-act"]
        assert cell["n"] == 1
        assert cell["excluded"] == [{"seed": seed, "why": FAILED} for seed in (2, 3)]
        assert {tuple(one["by_seed"]) for one in cell["metrics"].values()} == {("1",)}
        assert set(cell["differences"].values()) == {None}
        assert {tuple(one["seeds"]) for one in rule["contrasts"]} == {()}


def test_hostile_names_are_escaped(scale: Scale) -> None:
    html = write(scale, "<script>alert(1)</script>&", figures=False)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in html
    assert "A &lt;Chip&gt; &amp; Co" in html
    assert "file &lt;words&gt;.txt" in html


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_missing_is_stated(tmp_path: Path, case: dict[str, Any]) -> None:
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
    inputs = Inputs([scale.stats, other.stats], [scale.corpus] * 2, figures)
    write_report(contents("s", inputs), output)
    page = Page(output.read_text())
    assert len(page.ids) == len(set(page.ids))
    assert {"figure-tiny-heatmap", "figure-small-heatmap"} <= set(page.ids)
    assert page.cells.count("words") == 1 + 2  # the corpus once, and in each scale's protocol


def test_other_checkpoints_are_shown_only_where_they_differ(whole: Scale, tmp_path: Path) -> None:
    html = write(whole, figures=False)
    for rule, called in (("best", "at its best checkpoint"), ("matched", "at matched loss")):
        assert rules_differ(whole.numbers, "charlm", rule) == 6
        assert f"{called}: not the final one in 6 of 6 runs" in html

    def final(numbers: dict[str, Any]) -> None:
        for model in numbers["models"].values():
            for run in model["runs"]:
                run["best_step"] = run["matched_step"] = run["final_step"]

    same = changed(whole, final, tmp_path)
    assert rules_differ(same.numbers, "charlm", "best") == 0
    html = write(same, figures=False)
    assert "not the final one" not in html
    assert "Best checkpoint" not in html


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


def test_too_few_seeds_for_any_test_is_stated(whole: Scale) -> None:
    numbers = whole.numbers
    text = warning(numbers)
    assert text == summary(numbers).warning
    assert text.startswith("Smoke study: 3 seeds. At least 10 are needed for claims.")
    assert numbers["reach"]["p"] == numbers["reach"]["p_holm"] == smallest_p(3) == 0.25
    assert "No contrast of two activations with 3 seeds can reach significance" in text
    assert "at least 6 seeds" in text


def with_contrasts(
    scale: Scale, change: Callable[[dict[str, Any]], None], rule: str = "final"
) -> dict[str, Any]:
    numbers = copy.deepcopy(scale.numbers)
    for model in MODELS:
        for contrast in family(numbers, model, PRIMARY, rule):
            change(contrast)
    return renewed(numbers)


def small(contrast: dict[str, Any]) -> None:
    contrast.update(value=-0.02, interval=[-0.03, -0.015], p=0.002, p_smallest=0.002)
    contrast.update(p_holm=0.002, p_equivalent_holm=1.0, verdict="different", significant=True)
    contrast.update(seeds_to_settle=None, detectable=None)


def test_a_contrast_that_differs_is_reported(whole: Scale) -> None:
    numbers = with_contrasts(whole, small)
    numbers.update(seeds=list(range(10)), smoke=False)
    text = summary(numbers)
    assert text.warning == ""
    told = dict(text.points)["Do activations differ?"]
    assert "at the fixed step: of 2 contrasts 2 different, 0 equivalent (within ±0.01)" in told
    assert "at matched loss: of 2 contrasts 0 different" in told
    assert (
        "charlm relu − my-act in total variation between seeds −0.0200 [−0.0300, −0.0150], "
        "p 0.002" in told
    )
    [row] = contrasts_table(numbers, "charlm", COMPARED[0]).rows
    assert row.cells[6] == Entry("different", kind="different")


def test_a_contrast_can_be_equivalent_and_not_zero(whole: Scale) -> None:
    def close(contrast: dict[str, Any]) -> None:
        small(contrast)
        contrast.update(value=-0.002, verdict="equivalent", p_equivalent_holm=0.001)

    [row] = contrasts_table(with_contrasts(whole, close), "charlm", COMPARED[0]).rows
    assert row.cells[6] == Entry("equivalent", "though not zero, p < 0.05", kind="equivalent")


def test_correction_beyond_reach_is_stated(whole: Scale) -> None:
    def halved(contrast: dict[str, Any]) -> None:
        contrast["p_smallest"] = 0.04

    numbers = with_contrasts(whole, halved)
    for model in numbers["models"].values():
        contrasts = model["rules"]["final"]["contrasts"]
        contrasts += [dict(one) for one in contrasts if one["metric"] == PRIMARY]
    assert "after correction, whatever the data" in warning(renewed(numbers))


def test_what_would_settle_it_is_reported(whole: Scale) -> None:
    seeds = iter([(4, None, 4), (None, 90, 90)])

    def planned(contrast: dict[str, Any]) -> None:
        different, equivalent, either = next(seeds)
        found = {"different": different, "equivalent": equivalent, "either": either}
        contrast.update(verdict="inconclusive", seeds_to_settle=found, detectable=0.03)

    numbers = with_contrasts(whole, planned)
    text = settling(numbers)
    assert (
        "at the fixed step, of 2 inconclusive contrasts 2 would be settled by 4 to 90 seeds" in text
    )
    assert "(median 90)" in text
    assert "could have shown differences of 0.0300, depending on" in text
    [row] = contrasts_table(numbers, "charlm", COMPARED[0]).rows
    hint = (
        "to show a difference: 4 seeds; to show equivalence: —; "
        "the present seeds find a difference of 0.0300 with 80% power"
    )
    assert row.cells[6] == Entry("inconclusive", "4 seeds", hint, "inconclusive")

    def never(contrast: dict[str, Any]) -> None:
        found = dict.fromkeys(("different", "equivalent", "either"))
        contrast.update(verdict="inconclusive", seeds_to_settle=found, detectable=None)

    numbers = with_contrasts(whole, never)
    assert "2 not by 1,000" in settling(numbers)
    assert "could not have shown any difference between two activations, however large" in settling(
        numbers
    )
    [row] = contrasts_table(numbers, "charlm", COMPARED[0]).rows
    assert isinstance(row.cells[6], Entry)
    assert row.cells[6].below == "> 1,000 seeds"


@pytest.mark.parametrize("compared", COMPARED, ids=lambda compared: compared.metric)
def test_contrasts_show_the_numbers_under_both_rules(unsound: Scale, compared: Any) -> None:
    numbers = unsound.numbers
    for model in MODELS:
        made = contrasts_table(numbers, model, compared)
        rules = [heading for heading, _ in made.groups[1:]]
        assert rules[0] == "At the fixed step (final checkpoint)"
        twice = compared.metric in (PRIMARY, CHURN)
        assert rules[1:] == (["At matched loss (2.500 nats on the selection text)"] * twice)
        width = made.groups[1][1]
        assert len(made.columns) == 1 + width * len(rules)
        for half, rule in enumerate(compared.rules):
            contrasts = family(numbers, model, compared.metric, rule)
            for row, contrast in zip(made.rows, contrasts, strict=True):
                cells = row.cells[1 + half * width :][:width]
                assert row.cells[0] == f"{contrast['a']} − {contrast['b']}"
                assert_contrast(numbers, model, compared, contrast, rule, cells)


def assert_contrast(
    numbers: Any, model: str, compared: Any, contrast: Any, rule: str, cells: Any
) -> None:
    """Check one half of a row, read back as numbers."""
    difference, p, holm, tost, *gap, verdict = cells
    digits, scale = (2, 100) if compared.metric == ACCURACY else (4, 1)
    low, high = (formats.number(end * scale, digits) for end in contrast["interval"])
    shown = formats.signed(contrast["value"] * scale, digits)
    assert (difference.text, difference.below) == (shown, f"[{low}, {high}]")
    assert (p.text, p.below) == (f"{contrast['p']:.3f}", f"≥ {contrast['p_smallest']:.3f}")
    assert holm.text == formats.p_value(contrast["p_holm"])
    assert tost.text == formats.p_value(contrast["p_equivalent_holm"])
    assert verdict.text == contrast["verdict"]
    if "relu" in (contrast["a"], contrast["b"]):
        assert (verdict.text, holm.text, tost.text) == ("unsound", "—", "—")
        assert "failed: causal" in verdict.below
    for one in gap:
        losses = [
            cells_of(numbers, model, rule)[contrast[end]]["metrics"][LOSS]["value"] for end in "ab"
        ]
        assert one.text == formats.signed(losses[0] - losses[1])
        assert loss_gap(numbers, model, contrast, rule) == pytest.approx(losses[0] - losses[1])


def test_verdicts_are_counted(unsound: Scale) -> None:
    rows = [list(row.cells) for row in verdicts_table(unsound.numbers).rows]
    for name, at, _, *counts in rows:
        [compared] = [one for one in COMPARED if one.name == name]
        rule = {"at the fixed step": "final", "at matched loss": "matched"}[str(at)]
        found = Counter(
            contrast["verdict"]
            for model in unsound.numbers["models"].values()
            for contrast in model["rules"][rule]["contrasts"]
            if contrast["metric"] == compared.metric
        )
        words_of = ("different", "equivalent", "inconclusive", "unsound", None)
        assert counts == [str(found[word]) for word in words_of]
        text = counts_line(unsound.numbers, compared)
        assert f"{at}: of {found.total()} contrasts {found['different']} different" in text
        assert f"{found['unsound']} unsound" in text
        assert found["unsound"] == 4
    assert len(rows) == 6


def test_activation_is_set_against_seed(scale: Scale) -> None:
    numbers = copy.deepcopy(scale.numbers)
    sizes = {"charlm": (0.1, 0.2), "my_model": (0.3, 0.2)}
    for model, (activation, seed) in sizes.items():
        for one in numbers["models"][model]["rules"]["final"]["across"]:
            if one["metric"] == PRIMARY:
                one["same_seed"]["value"] = activation
        for cell in cells_of(numbers, model).values():
            cell["differences"][PRIMARY]["value"] = seed
    text = activation_against_seed(renewed(numbers))
    assert "variation of 0.100 to 0.300" in text
    assert "changes them by 0.200" in text
    assert "less than the seed in 1 of 2 models" in text
    fail(numbers, "charlm", "relu")
    assert "variation of 0.300, by model" in activation_against_seed(renewed(numbers))


@pytest.fixture(scope="module")
def unsound(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """A scale in which one of three activations failed a gate in both models."""
    folder = tmp_path_factory.mktemp("unsound")
    return make_scale(folder, activations=("relu", "my-act", "elu"), failed={"relu": "causal"})


def fail(numbers: dict[str, Any], model: str, activation: str, gate: str = "wired") -> None:
    """Let a cell fail a gate, as the report reads it."""
    cell = numbers["models"][model]["rules"]["final"]["cells"][activation]
    cell["failed_gates"] = [gate]
    cell["gates"][gate]["passed"] = False


def test_failed_gates_are_reported_and_marked(unsound: Scale) -> None:
    line = gates_line(unsound.numbers)
    assert "6 cells, 13 gates each: 4 cells passed every gate." in line
    assert "causal in charlm relu and my_model relu" in line
    html = write(unsound, figures=False)
    assert line in html
    assert html.count("relu †") >= len(MODELS)
    for model in MODELS:
        rows = {
            str(row.cells[0]): row for row in results_table(unsound.numbers, model, "final").rows
        }
        assert rows["relu †"].note == "failed: causal"
        assert rows["relu †"].failed
        assert not rows["elu"].failed
        ends = {str(row.cells[0]): row.failed for row in across_table(unsound.numbers, model).rows}
        assert ends == {"relu †": True, "my-act": False}


def test_gates_stand_by_cell(unsound: Scale) -> None:
    made = gates_table(unsound.numbers, "charlm")
    assert made.columns == ["gate", "relu", "my-act", "elu"]
    assert [str(row.cells[0]).replace(" ", "_") for row in made.rows] == list(GATES)
    cells = cells_of(unsound.numbers, "charlm")
    for row, gate in zip(made.rows, GATES, strict=True):
        for entry, cell in zip(row.cells[1:], cells.values(), strict=True):
            outcome = cell["gates"][gate]
            assert isinstance(entry, Entry)
            assert entry.text.startswith("✓" if outcome["passed"] else "✗")
            assert outcome["bound"] in entry.hint
    learned = next(row for row in made.rows if row.cells[0] == "learned")
    losses = cells["elu"]["metrics"][LOSS]["by_seed"].values()
    assert isinstance(learned.cells[3], Entry)
    assert learned.cells[3].text == f"✓ {max(losses):.3f} nats"
    [row, _] = failed_table(unsound.numbers).rows
    assert row.cells == ["charlm relu", "causal", "", "made up"]


def test_gates_that_differ_between_rules_are_reported(unsound: Scale) -> None:
    assert "the same gates fail" in other_rules_line(unsound.numbers)
    numbers = copy.deepcopy(unsound.numbers)
    fail(numbers, "charlm", "elu", "learned")
    assert other_rules_line(numbers) == (
        "Unlike at the final step: at the best checkpoint, charlm elu passes learned; "
        "at matched loss, charlm elu passes learned."
    )


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        ({"loss": 4.21234, "ln_symbols": 3.0}, "loss 4.212; ln symbols 3"),
        ({"wrong": [], "leak": None, "runs": 3}, "runs 3"),
        ({"a_b": {"x": [1, 2], "y": True}}, "a b x 1 and 2, y yes"),
        ({"found": ["a", "b", "c", "d", "e"]}, "found a, b, c and 2 more"),
        ({"change": -0.5}, "change −0.5"),
        ({}, ""),
    ],
)
def test_what_was_measured_in_words(measured: Any, said: str) -> None:
    assert words(measured) == said


def test_long_measurements_are_cut() -> None:
    found = words({"bound": "x" * 2000})
    assert found.endswith("…")
    assert len(found) < 400


def test_ranges_are_of_sound_cells(unsound: Scale) -> None:
    numbers = copy.deepcopy(unsound.numbers)
    for model in MODELS:
        relu = cells_of(numbers, model)["relu"]
        relu["differences"][PRIMARY]["value"] = 0.999
        relu["metrics"][LOSS]["value"] = 99.0
    said = summary(numbers)
    text = " ".join([*dict(said.points).values(), *(value for value, _ in said.tiles)])
    assert "0.999" not in text
    assert "99.000" not in text
    assert "2 cells that failed a gate are left out" in between_seeds(numbers)
    assert "2 cells that failed a gate are left out" in learning(numbers)
    assert ("4 of 6", "cells passed every gate") in said.tiles


def test_where_all_failed_nothing_is_ranked(tmp_path: Path) -> None:
    failed = {"relu": "causal", "my-act": "initial_loss"}
    made = make_scale(tmp_path, models=("charlm",), failed=failed)
    points = dict(summary(made.numbers).points)
    assert points["From seed to seed"] == "Nothing can be ranked: every cell failed a gate."
    assert "nothing can be ranked" in points["Can the numbers be trusted?"]
    assert "Activation against seed" not in points
    assert "losses are not ranked" in points["Have the models learned?"]
    assert "of 1 contrast 0 different, 0 equivalent" in points["Do activations differ?"]
    html = write(made, figures=False)
    assert "The spread is not decomposed" in html
    assert "omnibus and classical tests" not in html


def test_an_unusable_run_is_named(tmp_path: Path) -> None:
    runs = {("my-act", 2): unusable(tmp_path, 2)}
    made = make_scale(tmp_path, models=("charlm",), changed_runs=runs)
    html = write(made, figures=False)
    assert "without seed 2 (predicted another evaluation set)" in html
    assert "shared evaluation in charlm my-act" in html


def test_what_has_not_learned_is_reported(tmp_path: Path) -> None:
    runs = {("my-act", seed): ignorant(tmp_path, seed) for seed in (1, 2, 3)}
    made = make_scale(tmp_path, models=("charlm",), changed_runs=runs)
    assert "unigram table: charlm my-act." in learning(made.numbers)
    [row] = failed_table(made.numbers).rows
    worst = max(cells_of(made.numbers, "charlm")["my-act"]["metrics"][LOSS]["by_seed"].values())
    assert row.cells[:3] == ["charlm my-act", "learned", f"highest loss {worst:.4g}"]


def text_of(made: Table | None) -> list[list[str]]:
    assert made is not None
    return [[one if isinstance(one, str) else one.text for one in row.cells] for row in made.rows]


def test_omnibus_and_classical_tests_show_the_numbers(whole: Scale) -> None:
    rule = whole.numbers["models"]["charlm"]["rules"]["final"]
    rows = text_of(omnibus_table(whole.numbers, "charlm"))
    exact = {row[0]: row for row in rows if row[1].startswith("permutation (all")}
    for compared in COMPARED:
        found = rule["omnibus"][compared.metric]
        smallest = formats.p_value(found["p_smallest"])
        assert exact[compared.name][4:] == [formats.p_value(found["p"]), smallest]
    named = {"one_way": "one-way ANOVA", "welch": "Welch’s ANOVA"}
    for metric, name in ((LOSS, "test loss"), (ACCURACY, "test accuracy")):
        for key, test in named.items():
            found = rule["classical"][metric][key]
            [row] = [row for row in rows if row[:2] == [name, test]]
            df = ", ".join(f"{one:.4g}" for one in found["df"])
            assert row[2:5] == [f"{found['statistic']:.3f}", df, f"{found['p']:.3f}"]


def test_classical_pairs_stand_beside_the_exact_test(whole: Scale) -> None:
    rule = whole.numbers["models"]["charlm"]["rules"]["final"]
    compared = COMPARED[2]
    [row] = text_of(pairs_table(whole.numbers, "charlm", compared))
    [contrast] = family(whole.numbers, "charlm", LOSS)
    classical = rule["classical"][LOSS]
    p = [contrast["p"], contrast["p_holm"], classical["tukey"][0]["p"]]
    p.append(classical["games_howell"][0]["p"])
    assert row == ["relu − my-act", formats.signed(contrast["value"]), *map(formats.p_value, p)]


def test_tests_over_all_activations_name_them(unsound: Scale) -> None:
    made = omnibus_table(unsound.numbers, "charlm")
    assert made is not None
    assert made.caption.startswith("Over my-act and elu, which passed every gate, and 3 seeds")
    numbers = copy.deepcopy(unsound.numbers)
    rule = numbers["models"]["charlm"]["rules"]["final"]
    for tests in (rule["omnibus"], rule["classical"]):
        tests.update(dict.fromkeys(tests))
    assert omnibus_table(numbers, "charlm") is None


@pytest.mark.parametrize("rule", ["final", "best", "matched"])
def test_the_decomposition_shows_the_numbers(unsound: Scale, rule: str) -> None:
    made = decomposition_table(unsound.numbers, rule)
    assert made is not None
    assert "2 models × 2 activations × 3 seeds, without relu (a gate failed)" in made.caption
    found = unsound.numbers["decomposition"][rule]
    rows = text_of(made)
    for place, metric in enumerate((LOSS, ACCURACY)):
        assert f"{found[metric]['icc']:.3f}" in made.caption
        for row, source in zip(rows, found[metric]["sources"], strict=True):
            assert row[:2] == [source["source"].replace(":", " × "), str(source["df"])]
            numbers = [source[key] for key in ("eta2", "omega2")]
            wanted = [formats.number(one, 3) for one in numbers]
            wanted += [formats.number(source["f"], 2), formats.p_value(source["p"])]
            assert row[2 + 4 * place :][:4] == wanted


def test_every_measure_has_range_and_source(whole: Scale) -> None:
    rows = {row[0]: row for row in text_of(measures_table(whole.numbers))}
    assert list(rows) == list(measure_descriptions())
    assert rows["loss"][3] == "0 to ∞"
    assert rows["tv-half_l1-pairs"][3] == "0 to 1"
    assert rows["kappa-fleiss"][3] == "−1 to 1"
    assert "(higher is more alike)" in rows["kappa-fleiss"][1]


def test_a_large_p_is_never_called_sameness(whole: Scale) -> None:
    html = write(whole, figures=False).lower()
    for text in ("no difference", "no effect", "are the same", "insensitive"):
        assert text not in html
    assert "is no evidence that activations are alike" in html


def test_ten_seeds_are_no_smoke_study(tmp_path: Path) -> None:
    ten = make_scale(tmp_path, seeds=tuple(range(1, 11)), models=("charlm",))
    html = write(ten, figures=False)
    assert "Smoke study" not in html
    assert 'class="warning"' not in html
    assert "With fewer than 10 seeds" not in html
    assert "Smoke study" in write(make_scale(tmp_path / "few", (1, 2, 3)), figures=False)


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
        (formats.counts_spread([]), "—"),
        (formats.spread([0.5, 0.5], 1), "0.5"),
        (formats.listed(["a"]), "a"),
    ],
)
def test_formats(made: str, wanted: str) -> None:
    assert made == wanted


def test_tests_of_all_activations_together_are_reported(whole: Scale) -> None:
    numbers = copy.deepcopy(whole.numbers)
    found = {model: {"p": 0.001, "p_holm": 0.002} for model in MODELS}
    numbers["omnibus"]["final"]["loss.all"] = found
    first = {**found, MODELS[0]: {"p": 0.3, "p_holm": 0.31}}
    numbers["omnibus"]["final"][PRIMARY] = first
    size = len(MODELS)
    assert (
        f"p < 0.05 in {size - 1} of {size} models for total variation between seeds "
        f"(smallest p 0.002) and in {size} of {size} models for test loss (smallest p 0.002)."
    ) in omnibus_line(numbers)
    numbers["omnibus"]["final"] = {metric: {} for metric in numbers["omnibus"]["final"]}
    assert omnibus_line(numbers) == ""
