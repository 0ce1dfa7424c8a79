"""The method's page: the names in it exist, and its numbers are those of the code."""

from __future__ import annotations

import inspect
import pkgutil
import re
from typing import Any

import pytest
from scipy.special import stdtrit
from study_folder import REPOSITORY

from actrepro.config.protocol import Margins, Protocol
from actrepro.config.reading import default_study
from actrepro.config.study import Study
from actrepro.data import evaluation_set
from actrepro.gates import before, outcome
from actrepro.gates.after import ROUNDING
from actrepro.measures import measure_descriptions
from actrepro.measures.differences import MOST_BLOCKS
from actrepro.measures.pairs import TOP
from actrepro.measures.runs import CALIBRATION_BINS
from actrepro.models import probing
from actrepro.predict import predictor
from actrepro.predict.store import RULES
from actrepro.predict.validity import LARGEST_SUM_ERROR
from actrepro.results.verdicts import MOST_SEEDS, VERDICTS, alpha
from actrepro.statistics import inference, sensitivity
from actrepro.statistics.contrasts import RECOMMENDED_SEEDS
from actrepro.statistics.permutation import MOST_RELABELINGS
from actrepro.statistics.power import seeds_to_settle
from actrepro.train import optimiser

PAGE = REPOSITORY / "docs/method.md"
TEXT = " ".join(PAGE.read_text(encoding="utf-8").split())
NAMES = sorted(set(re.findall(r"`(actrepro\.[\w.]+)`", TEXT)))


def rows(heading: str) -> list[list[str]]:
    """Return the cells of a section's tables, without headings."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    lines = [line for line in re.split(r"^## ", section, flags=re.M)[0].splitlines() if line]
    table = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("| `")]
    return [[cell.strip().replace(r"\|", "|") for cell in row] for row in table]


def default_of(function: Any, name: str) -> Any:
    """Return a parameter's default."""
    return inspect.signature(function).parameters[name].default


@pytest.mark.parametrize("name", NAMES)
def test_what_the_page_names_is_there(name: str) -> None:
    assert pkgutil.resolve_name(name) is not None


def test_files_that_the_page_names_are_there() -> None:
    for name in re.findall(r"`(tests/[\w/.]+)`", TEXT):
        assert (REPOSITORY / name).exists()


STUDY = default_study()
MARGINS = {name: field.default for name, field in Margins.model_fields.items()}
CONTRASTS = len(STUDY.activations) * (len(STUDY.activations) - 1) // 2
LEVEL = alpha(STUDY.confidence)


@pytest.mark.parametrize(
    "said",
    [
        f"β = {optimiser.BETAS}",
        f"ε = {optimiser.EPSILON:.0e}".replace("e-0", "e-"),
        f"weight decay {optimiser.WEIGHT_DECAY}",
        f"the first {STUDY.corpora['gutenberg-plays'].test_characters:,} of the test half",
        f"of {STUDY.corpora['gutenberg-plays'].symbols} symbols",
        f"1,115,394 of {STUDY.corpora['tinyshakespeare'].symbols},",
        f"at most {evaluation_set.LAST_WINDOWS:,} full windows",
        f"at most {predictor.PROMPTS} prompts",
        f"up to {predictor.LONGEST_TEXT} characters",
        f"({', '.join(evaluation_set.BASELINES)}; "
        f"{evaluation_set.SMOOTHING:g} added to every count)",
        f"over {CALIBRATION_BINS} equal bins",
        f"top {TOP} of p",
        f"N(0, {probing.NOISE})",
        f"up to {probing.CUTS} cuts",
        f"{before.STEPS} steps of training twice",
        f"within {before.INITIAL_LOSS} nats of ln V",
        f"≤ {LARGEST_SUM_ERROR:.0e} in every row".replace("e-0", "e-"),
        f"(beyond rounding, {ROUNDING:.0e})".replace("e-0", "e-"),
        f"`confidence`, {Study.model_fields['confidence'].default} by default",
        f"B = min({MOST_BLOCKS}, ⌊characters / T⌋)",
        f"{default_of(inference.two_way_bootstrap, 'resamples'):,} times",
        f"Above {inference.MOST_EXACT_SEEDS} seeds, 2¹⁴ = {2**inference.MOST_EXACT_SEEDS:,}",
        f"{inference.smallest_p(3):g} for three seeds, {inference.smallest_p(10):.3f} for ten",
        f"six activations, {CONTRASTS} contrasts",
        f"p < {LEVEL:g}/{CONTRASTS} = {LEVEL / CONTRASTS:.4f}, which takes ten seeds",
        f"fewer than {RECOMMENDED_SEEDS} (`actrepro.statistics.contrasts.RECOMMENDED_SEEDS`)",
        f"{MARGINS['loss']} nats of loss, {MARGINS['accuracy']} of accuracy, "
        f"{MARGINS['total_variation']} of total variation, {MARGINS['churn']} of churn by default",
        f"or {MOST_RELABELINGS:,} random ones besides the observed",
        f"fewest seeds n ≤ {MOST_SEEDS:,}",
        f"a power of {default_of(seeds_to_settle, 'power'):.0%}",
        f"{Protocol.model_fields['history_windows'].default} windows of selection text",
        f"(t = {stdtrit(2, 0.975):.2f})",
        f"from {sensitivity.DRAWS:,} draws",
    ],
)
def test_numbers_are_the_codes(said: str) -> None:
    assert said in TEXT


def test_ten_seeds_are_what_six_activations_take() -> None:
    assert len(STUDY.activations) == 6
    assert inference.smallest_p(10) < LEVEL / CONTRASTS <= inference.smallest_p(9)


def test_every_measure_has_its_formula_and_source() -> None:
    known = measure_descriptions()
    found = {row[0].strip("`"): row[1:] for row in rows("Measures")}
    assert found.keys() == known.keys()
    for id_, (formula, source) in found.items():
        assert known[id_]["formula"].startswith(formula)
        assert known[id_]["source"].startswith(source)


def test_every_gate_rule_and_verdict_is_there() -> None:
    named = [re.findall(r"`(\w+)`", row[0])[0] for row in rows("Gates")]
    assert named == list(outcome.GATES)
    assert [row[0].strip("`") for row in rows("Checkpoint rules")] == list(RULES)
    for verdict in VERDICTS:
        assert f"| {verdict} |" in TEXT


def test_every_source_that_is_cited_is_listed() -> None:
    text, _, sources = TEXT.rpartition("## Sources ")
    cited = set(
        re.findall(r"([A-ZÁÉ][\wé]+)(?: et al\.| (?:&|and) \w+)?(?:'s)? \(?((?:19|20)\d\d)", text)
    )
    assert {"Holm", "Owen", "Schuirmann"} <= {author for author, _ in cited}
    missing = [
        f"{a} {year}" for a, year in cited if not re.search(rf"{a}[^.]*(et al\. )?{year}", sources)
    ]
    assert not missing
