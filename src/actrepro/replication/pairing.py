"""Pairs of the same run from two results folders, if both can be compared.

A run that cannot be compared is left out, with the reason, and never filled in.
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
# A property of the machine or software, such as the number of threads; None if not recorded.
Property = str | int | None
# Keys of a request in which the two sides may differ: the way numbers are computed.
MAY_DIFFER = ("device", "protocol.precision")


@dataclass(frozen=True)
class StoredRun:
    """A run as one results folder has it.

    Attributes
    ----------
    request
        The run's slice of its study.
    corpus_sha256
        Hash of the text that it was trained on.
    ran_on
        Other properties that its bytes may depend on, by name.
    facts
        Validity of its predictions, by checkpoint rule.
    """

    request: RunConfig
    corpus_sha256: str
    ran_on: Mapping[str, Property]
    predictions: StoredPredictions
    facts: Mapping[OwnRule, Validity]


@dataclass(frozen=True)
class RunPair:
    """The same run, made here and there."""

    here: StoredRun
    there: StoredRun

    @property
    def differing(self) -> list[str]:
        """List the properties in which the two sides differ, apart from results."""
        here, there = self.here.ran_on, self.there.ran_on
        return [name for name in {**here, **there} if here.get(name) != there.get(name)]


class _Unfit(Exception):  # noqa: N818 - nobody's mistake: a run that is left out
    """The reason why a run cannot be compared."""


def read_pair(
    here: Path, there: Path, scale: str, run: RunName, evaluation: EvaluationSet
) -> RunPair | str:
    """Read a run from two results folders, or say why the two cannot be compared."""
    try:
        pair = RunPair(
            _read_run(here, HERE, scale, run, evaluation),
            _read_run(there, THERE, scale, run, evaluation),
        )
        _require_same_request(pair)
    except _Unfit as reason:
        return str(reason)
    return pair


def _read_run(
    folder: Path, side: str, scale: str, run: RunName, evaluation: EvaluationSet
) -> StoredRun:
    """Read a run, or raise `_Unfit`: missing, incomplete, damaged, lost, or of another text."""
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
        return _stored_run(record, predictions, facts)
    except (ActreproError, KeyError, TypeError, ValueError) as error:
        LOG.warning("%s: %s", record_path.parent, error)
        raise _Unfit(f"damaged {side}: {record_path.name} or {predictions_path.name}") from None


def _require_usable(record: RunRecord, facts: Mapping[OwnRule, Validity], side: str) -> None:
    if record["status"] != FINISHED:
        raise _Unfit(f"{record['status']} {side}: {record['why']}")
    for rule, validity in facts.items():
        if not validity.usable:
            raise _Unfit(f"{side}: {validity.why}")
        if validity.weights_sha256 != record["weights_sha256"][rule]:
            raise _Unfit(f"{side}: run.json and predictions.npz are of different weights")


def _stored_run(
    record: RunRecord, predictions: StoredPredictions, facts: Mapping[OwnRule, Validity]
) -> StoredRun:
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
    return StoredRun(request, record["corpus_sha256"], ran_on, predictions, facts)


def _require_same_request(pair: RunPair) -> None:
    here, there = (dict(_flat(run.request.model_dump())) for run in (pair.here, pair.there))
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
    """Yield the dotted keys of nested mappings, with their values."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _prefixed(group: str, values: Machine | GitState | Mapping[str, str]) -> dict[str, Property]:
    return {f"{group}.{name}": cast(Property, value) for name, value in values.items()}
