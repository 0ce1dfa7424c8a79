"""The same run made in two results folders: can both be compared, and on what was each made?

What cannot be compared is left out, with the reason, and never filled in.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from actrepro.config.study import RunConfig
from actrepro.core.errors import ActreproError
from actrepro.core.shapes import GitState, Machine, read_as
from actrepro.core.vocabulary import FINISHED
from actrepro.data.evaluation_set import EvaluationSet
from actrepro.predict.store import OWN_RULES, OwnRule, StoredPredictions, open_predictions
from actrepro.predict.validity import Validity, inspect
from actrepro.replication.folder import RunName, files_of_run
from actrepro.train.shapes import RunRecord

LOG = logging.getLogger("actrepro")

HERE, THERE = SIDES = ("here", "there")
# What a run was made on, such as the number of threads; None where nobody recorded it.
Property = str | int | None
# What two makings of the same run may be asked differently: how numbers are computed.
MAY_DIFFER = ("device", "protocol.precision")


@dataclass(frozen=True)
class Making:
    """One run as one results folder has it.

    Attributes
    ----------
    request
        What was asked.
    corpus_sha256
        Of the text that it was trained on.
    ran_on
        What its bytes may depend on beside these, by name.
    facts
        What its predictions are, by checkpoint rule.
    """

    request: RunConfig
    corpus_sha256: str
    ran_on: Mapping[str, Property]
    predictions: StoredPredictions
    facts: Mapping[OwnRule, Validity]


@dataclass(frozen=True)
class Counterparts:
    """The same run, made here and there."""

    here: Making
    there: Making

    @property
    def differing(self) -> list[str]:
        """In what the two makings differ beside their results."""
        here, there = self.here.ran_on, self.there.ran_on
        return [name for name in {**here, **there} if here.get(name) != there.get(name)]


class _Unfit(Exception):  # noqa: N818 - nobody's mistake: a run that is left out
    """Why a run cannot be compared."""


def counterparts(
    here: Path, there: Path, scale: str, run: RunName, evaluation: EvaluationSet
) -> Counterparts | str:
    """A run as two results folders have it, or why the two cannot be compared."""
    try:
        found = Counterparts(
            _making(here, HERE, scale, run, evaluation),
            _making(there, THERE, scale, run, evaluation),
        )
        _require_same_request(found)
    except _Unfit as reason:
        return str(reason)
    return found


def _making(folder: Path, side: str, scale: str, run: RunName, evaluation: EvaluationSet) -> Making:
    """Raises `_Unfit` for a run that is missing, in parts, damaged, lost, or of another text."""
    files = files_of_run(folder, scale, run)
    missing = [file.name for file in files if not file.is_file()]
    if len(missing) == len(files):
        raise _Unfit(f"missing {side}")
    if missing:
        raise _Unfit(f"in parts {side}: no {missing[0]}")
    record_path, predictions_path = files
    try:
        record, predictions = read_as(RunRecord, record_path), open_predictions(predictions_path)
        facts: dict[OwnRule, Validity] = {
            rule: inspect(predictions, rule, evaluation) for rule in OWN_RULES
        }
        _require_usable(record, facts, side)
        return _made(record, predictions, facts)
    except (ActreproError, KeyError, TypeError, ValueError) as error:
        LOG.warning("%s: %s", record_path.parent, error)
        raise _Unfit(f"damaged {side}: {record_path.name} or {predictions_path.name}") from None


def _require_usable(record: RunRecord, facts: Mapping[OwnRule, Validity], side: str) -> None:
    if record["status"] != FINISHED:
        raise _Unfit(f"{record['status']} {side}: {record['why']}")
    for rule, one in facts.items():
        if not one.usable:
            raise _Unfit(f"{side}: {one.why}")
        if one.weights_sha256 != record["weights_sha256"][rule]:
            raise _Unfit(f"{side}: run.json and predictions.npz are of different weights")


def _made(
    record: RunRecord, predictions: StoredPredictions, facts: Mapping[OwnRule, Validity]
) -> Making:
    request = RunConfig.model_validate(record["config"])
    ran_on: dict[str, Property] = {
        "device": record["device"],
        "precision": request.protocol.precision,
        "threads": record["threads"],
        "sequences_at_once": record["sequences_at_once"],
        **_prefixed("machine", record["machine"]),
        **_prefixed("packages", record["packages"]),
        **_prefixed("git", record["git"]),
    }
    return Making(request, record["corpus_sha256"], ran_on, predictions, facts)


def _require_same_request(pair: Counterparts) -> None:
    here, there = (dict(_flat(one.request.model_dump())) for one in (pair.here, pair.there))
    differing = [
        f"{key} is {here.get(key)} here and {there.get(key)} there"
        for key in here | there
        if key not in MAY_DIFFER and here.get(key) != there.get(key)
    ]
    if differing:
        raise _Unfit(f"another request: {'; '.join(differing)}")
    if pair.here.corpus_sha256 != pair.there.corpus_sha256:
        raise _Unfit("trained on another text")


def _flat(values: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    """Dotted keys of nested mappings, with their values."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _prefixed(group: str, values: Machine | GitState | Mapping[str, str]) -> dict[str, Property]:
    return {f"{group}.{name}": cast(Property, value) for name, value in values.items()}
