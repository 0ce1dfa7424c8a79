"""Checks of printed numbers against runs and controls, all of them made up."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from synthetic_claims import STUDY, TABLE, row, said

import actrepro.audit.verdicts  # noqa: F401  # registers every check
from actrepro.audit.claims import Claim, Table
from actrepro.audit.findings import Finding, decisive
from actrepro.audit.registry import Context, put
from actrepro.audit.results import ModelResults, Results
from actrepro.core.errors import ActreproError

FILE = "results/audit/cpu/charlm/stats.json"
TV, CHURN = "tv-half_l1-pairs.all", "churn-top1-pairs.all"
LADDER = [
    {"order": 0, "accuracy": 0.146, "tv": 0.0, "churn": 0.0},
    {"order": 1, "accuracy": 0.271, "tv": 0.634, "churn": 0.858},
    {"order": 2, "accuracy": 0.377, "tv": 0.784, "churn": 0.892},
]


def score(value: float, error: float = 0.001, n: int = 3, sd: float = 0.002) -> dict[str, Any]:
    """A measure of a cell as `stats.json` has it."""
    interval = [value - 2 * error, value + 2 * error]
    return {"value": value, "n": n, "standard_error": error, "interval": interval, "sd": sd}


def model(losses: Mapping[str, float], **changes: Any) -> ModelResults:
    """CharLM at the CPU scale with these losses; those of the selection half are 0.02 lower."""
    cells = {
        name: {
            "failed_gates": [],
            "gates": {"initial_loss": {"measured": {"loss": 4.19, "ln_symbols": 4.1744}}},
            "metrics": {
                "loss.all": score(loss, changes.get("error", 0.001), changes.get("n", 3)),
                "loss.last": score(loss + 0.02),
                "accuracy.all": score(0.267),
                "accuracy.last": score(0.254),
            },
            "differences": {TV: score(0.08), CHURN: score(0.13)},
            "group": {},
        }
        for name, loss in losses.items()
    }
    runs = [
        {
            "activation": name,
            "seed": seed,
            "status": "finished",
            "seconds": 40.0 + 10 * place,
            "last_history": {"train_loss": loss + 0.01, "selection_loss": loss - 0.02},
        }
        for place, (name, loss) in enumerate(losses.items())
        for seed in (42, 43)
    ]
    stats = {
        "activations": list(losses),
        "confidence": 0.95,
        # The history's windows are as long as the scored text: the same standard error.
        "evaluation": {"characters": 1000},
        "protocol": {"history_windows": 10, "context": 100},
        "runs": runs,
        "rules": {"final": {"cells": cells, "contrasts": changes.get("contrasts", [])}},
    }
    return ModelResults(FILE, stats)


def control(**numbers: tuple[float | None, float]) -> dict[str, Any]:
    """A control's file: each number with the mistake, and without."""
    return {
        "numbers": {
            name: {"control": wrong, "honest": honest, "unit": "", "what": name}
            for name, (wrong, honest) in numbers.items()
        },
        "ladder": LADDER,
        "about": {
            "model": "charlm",
            "protocol": {"layers": 1, "width": 128, "iterations": 1000, "train_characters": 15000},
        },
    }


def about(
    *activations: str, scale: str = "cpu", id_: str = "claim", unit: str = "", **printed: Any
) -> Claim:
    """A row about CharLM with these activations."""
    claim = row(id_, unit=unit, **printed)
    return claim.model_copy(update={"scale": scale, "model": "charlm", "activations": activations})


def found_by(
    check: str,
    claim: Claim,
    *others: Claim,
    own: ModelResults | None = None,
    controls: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> Finding:
    """What a check finds of a row beside others, with these results."""
    table = Table({one.id: one for one in (claim, *others)}, {})
    models = {} if own is None else {("cpu", "charlm"): own}
    results = Results(STUDY, models, controls=controls or {})
    return put(claim, {"check": check, **arguments}, Context(table, results))


# --- runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "verdict"),
    # Own 2.65 on one half and 2.63 on the other: 2.64 on the whole validation text.
    [(2.64, "supported"), (2.6201, "supported"), (2.6199, "contradicted"), (2.6599, "supported"),
     (2.6601, "contradicted")],
)  # fmt: skip
def test_a_loss_is_compared_on_the_same_text(printed: float, verdict: str) -> None:
    own = model({"relu": 2.65})
    finding = found_by("loss_is", about("relu", value=printed), own=own, within=0.02)
    assert finding.verdict == verdict
    keys = [number.key for number in finding.evidence[0].numbers]
    assert keys[0] == "rules.final.cells.relu.metrics.loss.all"
    assert "runs.0.last_history.selection_loss" in keys
    assert "2.630 on the selection half, 2.640 on both" in said(finding)


