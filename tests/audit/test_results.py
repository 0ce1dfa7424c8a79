"""What was not run is asked for with one command that Snakemake takes as it is."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import yaml

from actrepro.audit.config import parse_audit
from actrepro.audit.findings import Finding, MissingError
from actrepro.audit.results import ModelResults, Results, Sides
from actrepro.config.reading import default_study, default_study_path, parse_study

STUDY = default_study()
FULL, CPU = "results/full/charlm/stats.json", "results/audit/cpu/charlm/stats.json"


def having(*activations: str) -> ModelResults:
    return ModelResults("a file", {"activations": list(activations)})


def options(finding: Finding) -> dict[str, Any]:
    """What a command adds to the config, as Snakemake reads it."""
    words = shlex.split(finding.settles)
    assert words[:3] == ["snakemake", "--cores", "2"]
    given = words[words.index("--config") + 1 :] if "--config" in words else []
    return {key: yaml.safe_load(value) for key, _, value in (one.partition("=") for one in given)}


def config_with(changes: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(default_study_path().read_text(encoding="utf-8"))
    merged = {key: {**config[key], **value} if isinstance(value, dict) else value
              for key, value in changes.items()}  # fmt: skip
    return {**config, **merged}


def test_what_the_config_has_needs_no_option() -> None:
    finding = Results(STUDY).missing({("full", "charlm"): ("relu", "swish")})
    assert finding is not None
    assert (finding.verdict, finding.settles) == ("not run", f"snakemake --cores 2 {FULL}")
    assert finding.evidence[0].says == f"{FULL}: there is no such file."


@pytest.mark.parametrize(
    ("place", "file", "keys"),
    [(("full", "charlm"), FULL, ()), (("cpu", "charlm"), CPU, ("audit",))],
)
def test_activations_are_named_beside_those_that_were_run(
    place: tuple[str, str], file: str, keys: tuple[str, ...]
) -> None:
    results = Results(STUDY, {place: having("relu")})
    finding = results.missing({place: ("relu", "swiglu")})
    assert finding is not None
    assert finding.evidence[0].says == f"{file}: it does not have swiglu."
    assert file in finding.settles
    study = parse_study(config_with(options(finding)))
    part = parse_audit(study) if keys else study
    assert part.activations == ("relu", "swiglu")


def test_one_command_asks_for_all_that_is_missing() -> None:
    results = Results(
        STUDY,
        {("full", "charlm"): having("relu"), ("full", "minigpt"): having("relu", "gelu")},
        refused={("partial", "charlm"): "it was made with another width"},
    )
    wanted = {
        ("full", "charlm"): ("gelu",), ("full", "minigpt"): ("gelu",),
        ("partial", "charlm"): (), ("cpu", "charlm"): ("swiglu",),
    }  # fmt: skip
    finding = results.missing(wanted)
    assert finding is not None
    assert shlex.split(finding.settles)[3:6] == [FULL, "results/partial/charlm/stats.json", CPU]
    assert options(finding) == {"activations": "relu,gelu", "audit": {"activations": ["swiglu"]}}
    for why in ("it does not have gelu", "made with another width", "no such file"):
        assert why in finding.evidence[0].says


def test_nothing_is_missing_where_everything_was_run() -> None:
    model = having("relu", "gelu")
    results = Results(STUDY, {("full", "charlm"): model})
    assert results.missing({("full", "charlm"): ("gelu",)}) is None
    assert results.having("full", "charlm") is model


def test_lost_runs_are_no_evidence() -> None:
    runs = [{"status": status} for status in ("diverged", "finished", "failed")]
    assert ModelResults("a file", {"runs": runs}).finished() == [(1, {"status": "finished"})]


def test_a_control_has_two_sides_or_none() -> None:
    controls = {"c": {"numbers": {"x": {"control": 1.0, "honest": 2.0}}}}
    sides = Results(STUDY, controls=controls).sides("c", "x")
    assert isinstance(sides, Sides)
    assert (sides.control.value, sides.honest.value) == (1.0, 2.0)
    assert Results(STUDY).sides("c", "x") is None


def test_facts_that_are_missing_are_asked_for() -> None:
    results = Results(STUDY, facts={"corpus": {"symbols": 65}})
    number = results.number_of_facts("corpus", "symbols")
    assert (number.value, number.key) == (65.0, "corpus.symbols")
    with pytest.raises(MissingError, match=r"corpus\.words") as missing:
        results.number_of_facts("corpus", "words")
    finding = missing.value.finding
    assert finding.settles == "snakemake --cores 2 results/audit/facts.json"
