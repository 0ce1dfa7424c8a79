"""The audit's block of the config, which the core hands on unread.

The JSON schema of a whole config, with this block, is in `config/schema.json`: `make schema`
writes it (`python -m actrepro.audit.config`), and a test fails when it drifts from the types.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pydantic import Field, ValidationError

from actrepro.config.names import activation_names, public_modules
from actrepro.config.protocol import FileName, Names, Part, Protocol, Seeds
from actrepro.config.reading import not_a_study, problem
from actrepro.config.study import Study, refuse_unknown

# Its runs lie apart from a study's: the folder of its scale is below this one.
FOLDER = "audit/"


@cache
def trained_control_names() -> tuple[str, ...]:
    """Return the controls that train models: the modules of `actrepro.audit.controls.trained`."""
    return public_modules("audit/controls/trained")


class Control(Protocol):
    """A small experiment of the audit that makes one known mistake on purpose."""

    train_characters: int | None = Field(
        None, ge=1000, description="Characters of training text that it sees (all when absent)."
    )


class Audit(Part):
    """Runs that the audit trains: the earlier study's smallest scale again, and its controls."""

    scale: FileName = Field(description="One of the protocols.")
    models: Names = Field(description="Trained at that scale, independently of the study.")
    activations: Names = Field(description="Activations of these models.")
    seeds: Seeds = Field(description="One run per model, activation and seed.")
    controls: dict[FileName, Control] = Field(
        description="By the name of a file in `src/actrepro/audit/controls/trained/`. A control "
        "that is not listed is not run, and the claims that need it end as *not run*."
    )

    @property
    def folder(self) -> str:
        """The folder of its runs below `results/`, which is the scale of its runs."""
        return f"{FOLDER}{self.scale}"

    def folder_of(self, scale: str) -> str:
        """Return the folder where claims about a scale find results: the audit's, or a study's."""
        return self.folder if scale == self.scale else scale

    def study_of(self, study: Study) -> Study:
        """Return the study that the audit runs: its own scale, with its own models and seeds."""
        protocols = {**study.protocols, self.folder: study.protocols[self.scale]}
        own = {key: getattr(self, key) for key in ("models", "activations", "seeds")}
        return study.model_copy(update={**own, "scales": (self.folder,), "protocols": protocols})

    def slice_of(self, study: Study) -> Study:
        """Return what of a study the audit's verdicts and facts depend on, and no more."""
        own = {key: getattr(self, key) for key in ("models", "activations", "seeds")}
        nothing = dict.fromkeys(("elsewhere", "benchmark", "record"))
        named = {"study": "audit", "scales": (self.scale,), "device": "auto", "custom_models": {}}
        audit = self.model_dump(mode="json")
        return study.model_copy(update={**own, **nothing, **named, "audit": audit})


def parse_audit(study: Study, origin: str = "the config") -> Audit:
    """Check the audit's block of a study's config and give it its types.

    Raises
    ------
    ActreproError
        Naming each wrong key, what was found, and the nearest valid name.
    """
    try:
        audit = Audit.model_validate(study.audit)
        _refuse_unknown_names(study, audit)
    except ValidationError as error:
        raise not_a_study(origin, [_problem(part) for part in error.errors()]) from None
    except ValueError as error:
        raise not_a_study(origin, [str(error)]) from None
    return audit


def _refuse_unknown_names(study: Study, audit: Audit) -> None:
    refuse_unknown("audit.scale", (audit.scale,), tuple(study.protocols))
    refuse_unknown("audit.models", audit.models, study.known_models)
    refuse_unknown("audit.activations", audit.activations, activation_names())
    refuse_unknown("audit.controls", tuple(audit.controls), trained_control_names())
    for control in audit.controls.values():
        refuse_unknown("audit.controls.corpus", (control.corpus,), tuple(study.corpora))


def _problem(part: Any) -> str:
    location = ("audit", *part["loc"])
    kind: type[Part] = Control if location[1:2] == ("controls",) and len(location) > 3 else Audit
    return problem(part, ".".join(map(str, location)), list(kind.model_fields))


def schema() -> str:
    """Return the JSON schema of a config, as it is in `config/schema.json`."""
    study = Study.model_json_schema()
    block = Audit.model_json_schema(ref_template="#/$defs/{model}")
    named = {**study["$defs"], **block.pop("$defs"), "Audit": block}
    about = study["properties"]["audit"]["description"]
    study["properties"]["audit"] = {"$ref": "#/$defs/Audit", "description": about}
    return json.dumps({**study, "$defs": dict(sorted(named.items()))}, indent=2) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