def test_a_loss_may_be_two_standard_errors_of_the_difference_off() -> None:
    own = model({"relu": 2.65}, error=0.02)
    runs = [2.55, 2.61]
    own_error = math.hypot(0.02, 0.02) / 2
    allowed = 2 * math.hypot(own_error, float(scipy.stats.sem(runs)))
    for apart, verdict in ((allowed - 0.001, "supported"), (allowed + 0.001, "contradicted")):
        claim = about("relu", value=2.64 - apart, runs=runs)
        assert found_by("loss_is", claim, own=own, within=0.02).verdict == verdict
    # Of a spread without runs, with divisor n: s / √(n − 1) is the standard error.
    claim = about("relu", value=2.6, spread=0.04)
    assert f"allowed {2 * math.hypot(own_error, 0.04 / math.sqrt(2)):.4f}" in said(
        found_by("loss_is", claim, own=own, within=0.02)
    )


@pytest.mark.parametrize(
    ("printed", "verdict"), [(2.66, "supported"), (2.6401, "supported"), (2.6399, "contradicted")]
)
def test_a_training_loss_is_compared_with_the_last_of_the_history(
    printed: float, verdict: str
) -> None:
    own = model({"relu": 2.65})
    finding = found_by("train_loss_is", about("relu", value=printed), own=own, within=0.02)
    assert finding.verdict == verdict
    assert "2 own runs end at a mean of 2.660" in said(finding)
    of_runs = about("relu", runs=[printed - 0.001, printed + 0.001])
    finding = found_by("train_loss_is", of_runs, own=own, within=0.02, printed="runs")
    assert finding.verdict == verdict
    # Windows shorter than the scored text have a larger standard error.
    short = copy.deepcopy(dict(model({"relu": 2.65}, error=0.01).stats))
    short["protocol"]["history_windows"] = 1
    finding = found_by(
        "train_loss_is", about("relu", value=2.6), own=ModelResults(FILE, short), within=0.02
    )
    assert f"allowed {2 * 0.01 * math.sqrt(10):.4f}" in said(finding)


def test_a_diverged_run_has_no_last_loss() -> None:
    stats = copy.deepcopy(dict(model({"relu": 2.65}).stats))
    for run in stats["runs"]:
        run["status"] = "diverged"
    own = ModelResults(FILE, stats)
    for check in ("loss_is", "train_loss_is"):
        finding = found_by(check, about("relu", value=2.65), own=own, within=0.02)
        assert finding.verdict == "not run"


def test_every_activation_of_a_row_must_have_its_loss() -> None:
    own = model({"relu": 2.65, "gelu": 2.75})
    claim = about("relu", "gelu", value=2.64)
    finding = found_by("loss_is", claim, own=own, within=0.02)
    assert finding.verdict == "contradicted"
    assert finding.evidence[0].says.startswith("gelu")
    one = found_by("loss_is", claim, own=own, within=0.02, activation="relu")
    assert one.verdict == "supported"


def test_what_was_not_run_is_asked_for() -> None:
    nothing = found_by("loss_is", about("relu", value=2.6), within=0.02)
    assert (nothing.verdict, nothing.settles) == ("not run", f"snakemake --cores 2 {FILE}")
    part = found_by("loss_is", about("swiglu", value=2.6), own=model({"relu": 2.65}), within=0.02)
    assert part.verdict == "not run"
    assert part.settles.endswith("--config 'audit={activations: [relu, swiglu]}'")
    own = model({"relu": 2.65})
    stats = copy.deepcopy(dict(own.stats))
    stats["rules"]["final"]["cells"]["relu"]["metrics"]["loss.all"] = None
    empty = ModelResults(FILE, stats)
    assert (
        found_by("loss_is", about("relu", value=2.6), own=empty, within=0.02).verdict == "not run"
    )
    with pytest.raises(ActreproError, match="scale and model"):
        found_by("loss_is", row(value=2.6), within=0.02)


