"""Wishes and features: what they rest on is looked up in the program, never written by hand."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from study_folder import REPOSITORY

from actrepro.audit.checks.printed.arithmetic import product_of
from actrepro.audit.checks.program import capabilities
from actrepro.audit.checks.program.capabilities import (
    PARTS,
    checkout,
    filling_functions,
    keeps_gaps,
    not_testable,
    provided_by,
)
from actrepro.audit.checks.program.wishes import awaits
from actrepro.audit.claims import FILES, Claim, Origin, Table
from actrepro.audit.findings import (
    CONTRADICTED,
    IMPOSSIBLE,
    INCONCLUSIVE,
    NOT_RUN,
    NOT_TESTABLE,
    SUPPORTED,
    Finding,
    decisive,
)
from actrepro.audit.registry import Context, put
from actrepro.audit.results import ModelResults, Results
from actrepro.config.names import activation_names, model_names
from actrepro.config.reading import default_study, default_study_path, parse_study
from actrepro.config.study import Study
from actrepro.core import paths
from actrepro.core.errors import ActreproError
from actrepro.figures.catalogue import figure_names

KINDS = {"wish": 47, "feature": 82}


def made_claim(id_: str = "one", **more: Any) -> Claim:
    return Claim.model_validate(
        {
            "id": id_,
            "origin": {"document": "S0", "lines": "1"},
            "says": "A program can do it.",
            "checks": [{"check": "not_testable"}],
            "kind": "feature",
            **more,
        }
    )


@cache
def rows() -> dict[str, Claim]:
    return {
        row["id"]: Claim.model_validate({**row, "kind": kind})
        for kind in KINDS
        for row in yaml.safe_load((REPOSITORY / "resources/claims" / FILES[kind]).read_text())
    }


# Rows of other kinds that these refer to, with the numbers that are asked of them.
ELSEWHERE = {
    "readme-charlm-gelu-pd": {"value": 0.9051},
    "full-charlm-gelu-row-master": {"relative_pd": 0.9051},
    "full-charlm-relu-worst": {},
    "readme-relu-worst": {},
    "capacity-reduces-init-sensitivity": {},
    "pd-worsens-with-scale": {},
}


# Read once: it never changes.
STUDY = default_study()


def context(*models: ModelResults, **more: Any) -> Context:
    others = {id_: made_claim(id_, printed=printed) for id_, printed in ELSEWHERE.items()}
    found = {(one.stats["scale"], one.stats["model"]): one for one in models}
    return Context(Table({**others, **rows()}, {}), Results(STUDY, models=found, **more))


def judged(claim: Claim, about: Context | None = None) -> list[Finding]:
    return [put(claim, call, about or context()) for call in claim.checks]


def verdict(id_: str, about: Context | None = None) -> str:
    return decisive(judged(rows()[id_], about)).verdict


# What a program provides.

LOOKED_UP = {
    "rules": ("report", "leaderboard"),
    "results": ("results/{scale}/{model}/stats.json", "results/{scale}/plots.png"),
    "figures": ("curves-{model}", "violins"),
    "columns": ("runs.seconds", "runs.watts"),
    "keys": ("models.*.rules.best.cells.*.metrics.*.interval", "models.*.rules.worst.cells"),
    "measures": ("edit-levenshtein-pairs.generated", "kl-nats-pairs.all"),
    "gates": ("wired", "fast"),
    "config": ("protocols.*.overrides.*.dropout", "protocols.*.overrides.*.momentum"),
    "scales": ("full", "huge"),
    "corpora": ("tinyshakespeare", "wikitext-103"),
    "models": ("convlm", "gpt2"),
    "activations": ("swiglu", "mish"),
    "api": ("actrepro.train.loop.train", "actrepro.train.loop.train_all"),
    "files": ("CITATION.cff", "environment.yml"),
}


def test_every_kind_of_part_is_tried() -> None:
    assert LOOKED_UP.keys() == PARTS.keys()


@pytest.mark.parametrize("kind", LOOKED_UP)
def test_a_part_that_the_program_has_is_found(kind: str) -> None:
    name, _ = LOOKED_UP[kind]
    finding = provided_by(made_claim(), context(), how="Ask for it.", **{kind: [name]})
    assert finding.verdict == SUPPORTED
    assert finding.evidence[0].says.startswith("Ask for it. ")
    assert f"{PARTS[kind].one} {name}" in finding.evidence[0].says
    assert all((REPOSITORY / file).is_file() for file in finding.evidence[0].files)


@pytest.mark.parametrize("kind", LOOKED_UP)
def test_a_part_that_is_missing_is_named_beside_what_is_there(kind: str) -> None:
    names = LOOKED_UP[kind]
    finding = provided_by(made_claim(), context(), how="Ask for it.", **{kind: list(names)})
    assert finding.verdict == NOT_TESTABLE
    says = finding.evidence[0].says
    assert says == (
        f"This program does not have: {PARTS[kind].one} {names[1]}; "
        f"it has: {PARTS[kind].one} {names[0]}."
    )


@pytest.mark.parametrize(
    "key",
    [
        "seeds",
        "device.auto",
        "margins.loss",
        "corpora.*.path",
        "corpora.*.urls",
        "protocols.*.iterations",
    ],
)
def test_config_keys_are_those_of_the_types(key: str) -> None:
    assert PARTS["config"].has(STUDY, key)


@pytest.mark.parametrize(
    "key", ["device.tpu", "corpora.*.paths", "seeds.more", "protocols.full.iterations", "*"]
)
def test_other_config_keys_are_none(key: str) -> None:
    assert not PARTS["config"].has(STUDY, key)


def test_a_value_of_null_may_stand_under_a_key() -> None:
    key = "models.*.rules.final.cells.*.metrics.*"
    assert PARTS["keys"].has(STUDY, f"{key}.by_seed")
    assert not PARTS["keys"].has(STUDY, f"{key}.median")


def test_protocols_must_have_the_values_asked_for() -> None:
    asked = {"partial": {"layers": 2, "width": 256}}
    finding = provided_by(made_claim(), context(), how="So.", protocols=asked)
    assert finding.verdict == SUPPORTED
    assert "scale partial with layers 2, width 256" in finding.evidence[0].says


@pytest.mark.parametrize(
    ("scale", "values", "named"),
    [
        ("partial", {"layers": 3, "width": 256}, "scale partial with layers 3"),
        ("huge", {"width": 256}, "scale huge with width 256"),
        ("partial", {"colour": 1}, "scale partial with colour 1"),
    ],
)
def test_protocols_with_other_values_are_named(
    scale: str, values: Mapping[str, int], named: str
) -> None:
    finding = provided_by(made_claim(), context(), how="So.", protocols={scale: values})
    assert finding.verdict == NOT_TESTABLE
    assert finding.evidence[0].says == f"This program does not have: {named}."


def test_rows_that_tell_the_same_are_named_with_their_lines() -> None:
    finding = provided_by(
        made_claim(), context(), how="So.", rules=["all"], beside=["feat-incremental-b"]
    )
    assert finding.evidence[1].rows == ("feat-incremental-b",)
    assert "S4 (lines 226-241)" in finding.evidence[1].says


def test_an_unknown_kind_of_part_is_refused_with_the_nearest() -> None:
    with pytest.raises(ActreproError, match="'activation'; did you mean 'activations'"):
        provided_by(made_claim(), context(), how="So.", activation=["relu"])


def test_something_must_provide_it() -> None:
    with pytest.raises(ActreproError, match="needs something that provides it"):
        provided_by(made_claim(), context(), how="So.")


def test_an_installed_package_has_no_repository_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        capabilities, "default_study_path", lambda: tmp_path / "actrepro/config.yaml"
    )
    assert checkout() is None
    finding = provided_by(made_claim(), context(), how="So.", files=["Makefile"])
    assert finding.verdict == NOT_TESTABLE
    assert "an installed package comes without the repository's files" in finding.evidence[0].says


def test_a_checkout_is_the_folder_of_the_snakefile() -> None:
    assert checkout() == default_study_path().parents[1] == REPOSITORY


# Deleting what provides a row changes its verdict.

WITHOUT: list[tuple[str, str, Any]] = [
    ("feat-activations", "activation_names", lambda: ("relu", "gelu")),
    ("feat-model-hybridlm", "model_names", lambda: ("charlm",)),
    ("feat-plot-tradeoff", "figure_names", lambda models, activations: ["loss"]),
    ("feat-deterministic", "GATES", {"wired": ""}),
    ("feat-process-flag-no-plots", "_rules", set),
    ("feat-partial-vs-full", "COLUMNS", {}),
    ("fw-metric-edit", "measure_ids", list),
    ("feat-setup", "checkout", lambda: None),
    ("feat-programmatic-train", "PACKAGE", REPOSITORY / "tests"),
    ("feat-train-flag-device", "_schema_of", lambda shape: {}),
]


@pytest.mark.parametrize(("row", "name", "without"), WITHOUT, ids=[row for row, *_ in WITHOUT])
def test_a_row_falls_with_what_provides_it(
    row: str, name: str, without: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verdict(row) == SUPPORTED
    monkeypatch.setattr(capabilities, name, without)
    assert verdict(row) == NOT_TESTABLE


def test_a_row_falls_with_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict("feat-summary-txt") == SUPPORTED
    monkeypatch.delattr(paths, "SUMMARY")
    assert verdict("feat-summary-txt") == NOT_TESTABLE


def without_scale(scale: str) -> Study:
    study = STUDY
    others = {name: one for name, one in study.protocols.items() if name != scale}
    return study.model_copy(update={"protocols": others})


def test_a_row_falls_with_its_scale() -> None:
    about = replace(context(), results=Results(without_scale("lite")))
    assert verdict("feat-config-lite") == SUPPORTED
    assert verdict("feat-config-lite", about) == NOT_TESTABLE


# What this program does not do.


def test_what_is_not_provided_says_why() -> None:
    finding = not_testable(made_claim(), context(), why="There is none.", rows=["feat-stats"])
    assert finding.verdict == NOT_TESTABLE
    assert finding.evidence[0].says == "There is none."
    assert finding.evidence[0].rows == ("feat-stats",)


def test_a_reason_rests_on_rows_that_exist() -> None:
    with pytest.raises(ActreproError, match="no row 'feat-none'"):
        not_testable(made_claim(), context(), why="There is none.", rows=["feat-none"])


# Studies that are waited for.


def contrast(a: str, b: str, verdict: str, value: float = -0.1, **more: Any) -> dict[str, Any]:
    return {
        "metric": "loss.all",
        "a": a,
        "b": b,
        "value": value,
        "n": 10,
        "interval": [value - 0.01, value + 0.01],
        "verdict": verdict,
        "failed_gates": [],
        "seeds_to_settle": None,
        **more,
    }


def results(*contrasts: Mapping[str, Any], model: str = "charlm") -> ModelResults:
    names = list(dict.fromkeys(name for one in contrasts for name in (one["a"], one["b"])))
    score = {"value": 1.5, "n": 10, "interval": None}
    cells = {name: {"metrics": {"loss.all": score}, "failed_gates": []} for name in names}
    # Of another measure: never looked at.
    other = contrast("relu", "gelu", "different", metric="accuracy.all")
    stats = {
        "scale": "full",
        "model": model,
        "activations": names,
        "rules": {"final": {"cells": cells, "contrasts": [other, *contrasts]}},
    }
    return ModelResults(f"results/full/{model}/stats.json", stats)


def waited(*models: ModelResults, **more: Any) -> Finding:
    arguments: dict[str, Any] = {
        "scale": "full",
        "models": ["charlm"],
        "activations": ["relu", "gelu", "swish"],
        **more,
    }
    return awaits(made_claim(), context(*models), **arguments)


def test_what_was_not_run_has_a_target() -> None:
    finding = waited(models=["charlm", "convlm"])
    assert finding.verdict == NOT_RUN
    assert finding.settles == (
        "snakemake --cores 2 results/full/charlm/stats.json results/full/convlm/stats.json"
    )


def test_what_was_run_without_an_activation_has_the_same_target() -> None:
    finding = waited(results(contrast("relu", "gelu", "different")))
    assert finding.verdict == NOT_RUN
    assert finding.evidence[0].says == "results/full/charlm/stats.json: it does not have swish."
    assert finding.settles.endswith("stats.json --config activations=relu,gelu,swish")


def test_results_that_were_refused_say_why() -> None:
    about = context(refused={("full", "charlm"): "it was made with another width"})
    finding = awaits(made_claim(), about, scale="full", models=["charlm"], activations=["relu"])
    assert finding.verdict == NOT_RUN
    assert "another width" in finding.evidence[0].says


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"scale": "huge"}, "scale huge"),
        ({"models": ["charlm", "gpt2"]}, "model gpt2"),
        ({"activations": ["relu", "mish", "elu"]}, "activations mish, elu"),
        ({"corpora": ["c4"]}, "corpus c4"),
    ],
)
def test_what_the_program_lacks_cannot_be_run(more: dict[str, Any], named: str) -> None:
    finding = waited(**more)
    assert finding.verdict == NOT_TESTABLE
    assert f"does not have: {named};" in finding.evidence[0].says
    assert not finding.settles


def test_a_study_without_a_prediction_is_had_once_it_is_run() -> None:
    run = results(contrast("relu", "gelu", "inconclusive"), contrast("relu", "swish", "different"))
    finding = waited(run)
    assert finding.verdict == SUPPORTED
    assert [one.key for one in finding.evidence[0].numbers] == [
        f"rules.final.cells.{name}.metrics.loss.all" for name in ("relu", "gelu", "swish")
    ]


def three(first: str, second: str, third: str, **more: Any) -> ModelResults:
    return results(
        contrast("relu", "gelu", first, **more),
        contrast("relu", "swish", second, **more),
        contrast("gelu", "swish", third, **more),
    )


ALL_ALIKE = ("equivalent", "equivalent", "equivalent")
ONE_DIFFERENT = ("equivalent", "different", "inconclusive")
OPEN = ("equivalent", "inconclusive", "equivalent")


@pytest.mark.parametrize(
    ("verdicts", "word", "expected"),
    [
        (ALL_ALIKE, "alike", SUPPORTED),
        (ALL_ALIKE, "differ", CONTRADICTED),
        (ONE_DIFFERENT, "differ", SUPPORTED),
        (ONE_DIFFERENT, "alike", CONTRADICTED),
        (OPEN, "differ", INCONCLUSIVE),
        (OPEN, "alike", INCONCLUSIVE),
    ],
)
def test_an_expectation_is_held_against_verdicts(
    verdicts: tuple[str, str, str], word: str, expected: str
) -> None:
    finding = waited(three(*verdicts), expects={"charlm": word})
    assert finding.verdict == expected


def test_a_difference_rests_on_the_contrasts_that_show_it() -> None:
    finding = waited(three(*ONE_DIFFERENT), expects={"charlm": "differ"})
    assert [one.key for one in finding.evidence[0].numbers] == ["rules.final.contrasts.2"]
    assert finding.evidence[0].says == "CharLM: 1 of 3 contrasts in loss.all are different."


def test_what_is_open_names_the_seeds_that_would_settle_all_of_it() -> None:
    finding = waited(
        results(
            contrast("relu", "gelu", "inconclusive", seeds_to_settle={"either": 17}),
            contrast("relu", "swish", "inconclusive", seeds_to_settle={"either": 40}),
            contrast("gelu", "swish", "equivalent"),
        ),
        expects={"charlm": "alike"},
    )
    assert (finding.verdict, finding.settles) == (INCONCLUSIVE, "40 seeds")


def test_what_no_number_of_seeds_would_settle_says_so() -> None:
    settling = {"either": None}
    finding = waited(three(*OPEN, seeds_to_settle=settling), expects={"charlm": "alike"})
    assert finding.settles == "more than 1,000 seeds"


def test_unsound_contrasts_want_runs_that_pass() -> None:
    unsound = three("unsound", "unsound", "unsound", failed_gates=["learned", "causal"])
    finding = waited(unsound, expects={"charlm": "differ"})
    assert (finding.verdict, finding.settles) == (INCONCLUSIVE, "runs that pass causal, learned")
    assert "cells that failed causal, learned" in finding.evidence[0].says


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (ALL_ALIKE, SUPPORTED),
        (ONE_DIFFERENT, CONTRADICTED),
        (OPEN, INCONCLUSIVE),
    ],
)
def test_every_model_must_be_as_expected(other: tuple[str, str, str], expected: str) -> None:
    second = ModelResults(
        "results/full/convlm/stats.json", {**three(*other).stats, "model": "convlm"}
    )
    finding = waited(
        three(*ONE_DIFFERENT),
        second,
        models=["charlm", "convlm"],
        expects={"charlm": "differ", "convlm": "alike"},
    )
    assert finding.verdict == expected
    assert len(finding.evidence) == 2


def test_an_unknown_expectation_is_refused() -> None:
    with pytest.raises(ActreproError, match="found 'equal'"):
        waited(expects={"charlm": "equal"})


@pytest.mark.parametrize(
    ("relu", "gelu", "expected"),
    [
        (("different", -0.1), ("different", 0.1), SUPPORTED),
        (("different", -0.1), ("different", -0.1), CONTRADICTED),
        (("equivalent", -0.1), ("different", 0.1), CONTRADICTED),
        (("inconclusive", -0.1), ("different", 0.1), INCONCLUSIVE),
    ],
)
def test_the_activation_ahead_is_shown_to_be_lower_than_all_others(
    relu: tuple[str, float], gelu: tuple[str, float], expected: str
) -> None:
    run = results(
        contrast("swish", "relu", *relu),
        contrast("gelu", "swish", *gelu),
        contrast("relu", "gelu", "equivalent"),
    )
    assert waited(run, ahead="swish").verdict == expected


# Gaps and products.


def gaps(**more: Any) -> Finding:
    return keeps_gaps(made_claim(), context(), **more)


def test_missing_cells_stay_missing_here() -> None:
    finding = gaps()
    assert filling_functions() == []
    assert finding.verdict == CONTRADICTED
    assert len(finding.evidence) == 1


def test_equal_numbers_of_different_runs_are_told() -> None:
    same = {"readme-charlm-gelu-pd": "value", "full-charlm-gelu-row-master": "relative_pd"}
    finding = gaps(same=same)
    assert finding.evidence[1].rows == tuple(same)
    assert "0.9051" in finding.evidence[1].says


def test_numbers_that_do_not_agree_are_not_told() -> None:
    same = {"readme-charlm-gelu-pd": "value", "feat-gpu-monitor": "memory"}
    assert len(gaps(same=same).evidence) == 1


def test_a_function_that_fills_in_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text("def interpolate_cells() -> None: ...\n", encoding="utf-8")
    monkeypatch.setattr(capabilities, "PACKAGE", tmp_path)
    finding = gaps()
    assert finding.verdict == SUPPORTED
    assert "the function made.interpolate_cells" in finding.evidence[0].says


def test_a_number_that_is_never_null_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {**capabilities._schema_of(capabilities.StatsFile)}
    cell = {**schema["$defs"]["Cell"]["properties"]}
    cell["group"] = {"additionalProperties": {"$ref": "#/$defs/Estimate"}}
    schema["$defs"] = {**schema["$defs"], "Cell": {"properties": cell}}
    monkeypatch.setattr(capabilities, "_schema_of", lambda shape: schema)
    finding = gaps()
    assert finding.verdict == SUPPORTED
    assert finding.evidence[0].says == (
        "This program can: models.*.rules.final.cells.*.group.* is never null."
    )


@pytest.mark.parametrize(("total", "expected"), [(75, SUPPORTED), (74, IMPOSSIBLE)])
def test_counts_multiply_out(total: int, expected: str) -> None:
    claim = made_claim(printed={"runs": total, "a": 3, "b": 5, "c": 5})
    finding = product_of(claim, context(), printed="runs", of=["a", "b", "c"], within=0)
    assert finding.verdict == expected
    assert "3 × 5 × 5 = 75" in finding.evidence[0].says


# The table.


@pytest.mark.parametrize(("kind", "count"), KINDS.items())
def test_every_row_is_there(kind: str, count: int) -> None:
    assert sum(claim.kind == kind for claim in rows().values()) == count


@pytest.mark.parametrize("id_", rows())
def test_every_row_has_a_verdict_with_evidence(id_: str) -> None:
    findings = judged(rows()[id_])
    says = [one.says for finding in findings for one in finding.evidence]
    assert all(len(one) > 20 for one in says)
    files = [file for finding in findings for one in finding.evidence for file in one.all_files]
    assert all((REPOSITORY / file).is_file() for file in files)


def test_no_two_rows_that_are_told_once_have_the_same_evidence() -> None:
    first = [decisive(judged(claim)).evidence[0].says for claim in rows().values()]
    repeated = {says for says in first if first.count(says) > 1}
    assert not repeated


def test_rows_that_can_be_run_await_it() -> None:
    awaited = [id_ for id_ in rows() if verdict(id_) == NOT_RUN]
    assert awaited == [
        "fw-cross-architecture-full",
        "fw-tinylstm-full",
        "fw-activation-survey",
        "fw-gated-activations",
    ]


def calls(check: str) -> Iterator[Mapping[str, Any]]:
    for claim in rows().values():
        yield from (call for call in claim.checks if call["check"] == check)


def functions() -> list[str]:
    return sorted({name for call in calls("provided_by") for name in call.get("api", ())})


@pytest.mark.parametrize("dotted", functions())
def test_every_function_that_rows_name_can_be_called(dotted: str) -> None:
    module, _, name = dotted.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def commands() -> list[str]:
    """What rows tell a user to type, and the targets of what was not run."""
    found = [one for claim in rows().values() for one in judged(claim)]
    says = [part.says for one in found for part in one.evidence]
    told = [command for text in says for command in re.findall(r"`(snakemake [^`]+)`", text)]
    settles = [one.settles for one in found if one.verdict == NOT_RUN]
    return sorted({*told, *settles})


def names_of(wildcard: str) -> list[str]:
    study = STUDY
    known = {
        "scale": list(study.protocols),
        "model": list(model_names()),
        "activation": list(activation_names()),
        "corpus": list(study.corpora),
        "figure": figure_names(model_names(), activation_names()),
        "seed": ["42", "43", "44"],
    }
    return known.get(wildcard, [])


def is_result(path: str) -> bool:
    """Whether a path is one of `actrepro.core.paths` with names that the program knows."""
    for pattern in vars(paths).values():
        if isinstance(pattern, str) and pattern.startswith("results/"):
            parts = re.split(r"\{(\w+)\}", pattern)
            parts[1::2] = [f"({'|'.join(map(re.escape, names_of(one)))})" for one in parts[1::2]]
            parts[::2] = map(re.escape, parts[::2])
            if re.fullmatch("".join(parts), path):
                return True
    return False


def test_paths_with_unknown_names_are_no_results() -> None:
    assert is_result("results/full/charlm/stats.json")
    assert not is_result("results/huge/charlm/stats.json")
    assert not is_result("results/full/charlm/mish/differences.json")


@pytest.mark.parametrize("command", commands())
def test_what_a_user_is_told_to_type_is_known(command: str) -> None:
    config = yaml.safe_load(default_study_path().read_text(encoding="utf-8"))
    words, option = command.split()[1:], ""
    for word in words:
        if word.startswith("--"):
            option = word
        elif option == "--config":
            key, _, value = word.partition("=")
            assert key in Study.model_fields
            config[key] = value
        elif option == "--configfile":
            assert (REPOSITORY / word).is_file()
        elif option == "--cores":
            option = ""
        elif not option:
            assert word in capabilities._rules() or word in config["protocols"] or is_result(word)
    parse_study(config)


def test_rows_stand_where_the_documents_say() -> None:
    assert all(isinstance(claim.origin, Origin) for claim in rows().values())
    assert {claim.origin.document for claim in rows().values()} == {"S0", "S1", "S2", "S3", "S4"}
