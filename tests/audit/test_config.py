"""The audit's block of the config: its own types, its own messages, its own study."""

from __future__ import annotations

import json
from typing import Any

import pytest
from audit_fixture import REPOSITORY

from actrepro.audit.config import Audit, parse_audit, schema
from actrepro.config.reading import default_study
from actrepro.core.errors import ActreproError

STUDY = default_study()


def audit_with(**changes: Any) -> Audit:
    return parse_audit(STUDY.model_copy(update={"audit": {**STUDY.audit, **changes}}))


def control_with(**changes: Any) -> dict[str, Any]:
    name, control = next(iter(STUDY.audit["controls"].items()))
    return {"controls": {name: {**control, **changes}}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": "cpuu"}, "audit.scale: 'cpuu' is not known; did you mean 'cpu'?"),
        ({"models": ["charml"]}, "audit.models: 'charml' is not known; did you mean 'charlm'?"),
        ({"activations": ["reluu"]}, "audit.activations: 'reluu' is not known; did you mean"),
        ({"controls": {"leak": control_with()["controls"]["not_wired"]}},
         "audit.controls: 'leak' is not known; valid: constant, no_dropout, not_wired, "),
        (control_with(corpus="nowhere"), "audit.controls.corpus: 'nowhere' is not known"),
        ({"seeds": [1, 1]}, "audit.seeds: found [1, 1], but 1 is named more than once"),
        ({"seed": [1]}, "audit.seed: no such key; did you mean 'seeds'?"),
        (control_with(widht=64), "audit.controls.not_wired.widht: no such key; did you mean"),
        (control_with(width=1), "audit.controls.not_wired.width: found 1, but input should be"),
    ],
)  # fmt: skip
def test_each_wrong_key_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ActreproError) as caught:
        audit_with(**changes)
    assert str(caught.value).startswith("the config is not a valid study:\n  - ")
    assert message in str(caught.value)
    assert str(caught.value).endswith("Every key is described in docs/reference/config.md.")


def test_a_missing_key_is_named() -> None:
    block = {key: value for key, value in STUDY.audit.items() if key != "seeds"}
    with pytest.raises(ActreproError, match=r"  - audit\.seeds: is missing\n"):
        parse_audit(STUDY.model_copy(update={"audit": block}))


def test_the_command_line_may_give_text_for_a_list() -> None:
    assert audit_with(seeds="1", activations="relu,gelu").activations == ("relu", "gelu")


def test_the_audit_runs_a_study_of_its_own() -> None:
    audit = parse_audit(STUDY)
    own = audit.study_of(STUDY)
    run = own.run_config(audit.folder, "charlm", "relu", 42)
    assert (audit.folder, run.name) == ("audit/cpu", "audit/cpu/charlm/relu/seed42")
    assert run.protocol == STUDY.protocols["cpu"].for_model("charlm")
    assert (own.models, own.seeds) == (audit.models, audit.seeds)
    assert audit.folder_of("cpu") == "audit/cpu"
    assert audit.folder_of("full") == "full"


def test_verdicts_depend_on_no_more_than_their_slice() -> None:
    audit = parse_audit(STUDY)
    others = {"study": "other", "models": ("convlm",), "seeds": (1,), "record": "mine"}
    other = STUDY.model_copy(update={**others, "benchmark": None, "device": "cpu"})
    assert audit.slice_of(other) == audit.slice_of(STUDY)
    assert parse_audit(audit.slice_of(STUDY)) == audit


def test_the_json_schema_is_up_to_date() -> None:
    written = (REPOSITORY / "config/schema.json").read_text(encoding="utf-8")
    assert written == schema(), "run: python -m actrepro.audit.config > config/schema.json"
    assert json.loads(written)["additionalProperties"] is False
    assert json.loads(written)["$defs"]["Audit"]["additionalProperties"] is False
