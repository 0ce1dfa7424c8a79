"""Costs: sums of Snakemake's benchmark files, estimates, and the calculator's numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from browser import chromium, needs_chromium, opened
from playwright.sync_api import Page, expect
from synthetic_scale import ACTIVATIONS, MODELS, Scale, make_scale

from actrepro.core import formats
from actrepro.core.errors import ActreproError
from actrepro.report.kit.job_times import Stage, stages
from actrepro.report.page import Inputs, contents, write_report
from actrepro.report.sections.costs import (
    calculator,
    estimate_table,
    line,
    section,
    training_table,
)
from actrepro.results.contrasts import alpha
from actrepro.statistics.costs import scale_costs, write_costs
from actrepro.statistics.power import detectable

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(folder: Path, name: str, seconds: float, memory: str = "9", cpu: str = "1") -> None:
    path = folder / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEAD}{seconds}\t0:00:01\t{memory}\t0\t0\t0\t0\t0\t0\t{cpu}\n", "utf-8")


def test_stages_are_summed_over_their_jobs(tmp_path: Path) -> None:
    benchmark(tmp_path, "train/tiny/charlm/relu", 5.0, "120.5", "4")
    benchmark(tmp_path, "train/tiny/charlm/gelu", 7.0, "130.5", "6")
    benchmark(tmp_path, "scale_stats/tiny", 1.0, "NA", "NA")
    benchmark(tmp_path, "corpus/words", 2.0)
    benchmark(tmp_path, "models/study", 3.0)
    assert stages(tmp_path, {"tiny", "words"}) == [
        Stage("train", 2, 12.0, 10.0, 130.5),
        Stage("models", 1, 3.0, 1.0, 9.0),
        Stage("corpus", 1, 2.0, 1.0, 9.0),
        Stage("scale_stats", 1, 1.0, None, None),
    ]


def test_jobs_of_other_studies_are_left_out(tmp_path: Path) -> None:
    benchmark(tmp_path, "train/full/charlm/relu", 5000.0)
    benchmark(tmp_path, "train/audit/cpu/charlm/relu", 50.0)
    benchmark(tmp_path, "control/not_wired", 5.0)
    benchmark(tmp_path, "verdicts/study", 5.0)
    assert stages(tmp_path, {"tiny", "words"}) == []
    assert stages(tmp_path / "missing", {"tiny"}) == []


def test_a_damaged_benchmark_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train/tiny/charlm.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("s\tcpu_time\n", "utf-8")
    with pytest.raises(ActreproError, match=r"charlm\.tsv: not a benchmark file of Snakemake's"):
        stages(tmp_path, {"tiny"})


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    names = (*ACTIVATIONS, "elu")
    return make_scale(tmp_path_factory.mktemp("costs"), activations=names, diverged=[("relu", 1)])


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    """Sizes of both models at the scale and at a larger one, which one of them refuses."""
    size = {"parameters": {"relu": 10}, "characters": 1000}
    own = {name: {**size, "flops_per_character": dict.fromkeys(("relu", "my-act", "elu"), 50.0)}
           for name in MODELS}  # fmt: skip
    large = {
        "charlm": {**size, "flops_per_character": {"relu": 5000.0}},
        "my_model": {"why": "ValueError: too large"},
    }
    return {"scales": {"tiny": own, "large": large}}


def finished(scale: Scale, model: str) -> list[dict[str, Any]]:
    runs = scale.numbers["models"][model]["runs"]
    return [run for run in runs if run["status"] == "finished"]


def test_training_is_of_finished_runs(scale: Scale) -> None:
    rows = {row.cells[0]: row.cells for row in training_table(scale.numbers).rows}
    for model in MODELS:
        seconds = [run["seconds"] for run in finished(scale, model)]
        assert rows[model][1:3] == [str(len(seconds)), formats.number(fmean(seconds), 1)]


def test_energy_is_unknown(scale: Scale) -> None:
    assert "Energy was not measured." in line([scale.numbers])
    assert line([scale.numbers]).startswith("18 runs took ")


def test_an_estimate_is_operations_by_rate(scale: Scale, models: dict[str, Any]) -> None:
    costs = scale_costs(scale.numbers, models)
    rates = costs["rates"]
    speeds = sorted(run["characters_per_second"] for run in finished(scale, "charlm"))
    assert min(speeds) * 50 <= rates["charlm"] <= max(speeds) * 50
    made = estimate_table(scale.numbers, costs)
    assert made is not None
    rows = {row.cells[0]: row.cells for row in made.rows}
    total = 3 * 3 * 5000.0 * 1000
    assert rows["large"][2] == formats.duration(total / max(rates.values()))
    assert rows["large"][3] == formats.duration(total / min(rates.values()))
    unknown = scale_costs(scale.numbers, {"schema": 1, "scales": {}, "activations": {}})
    assert estimate_table(scale.numbers, unknown) is None


def test_the_calculator_holds_what_the_statistics_say(scale: Scale, models: dict[str, Any]) -> None:
    made = calculator(scale.numbers, scale_costs(scale.numbers, models))
    assert made is not None
    data = json.loads(made.data)
    planning = scale.numbers["planning"]
    assert data["first"] == planning["seeds"][0]
    assert data["smallest"] == planning["p_smallest"]
    for one in planning["choices"]:
        assert data["needed"][str(one["activations"])] == one["seeds_needed"]
        for found, wanted in zip(
            data["detectable"][str(one["activations"])], one["detectable"], strict=True
        ):
            assert found == (None if wanted is None else pytest.approx(wanted, abs=1e-4))
    assert data["spread"]["charlm"] == planning["plans"]["charlm"]["median"]["sd"]
    assert set(data["seconds"]["large"]) == {"charlm"}


def test_one_activation_needs_no_calculator(tmp_path: Path, models: dict[str, Any]) -> None:
    one = make_scale(tmp_path, activations=("relu",))
    costs = scale_costs(one.numbers, models)
    assert calculator(one.numbers, costs) is None
    assert section([one.numbers], [costs], None).calculators == []


def test_the_section_reads_benchmarks_of_its_own_scales(
    scale: Scale, models: dict[str, Any], tmp_path: Path
) -> None:
    benchmark(tmp_path, "train/tiny/charlm/relu", 5.0)
    costs = [scale_costs(scale.numbers, models)]
    titles = [made.title for made in section([scale.numbers], costs, tmp_path).tables]
    assert titles[:2] == ["Training at scale tiny", "Time by stage"]
    assert "Time by stage" not in [
        made.title for made in section([scale.numbers], costs, None).tables
    ]


@pytest.fixture(scope="module")
def page(scale: Scale, models: dict[str, Any]) -> Iterator[Page]:
    """Return the report with a calculator, in a browser."""
    sizes = scale.folder / "results/models.json"
    outlined = {
        name: {
            model: one if "why" in one else {**one, "outline": []}
            for model, one in of_scale.items()
        }
        for name, of_scale in models["scales"].items()
    }
    sizes.write_text(json.dumps({"schema": 1, "scales": outlined, "activations": {}}), "utf-8")
    costs = scale.folder / "results/tiny/costs.json"
    write_costs(scale.stats, sizes, costs)
    inputs = Inputs([scale.stats], [scale.corpus], models=sizes, costs=[costs])
    output = scale.folder / "results/report.html"
    write_report(contents("s", inputs), output)
    with chromium() as browser, opened(browser, output) as shown:
        yield shown


@needs_chromium
def test_the_form_says_what_python_says(page: Page, scale: Scale, models: dict[str, Any]) -> None:
    found = page.locator("#calculator-tiny .found")
    page.get_by_role("slider", name="Seeds").fill("10")
    page.get_by_role("checkbox", name="my-act").uncheck()
    expect(found).to_contain_text("40 (2 × 2 × 10)")
    expect(found).to_contain_text("1 of 3 pairs of activations in each model; of the other 2")
    made = calculator(scale.numbers, scale_costs(scale.numbers, models))
    assert made is not None
    data = json.loads(made.data)
    seconds = sum(data["seconds"]["tiny"].values())
    expect(found).to_contain_text(formats.duration(seconds * 20))
    expect(found).to_contain_text(f"{formats.duration(seconds * 10)} less than with all 3")
    unit = detectable(1.0, 10, alpha(scale.numbers), 1)
    assert unit is not None
    sizes = sorted(unit * sd for sd in data["spread"].values())
    expect(found).to_contain_text(f"{sizes[0]:.3f} to {sizes[1]:.3f}, by model")


@needs_chromium
def test_the_form_says_what_cannot_be_had(page: Page) -> None:
    found = page.locator("#calculator-tiny .found")
    page.get_by_role("checkbox", name="my-act").check()
    page.get_by_role("slider", name="Seeds").fill("3")
    expect(found).to_contain_text("0.750: none can reach 0.05, which takes 7 seeds")
    expect(found).to_contain_text("none, whatever its size")
    page.get_by_role("combobox", name="Scale").select_option("large")
    expect(found).to_contain_text("nothing is known of 1 of the models at this scale")
    for name in ("my-act", "elu"):
        page.get_by_role("checkbox", name=name, exact=True).uncheck()
    expect(found).to_contain_text("0 of 3 pairs")
    expect(found).not_to_contain_text("Detectable")
