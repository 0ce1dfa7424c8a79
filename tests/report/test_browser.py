"""The report in a real browser: it loads nothing, sorts, filters, shows origins, is accessible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from browser import WIDTHS, accessibility, chromium, needs_chromium, opened, too_wide
from playwright.sync_api import Browser, Page, expect
from synthetic_figures import draw
from synthetic_scale import Scale, make_scale

from actrepro.figures.catalogue import figure_names
from actrepro.report.page import Inputs, contents, write_report
from actrepro.results.cells import named_cells
from actrepro.results.contrasts import LOSS

pytestmark = needs_chromium
ACTIVATIONS = ("relu", "my-act", "elu", "mish", "selu")
FIGURES = ("heatmap", "contrasts", "loss", "tradeoff", "power", "cost", "model-charlm")
LEARNING = "Loss, accuracy and fit, all cells"
CONTRASTS = "Every contrast"


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    made = make_scale(
        tmp_path_factory.mktemp("page"),
        activations=ACTIVATIONS,
        diverged=[("mish", seed) for seed in (1, 2, 3)],
        failed={"elu": "causal"},
    )
    for name in set(FIGURES) & set(figure_names(list(made.numbers["models"]), ACTIVATIONS)):
        draw(made, name)
    return made


@pytest.fixture(scope="module")
def report(scale: Scale) -> Path:
    path = scale.folder / "results/report.html"
    figures = sorted(scale.figure("loss")[0].parent.glob("*.svg"))
    write_report(contents("a study", Inputs([scale.stats], [scale.corpus], figures)), path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    with opened(browser, report) as shown:
        yield shown


def column(page: Page, title: str, place: int) -> list[str]:
    """Return a column of a table as shown, without second lines."""
    return page.evaluate(
        """([title, place]) => [...document.querySelectorAll(`[aria-label="${title}"] tbody tr`)]
        .map((row) => row.cells[place].firstChild?.textContent ?? "")""",
        [title, place],
    )


def sort_by(page: Page, title: str, name: str) -> None:
    page.get_by_role("group", name=title).get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize(
    ("width", "scheme"), list(zip(WIDTHS, ("light", "dark", "light"), strict=True))
)
def test_it_fits_loads_nothing_and_is_accessible(
    browser: Browser, report: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    with opened(browser, report, width, color_scheme=scheme) as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert too_wide(page) <= 0
        assert accessibility(page) == []
        for picture in page.locator("figure svg").all():
            box = picture.bounding_box()
            assert box is not None
            assert min(box["width"] / 50, box["height"] / 20) > 1


def test_a_column_sorts_by_its_numbers_and_what_is_missing_stays_last(
    page: Page, scale: Scale
) -> None:
    losses = sorted(
        cell["metrics"][LOSS]["value"] for cell in named_cells(scale.numbers).values() if cell["n"]
    )
    shown = [f"{loss:.4f}" for loss in losses]
    sort_by(page, LEARNING, "loss")
    found = column(page, LEARNING, 3)
    assert [text.partition(" ")[0] for text in found] == [*shown, "—", "—"]
    sort_by(page, LEARNING, "loss")
    found = column(page, LEARNING, 3)
    assert [text.partition(" ")[0] for text in found] == [*reversed(shown), "—", "—"]
    head = page.get_by_role("group", name=LEARNING).get_by_role("columnheader", name="loss")
    expect(head).to_have_attribute("aria-sort", "descending")


def test_sorting_works_from_the_keyboard(page: Page) -> None:
    button = page.get_by_role("group", name=LEARNING).get_by_role("button", name="activation")
    button.focus()
    page.keyboard.press("Enter")
    assert column(page, LEARNING, 1) == sorted(column(page, LEARNING, 1))


def test_rows_are_filtered_and_counted(page: Page) -> None:
    search = page.get_by_label(f"Filter the rows of {LEARNING}")
    search.fill("CHARLM elu")
    assert column(page, LEARNING, 0) == ["charlm"] * 3  # elu, relu and selu
    expect(search.locator("..").get_by_role("status")).to_have_text("3 of 10 rows")
    search.fill("")
    assert len(column(page, LEARNING, 0)) == 10


def test_a_long_table_is_shown_by_pages(page: Page) -> None:
    before = page.get_by_role("group", name=CONTRASTS).locator("tbody tr").all_inner_texts()
    assert len(before) == 20
    page.get_by_role("button", name="Show 50 more").click()
    after = page.get_by_role("group", name=CONTRASTS).locator("tbody tr").all_inner_texts()
    assert after[:20] == before  # what the script builds is what the template has
    assert len(after) == 100
    page.get_by_label(f"Filter the rows of {CONTRASTS}").fill("my_model relu accuracy")
    assert set(column(page, CONTRASTS, 0)) == {"my_model"}
    assert set(column(page, CONTRASTS, 2)) == {"test accuracy"}


def test_a_long_table_is_built_as_its_markup_is(page: Page) -> None:
    rows = page.get_by_role("group", name=CONTRASTS).locator("tbody tr")
    before = rows.first.evaluate("row => row.outerHTML")
    sort_by(page, CONTRASTS, "model")
    expect(page.get_by_role("group", name=CONTRASTS).locator("tbody tr")).to_have_count(50)
    assert _plain(rows.first.evaluate("row => row.outerHTML")) == _plain(before)


def _plain(markup: str) -> list[str]:
    """Return markup without white space, with its attributes sorted."""
    tags = re.findall(r"<[^>]+>|[^<]+", markup)
    return [" ".join(sorted(tag.strip("<>").split())) for tag in tags if tag.strip()]


def test_a_click_on_a_number_tells_where_it_is_from(page: Page) -> None:
    panel = page.locator("#origin")
    expect(panel).to_be_hidden()
    page.get_by_role("group", name=LEARNING).locator("tbody tr").first.locator("td").nth(2).click()
    expect(panel).to_contain_text("charlm, relu: loss")
    expect(panel).to_contain_text("results/tiny/stats.json")
    expect(panel).to_contain_text("models.charlm.rules.final.cells.relu.metrics")
    expect(panel).to_contain_text("actrepro.statistics.per_model.model_statistics")
    expect(panel).to_contain_text("src/actrepro/statistics/per_model.py")
    expect(panel).to_contain_text("snakemake --cores 2 results/tiny/stats.json")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


def test_sentences_and_figures_tell_where_they_are_from(page: Page) -> None:
    panel = page.locator("#origin")
    page.locator("p.answer").click()
    expect(panel).to_contain_text("actrepro.report.sections.answer.headline")
    page.locator("#figure-tiny-loss button.origin").press("Enter")
    expect(panel).to_contain_text("results/tiny/figures/loss.svg")
    expect(panel).to_contain_text("src/actrepro/figures/draw.py")
    page.get_by_role("button", name="Close").click()
    expect(panel).to_be_hidden()


def test_the_theme_is_chosen_and_kept(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    button = page.get_by_role("button", name="Theme")
    button.click()
    button.click()
    expect(button).to_have_text("Theme: dark")
    dark = page.evaluate(ground)
    assert dark != "rgb(255, 255, 255)"
    page.reload()
    assert page.evaluate(ground) == dark


def test_links_lead_to_what_they_name_and_open_it(page: Page) -> None:
    for link in page.locator("nav a").all():
        place = str(link.get_attribute("href"))
        assert page.locator(place).count() == 1, place
    page.locator("#answer a[href='#model-tiny-charlm']").click()
    expect(page.locator("#model-tiny-charlm")).to_have_attribute("open", "")
    expect(page.locator("#model-tiny-charlm table").first).to_be_visible()


def test_it_reads_without_script(browser: Browser, report: Path) -> None:
    with opened(browser, report, java_script_enabled=False) as page:
        expect(page.locator("#theme")).to_be_hidden()
        expect(page.get_by_text("The first 20 of 120 rows")).to_be_visible()
        expect(page.locator("p.answer")).to_be_visible()


def test_it_prints_with_what_is_closed_opened(page: Page, report: Path) -> None:
    output = report.with_suffix(".pdf")
    page.pdf(path=output)
    assert output.read_bytes().startswith(b"%PDF")
    page.emulate_media(media="print")
    expect(page.locator("#model-tiny-charlm table").first).to_be_visible()
    expect(page.locator("nav").first).to_be_hidden()