@pytest.mark.parametrize(
    ("printed", "verdict"), [(26.9, "supported"), (28.6, "supported"), (30.0, "contradicted")]
)
def test_an_accuracy_has_binomial_errors(printed: float, verdict: str) -> None:
    """Own 25.4% and printed of 1,000 samples in each of two runs: 2 · 1.7 points."""
    claim = about("relu", value=printed, runs=[printed, printed])
    finding = found_by("accuracy_is", claim, own=model({"relu": 2.65}), within=0.5)
    errors = (25.4 * 74.6 / 1000, printed * (100 - printed) / 2000, 0.1**2)
    assert f"allowed {2 * math.sqrt(sum(errors)):.1f}" in said(finding)
    assert finding.verdict == verdict


def test_a_range_of_accuracies_agrees_at_its_nearer_end() -> None:
    own = model({"relu": 2.65})
    near = found_by(
        "accuracy_is", about("relu", low=27, high=60), own=own, within=0.5, printed="range"
    )
    assert near.verdict == "supported"
    far = found_by(
        "accuracy_is", about("relu", low=50, high=60), own=own, within=0.5, printed="range"
    )
    assert far.verdict == "contradicted"


@pytest.mark.parametrize(
    ("n", "inside"), [(3, "inconclusive"), (8, "inconclusive"), (9, "supported")]
)
def test_a_spread_is_held_against_a_chi_square_interval(n: int, inside: str) -> None:
    own = model({"relu": 2.65}, n=n)
    ends = [0.002 * math.sqrt((n - 1) / scipy.stats.chi2.ppf(p, n - 1)) for p in (0.975, 0.025)]
    printed_to_sample = math.sqrt(2)  # two runs
    for value, verdict in ((1.01 * ends[0], inside), (0.99 * ends[0], "contradicted"),
                           (0.99 * ends[1], inside), (1.01 * ends[1], "contradicted")):  # fmt: skip
        claim = about("relu", value=value / printed_to_sample)
        finding = found_by("spread_is", claim, own=own, runs=2)
        assert finding.verdict == verdict
        assert finding.settles == ("9 seeds" if verdict == "inconclusive" else "")


def contrast(a: str, b: str, low: float, high: float, seeds: int | None) -> dict[str, Any]:
    """A difference of two losses."""
    return {
        "metric": "loss.all", "a": a, "b": b, "n": 3, "value": (low + high) / 2,
        "interval": [low, high], "failed_gates": ["learned"],
        "seeds_to_settle": {"different": seeds, "equivalent": None, "either": seeds},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("low", "rank", "verdict", "settles"),
    [(-0.02, 1, "supported", ""), (-0.02, 2, "contradicted", ""),
     (-0.001, 1, "inconclusive", "12 seeds"), (-0.001, 2, "inconclusive", "12 seeds"),
     (-0.001, 3, "contradicted", "")],
)  # fmt: skip
def test_a_rank_needs_contrasts_that_exclude_zero(
    low: float, rank: int, verdict: str, settles: str
) -> None:
    """ReLU below Swish for certain, and below GELU where the interval ends below 0."""
    contrasts = [
        contrast("relu", "gelu", low, low + 0.01, 12),
        contrast("relu", "swish", -0.3, -0.2, 3),
    ]
    own = model({"relu": 2.6, "gelu": 2.61, "swish": 2.9}, contrasts=contrasts)
    claim = about("relu", value=rank)
    finding = found_by("loss_rank", claim, own=own, among=["relu", "gelu", "swish"])
    assert (finding.verdict, finding.settles) == (verdict, settles)
    assert "did not learn" in said(finding)


def test_no_number_of_seeds_settles_what_no_contrast_said() -> None:
    own = model({"relu": 2.6, "gelu": 2.6}, contrasts=[contrast("relu", "gelu", -0.1, 0.1, None)])
    finding = found_by("loss_rank", about("relu", value=1), own=own, among=["relu", "gelu"])
    assert finding.settles == "more than 1,000 seeds"


