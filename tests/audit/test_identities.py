"""Checks of identical numbers, explanations and trade-offs, each both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import scipy.stats
from synthetic_claims import (
    APART,
    LOSS,
    MINE,
    STUDY,
    TABLE,
    Control,
    context_of,
    control_of,
    found_by,
    ladder,
    no_dropout,
    not_wired,
    of_cpu,
    results_of,
    row,
    said,
    sides,
    unpaired,
    with_controls,
)

from actrepro.audit.claims import Claim
from actrepro.audit.findings import Finding
from actrepro.audit.registry import Context
from actrepro.audit.results import ModelResults, Results
from actrepro.audit.verdicts import judge

# --- identical --------------------------------------------------------------------------


def identical(*models: ModelResults, control: Control | None, **more: Any) -> Finding:
    """What `identical` finds of a row about CharLM at the CPU scale."""
    results = {} if control is None else {"not_wired": control}
    return found_by(
        "identical",
        of_cpu("relu", "gelu"),
        context_of(*models, controls=results, facts=more.pop("facts", None)),
        **more,
    )


def test_an_unused_activation_makes_equal_runs_an_artefact() -> None:
    finding = identical(control=not_wired())
    assert finding.verdict == "artefact"
    start = "The control is a NanoTransformer, not CharLM, of 2 layers × 64, trained for 60 steps."
    assert said(finding).startswith(start)
    assert "all 6 pairs of activations with one seed end in the same weights" in said(finding)
    assert "none of 6 pairs, with losses 0.00200 nats apart" in said(finding)
    # The row prints nothing.
    assert "not the printed values" not in said(finding)
    assert {one.file for one in finding.evidence[0].numbers} == {
        "results/audit/controls/not_wired.json"
    }


def test_a_control_of_another_size_does_not_reproduce_values() -> None:
    context = context_of(controls={"not_wired": not_wired()})
    for loss, tells in ((3.707, True), (0, False)):
        claim = of_cpu("relu", "gelu", loss=loss)
        ends = said(found_by("identical", claim, context)).endswith("not the printed values.")
        assert ends == tells


def test_a_control_with_a_number_that_is_undefined_reproduces_nothing() -> None:
    control = not_wired()
    control["numbers"]["same_seed_tv"]["honest"] = None
    assert identical(control=control).verdict == "not run"


def test_without_the_control_it_is_not_run() -> None:
    finding = identical(control=None)
    assert finding.verdict == "not run"
    assert finding.settles == "snakemake --cores 2 results/audit/controls/not_wired.json"


def test_a_control_that_is_not_identical_reproduces_nothing() -> None:
    assert identical(control=not_wired(share=0.5)).verdict == "contradicted"


@pytest.mark.parametrize(("share", "honest"), [(1.0, 0.002), (0.0, 0.0)])
def test_equal_honest_runs_are_no_artefact(share: float, honest: float) -> None:
    assert identical(control=not_wired(honest_share=share, honest=honest)).verdict == "supported"


def test_own_runs_of_the_cell_are_told_and_equal_ones_decide() -> None:
    finding = identical(results_of(APART), control=not_wired())
    assert finding.verdict == "artefact"
    assert "range over 0.200 nats" in said(finding)
    equal = {"relu": [2.6, 2.7], "gelu": [2.6, 2.7]}
    assert identical(results_of(equal), control=not_wired()).verdict == "supported"


def test_what_untrained_models_differ_by_is_told() -> None:
    facts = {"untrained": {"charlm": {"relu": 4.15, "gelu": 4.17, "swish": 4.1753}}}
    finding = identical(control=not_wired(), facts=facts)
    assert "3 activations of CharLM already differ by up to 0.0253 nats" in said(finding)
    assert finding.evidence[1].all_files == ("results/audit/facts.json",)


def test_how_little_few_models_fix_a_share_is_told() -> None:
    finding = identical(control=not_wired(), share=[4, 5])
    exact = scipy.stats.binomtest(4, 5).proportion_ci(0.95, "exact")
    assert f"{100 * exact.low:.0f} to {100 * exact.high:.0f}%" in said(finding)
    assert "28 to 99%" in said(finding)


# --- explanations and trade-offs --------------------------------------------------------


def test_a_ladder_without_seeds_decides_nothing_on_a_trade_off() -> None:
    arguments: dict[str, Any] = {"cells": ["charlm", "full/charlm"]}
    control = {**control_of("unpaired"), "ladder": ladder([0.0, 0.6, 0.8, 0.9])}
    claim = row(scale="cpu")
    finding = found_by("pd_follows_sharpness", claim, with_controls(control), **arguments)
    assert (finding.verdict, finding.instead_of) == ("not run", "")
    assert finding.settles.endswith(
        "results/audit/cpu/charlm/stats.json results/full/charlm/stats.json"
    )
    assert "without any seed" in said(finding)
    assert "(rank correlation 1.00)" in said(finding)
    assert {one.key for one in finding.evidence[0].numbers} >= {"ladder.0.tv", "ladder.3.accuracy"}
    without = found_by("pd_follows_sharpness", claim, **arguments)
    assert (without.verdict, without.instead_of) == ("not run", "")


def test_where_paired_differences_are_there_they_decide() -> None:
    control = {**control_of("unpaired"), "ladder": ladder([0.9, 0.8, 0.6, 0.0])}
    context = context_of(results_of(APART), controls={"unpaired": control})
    claim = row(scale="cpu")
    assert found_by("pd_follows_sharpness", claim, context, cells=["charlm"]).verdict == "supported"


def drawn(*centres: float, reach: float) -> Control:
    """The control of different positions, whose draws lie so far around these means."""
    tv = {
        f"tv.{name}": {
            **sides(centre, 0.09),
            "control_interval": [centre - reach, centre + reach],
        }
        for name, centre in zip(("smelu_1", "relu"), centres, strict=True)
    }
    return control_of("unpaired", **tv)


NOISY = {"smelu_1": [0.08, 0.09, 0.1], "relu": [0.1, 0.09, 0.08]}
TOLD = {"smelu_1": [0.05, 0.051, 0.052], "relu": [0.1, 0.101, 0.103]}


@pytest.mark.parametrize(
    ("control", "paired", "verdict"),
    [
        (drawn(0.48, 0.52, reach=0.01), NOISY, "artefact"),
        # Draws that overlap, or lie the other way round, do not give the order.
        (drawn(0.48, 0.52, reach=0.03), NOISY, "inconclusive"),
        (drawn(0.52, 0.48, reach=0.01), NOISY, "inconclusive"),
        # What the same positions show is no artefact.
        (drawn(0.48, 0.52, reach=0.01), TOLD, "supported"),
        (
            drawn(0.48, 0.52, reach=0.01),
            {"smelu_1": TOLD["relu"], "relu": TOLD["smelu_1"]},
            "contradicted",
        ),
    ],
)
def test_an_order_that_unpaired_scoring_makes_is_an_artefact(
    control: Control, paired: Mapping[str, list[float]], verdict: str
) -> None:
    losses = {"smelu_1": [2.6] * 3, "relu": [2.6] * 3}
    results = results_of(losses, variations=paired)
    claim, order = of_cpu(*losses), [["smelu_1"], ["relu"]]
    context = context_of(results, controls={"unpaired": control})
    finding = found_by("unpaired_order", claim, context, order=order)
    assert finding.verdict == verdict
    assert bool(finding.settles) == (verdict == "inconclusive")
    assert ("cannot be told apart" in said(finding)) == (verdict == "artefact")
    alone = found_by("unpaired_order", claim, with_controls(control), order=order)
    assert (alone.verdict, alone.instead_of) == ("not run", "")
    without = found_by("unpaired_order", claim, context_of(results), order=order)
    assert (without.verdict, without.instead_of) == ("not run", "artefact")


def test_the_paired_order_is_told_beside_the_unpaired_one() -> None:
    losses = {"smelu_1": [2.6] * 3, "relu": [2.6] * 3}
    results = results_of(
        losses, variations={"smelu_1": [0.08, 0.09, 0.1], "relu": [0.1, 0.09, 0.08]}
    )
    context = with_controls(unpaired())
    context = Context(
        context.table,
        Results(STUDY, {("cpu", "charlm"): results}, controls=context.results.controls),
    )
    finding = found_by("unpaired_order", of_cpu(*losses), context, order=[["smelu_1"], ["relu"]])
    assert "smelu_1 − relu" in said(finding)
    assert finding.evidence[1].all_files == (results.file,)


# --- the rows themselves ----------------------------------------------------------------

CONTROLS = {
    "not_wired": not_wired(),
    "unpaired": unpaired(),
    "no_dropout": no_dropout(),
    "constant": control_of("constant", loss=sides(3.3, 2.1), unpaired_tv=sides(0.04, 0.7)),
    "same_padded": control_of("same_padded", loss=sides(0.012, 1.9)),
}


def judged(controls: Mapping[str, Control]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Each row's verdict with these controls, and the files that decide it."""
    context = Context(TABLE, Results(STUDY, controls=controls))
    found = {claim.id: judge(claim, context).findings[0] for claim in MINE}
    return {
        name: (one.verdict, tuple(file for part in one.evidence for file in part.all_files))
        for name, one in found.items()
    }