# --- controls -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "same_protocol", "verdict"),
    [(0.51, True, "artefact"), (0.51, False, "artefact"), (0.09, True, "supported"),
     (0.3, True, "contradicted"), (0.3, False, "not run")],
)  # fmt: skip
def test_a_control_reproduces_what_the_honest_run_does_not(
    printed: float, same_protocol: bool, verdict: str
) -> None:
    controls = {"unpaired": control(tv=(0.5, 0.08))}
    how: dict[str, Any] = {
        "control": "unpaired",
        "quantity": "tv",
        "within": 0.03,
        "same_protocol": same_protocol,
    }
    claim = about("relu", value=printed, scale="full")
    finding = found_by("reproduced_by", claim, controls=controls, **how)
    assert finding.verdict == verdict
    for number in ("0.5", "0.08", f"{printed}"):
        assert number in said(finding)
    assert {number.key for number in finding.evidence[0].numbers} == {
        "numbers.tv.control", "numbers.tv.honest",
    }  # fmt: skip
    if verdict == "not run":
        assert finding.settles == "snakemake --cores 2 results/full/charlm/stats.json"
    missing = found_by("reproduced_by", claim, **how)
    assert missing.verdict == "not run"
    assert missing.settles == "snakemake --cores 2 results/audit/controls/unpaired.json"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 0.2))
def test_what_the_honest_run_gives_is_never_an_artefact(
    printed: float, wrong: float, honest: float, within: float
) -> None:
    finding = found_by(
        "reproduced_by", row(value=printed), controls={"c": control(x=(wrong, honest))},
        control="c", quantity="x", within=within, same_protocol=True,
    )  # fmt: skip
    near = [abs(number - printed) <= within + 1e-9 for number in (honest, wrong)]
    expected = "supported" if near[0] else "artefact" if near[1] else "contradicted"
    assert finding.verdict == expected


def test_a_control_in_another_unit_and_one_without_a_number() -> None:
    controls = {"constant": control(accuracy=(0.149, 0.38), kappa=(None, 0.7))}
    claim = row(value=14.53)
    how: dict[str, Any] = {"control": "constant", "within": 0.015, "factor": 0.01}
    finding = found_by("reproduced_by", claim, controls=controls, quantity="accuracy", **how)
    assert finding.verdict == "artefact"
    finding = found_by("reproduced_by", claim, controls=controls, quantity="kappa", **how)
    assert (finding.verdict, said(finding)) == (
        "not testable", "Undefined in control constant: kappa.",
    )  # fmt: skip
    with pytest.raises(ActreproError, match="a single number"):
        found_by("reproduced_by", row(value=[1, 2]), controls=controls, quantity="kappa", **how)


@pytest.mark.parametrize(
    ("printed", "accuracy", "verdict"),
    # The table of one character is 27.1% right and 0.634 from itself.
    [(0.648, 28.0, "artefact"), (0.6145, 25.2, "artefact"), (0.655, 28.0, "not run"),
     (0.61, 28.0, "not run"), (0.634, 29.2, "not run"), (0.719, 33.0, "not run"),
     (0.9, 58.77, "not run")],
)  # fmt: skip
def test_only_a_table_that_is_as_often_right_reproduces_a_difference(
    printed: float, accuracy: float, verdict: str
) -> None:
    controls = {"unpaired": control()}
    claim = about("relu", value=printed, scale="partial")
    finding = found_by(
        "reproduced_by_ladder", claim, controls=controls, accuracy=accuracy, within=0.02
    )
    assert finding.verdict == verdict
    keys = [number.key for number in finding.evidence[0].numbers]
    if verdict == "artefact":
        assert keys == ["ladder.1.tv"]
        assert "A table of 1 character of context is 27.1% right and differs" in said(finding)
    else:
        assert finding.settles == "snakemake --cores 2 results/partial/charlm/stats.json"
    if accuracy == 58.77:
        assert "14.6 to 37.7% right, and 0.9 is printed at 58.77% right" in said(finding)
    elif verdict == "not run":
        assert keys == ["ladder.1.tv", "ladder.2.tv"]
        between = 0.634 <= printed <= 0.784
        assert ("To lie between two tables is no reproduction" in said(finding)) == between
        assert ("No table reproduces it" in said(finding)) != between
    missing = found_by("reproduced_by_ladder", claim, accuracy=accuracy, within=0.02)
    assert missing.settles == "snakemake --cores 2 results/audit/controls/unpaired.json"


def test_a_table_may_be_right_as_often_as_any_of_a_range() -> None:
    right = row("right", low=28, high=35)
    how: dict[str, Any] = {"accuracy": "right", "within": 0.02}
    controls = {"unpaired": control()}
    finding = found_by("reproduced_by_ladder", row(value=0.64), right, controls=controls, **how)
    assert finding.verdict == "artefact"
    assert [number.key for number in finding.evidence[0].numbers] == ["ladder.1.tv"]
    assert finding.evidence[0].rows == ("right",)
    # Both ends of a printed range must be near one table.
    for low, high, verdict in ((0.62, 0.65, "artefact"), (0.63, 0.7, "not testable")):
        claim = row(low=low, high=high)
        finding = found_by(
            "reproduced_by_ladder", claim, right, controls=controls, printed="range", **how
        )
        assert finding.verdict == verdict


def test_where_the_rows_own_runs_exist_a_control_that_differs_tells_nothing() -> None:
    finding = found_by(
        "reproduced_by", about("relu", value=0.3), own=model({"relu": 2.6}),
        controls={"c": control(x=(0.5, 0.1))}, control="c", quantity="x", within=0.03,
    )  # fmt: skip
    assert finding.verdict == "not testable"


# --- the table ----------------------------------------------------------------------------

NAMES = ("relu", "gelu", "swish", "smelu_05", "smelu_1")


def made_up_controls(
    names: Sequence[str] = ("unpaired", "constant", "no_dropout"),
) -> dict[str, Any]:
    """Controls as they came out once, to two digits."""
    per_activation = {
        f"{quantity}.{name}": both
        for name in NAMES
        for quantity, both in (("tv", (0.51, 0.08)), ("churn_per_1000", (845.0, 135.0)))
    }
    made = {
        "unpaired": control(**per_activation, tv=(0.51, 0.08), churn_per_1000=(844.0, 134.0)),
        "constant": control(loss=(3.36, 2.16), accuracy=(0.149, 0.38), unpaired_tv=(0.035, 0.73)),
        "no_dropout": control(
            final_loss=(4.57, 2.87), unigram_loss=(3.36, 3.36), rise=(1.39, 0.1),
            unpaired_tv=(0.9, 0.76),
        ),
    }  # fmt: skip
    return {name: made[name] for name in names}


def verdict_of(id_: str, results: Results) -> str:
    """A row of the real table, by the checks that need no other control."""
    claim = TABLE.claim(id_)
    calls = [call for call in claim.checks if call.get("control") in (None, *results.controls)]
    return decisive([put(claim, call, Context(TABLE, results)) for call in calls]).verdict


@pytest.mark.parametrize(
    ("id_", "verdict", "without"),
    [
        *((f"cpu-charlm-{name}-relative-pd", "artefact", "not run") for name in ("relu", "swish")),
        ("partial-tinylstm-pd", "artefact", "not run"),
        ("partial-tinylstm-val-loss", "artefact", "not run"),
        ("cpu-charlm-relu-val-loss", "supported", "supported"),
        ("cpu-charlm-relu-val-accuracy", "supported", "supported"),
        ("cpu-charlm-relu-val-loss-sd", "inconclusive", "inconclusive"),
        ("cpu-initial-loss", "supported", "supported"),
        ("full-nanotransformer-val-loss", "artefact", "not run"),
        ("full-charlm-swish-relative-pd", "impossible", "impossible"),
    ],
)
def test_rows_with_runs_and_controls_and_without_the_controls(
    id_: str, verdict: str, without: str
) -> None:
    own = {("cpu", "charlm"): model(dict.fromkeys(NAMES, 2.635))}
    assert verdict_of(id_, Results(STUDY, own, controls=made_up_controls())) == verdict
    claim = TABLE.claim(id_)
    bare = Context(TABLE, Results(STUDY, own))
    assert decisive([put(claim, call, bare) for call in claim.checks]).verdict == without


def test_one_loss_changes_only_rows_that_name_it() -> None:
    losses = dict(zip(NAMES, (2.64, 2.645, 2.65, 2.66, 2.67), strict=True))
    before = Results(STUDY, {("cpu", "charlm"): model(losses)}, controls=made_up_controls())
    other = model({**losses, "gelu": 2.735})
    after = Results(STUDY, {("cpu", "charlm"): other}, controls=made_up_controls())
    changed = []
    for claim in TABLE.claims.values():
        if claim.kind != "reported number":
            continue
        findings = [
            [put(claim, call, Context(TABLE, results)) for call in claim.checks
             if call.get("control") in (None, *results.controls) and call["check"] != "identical"]
            for results in (before, after)
        ]  # fmt: skip
        if not findings[0]:
            continue
        if decisive(findings[0]).verdict != decisive(findings[1]).verdict:
            changed.append(claim.id)
            named = {n.key for one in findings[0] for e in one.evidence for n in e.numbers}
            assert "rules.final.cells.gelu.metrics.loss.all" in named
    assert sorted(changed) == ["cpu-charlm-gelu-val-loss", "cpu-final-loss-range"]