WITH = judged(CONTROLS)
ALONE = judged({})


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_that_is_gone_leaves_no_artefact_that_rests_on_it(name: str) -> None:
    gone = judged({key: one for key, one in CONTROLS.items() if key != name})
    file = f"results/audit/controls/{name}.json"
    rest = {
        id_ for id_, (verdict, files) in WITH.items() if verdict == "artefact" and file in files
    }
    for id_ in rest:
        # What printed numbers alone say stays; else it has to be run.
        from_the_table = {ALONE[id_][0]} & {"impossible", "contradicted"}
        assert gone[id_][0] in (from_the_table or {"not run"}), id_
    untouched = {id_ for id_ in WITH if id_ not in rest}
    assert {id_: gone[id_][0] for id_ in untouched} == {id_: WITH[id_][0] for id_ in untouched}


@pytest.mark.parametrize(
    ("id_", "control"),
    {
        "identical-full-nanotransformer": "not_wired",
        "identical-byte-for-byte-nano": "not_wired",
        "insensitive-share-80": "not_wired",
        "seeds-not-activation-drive-pd": "not_wired",
        "mech-lstm-gates": "not_wired",
        "cpu-larger-beta-more-reproducible": "unpaired",
        "cpu-smelu1-most-reproducible": "unpaired",
        "tinylstm-most-reproducible-and-fastest": "constant",
        "charlm-better-than-nano": "no_dropout",
    }.items(),
)
def test_what_the_controls_reproduce(id_: str, control: str) -> None:
    verdict, files = WITH[id_]
    assert verdict == "artefact"
    assert f"results/audit/controls/{control}.json" in files


def test_honest_runs_that_are_identical_too_leave_no_artefact() -> None:
    honest = judged({**CONTROLS, "not_wired": not_wired(honest_share=1.0, honest=0.0)})
    about: list[Claim] = [one for one in MINE if one.id.startswith("identical-full")]
    assert all(honest[one.id][0] != "artefact" for one in about)


def test_losses_are_named_where_a_row_rests_on_them() -> None:
    finding = identical(results_of(APART), control=not_wired())
    assert {one.measure for one in finding.evidence[1].numbers} == {LOSS}
