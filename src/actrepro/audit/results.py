"""The results that claims are checked against, as far as they exist and fit the config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from actrepro.audit import paths as audit_paths
from actrepro.audit.config import FOLDER, Audit, parse_audit
from actrepro.audit.findings import ARTEFACT, NOT_RUN, Finding, MissingError, Number, found
from actrepro.config.study import Study
from actrepro.core import paths
from actrepro.core.files import read_json, sha256_of
from actrepro.core.formats import listed
from actrepro.core.paths import record_of
from actrepro.core.vocabulary import FINISHED
from actrepro.predict.store import FINAL
from actrepro.results.schema_version import VERSION

# Snakemake refuses to run without a number of cores.
SNAKEMAKE = "snakemake --cores 2"
# A scale, as claims name it, and a model.
Place = tuple[str, str]


@dataclass(frozen=True)
class ModelResults:
    """One model's `stats.json`."""

    file: str
    stats: Mapping[str, Any]

    @property
    def record(self) -> str:
        """The name of the record that they are from; empty for results made here."""
        return record_of(self.file)

    @property
    def activations(self) -> tuple[str, ...]:
        """The activations that were run."""
        return tuple(self.stats["activations"])

    def cell(self, activation: str) -> Mapping[str, Any]:
        """Return an activation's numbers at the final step, as `stats.json` has them."""
        cell: Mapping[str, Any] = self._final["cells"][activation]
        return cell

    @property
    def _final(self) -> Mapping[str, Any]:
        final: Mapping[str, Any] = self.stats["rules"][FINAL]
        return final

    def score(self, activation: str, measure: str) -> Number | None:
        """Return a cell's mean of a measure of single runs; None where no run is usable."""
        return self._number(activation, "metrics", measure)

    def number(self, activation: str, measure: str) -> Number | None:
        """Return a cell's number of a measure of runs, of pairs of them, or of all together."""
        return self._number(activation, self.part_of(activation, measure), measure)

    def part_of(self, activation: str, measure: str) -> str:
        """Return the part of a cell that has a measure."""
        cell = self.cell(activation)
        return next((part for part in ("metrics", "differences") if measure in cell[part]), "group")

    def _number(self, activation: str, part: str, measure: str) -> Number | None:
        cell = self.cell(activation)
        entry = cell[part][measure]
        if entry is None:
            return None
        key = f"rules.{FINAL}.cells.{activation}.{part}.{measure}"
        return self._from(entry, key, measure, tuple(cell["failed_gates"]))

    def by_seed(self, activation: str, measure: str) -> dict[int, float]:
        """Return a cell's scores, one per usable seed; empty where there are none."""
        entry = self.cell(activation)["metrics"][measure]
        return {} if entry is None else {int(seed): x for seed, x in entry["by_seed"].items()}

    def at_the_end(self, activation: str, loss: str) -> list[Number]:
        """Losses of a cell's finished runs at the last step of their history.

        `loss` is `train_loss` or `selection_loss`.
        """
        return [
            Number(run["last_history"][loss], self.file, f"runs.{place}.last_history.{loss}")
            for place, run in self.finished()
            if run["activation"] == activation
        ]

    def finished(self) -> list[tuple[int, Mapping[str, Any]]]:
        """The runs that were not lost, each with its place in the file."""
        runs = enumerate(self.stats["runs"])
        return [(place, run) for place, run in runs if run["status"] == FINISHED]

    def contrast(self, measure: str, a: str, b: str) -> Number | None:
        """Return the difference a − b within seeds; None where it cannot be had."""
        place, entry = self._contrast(measure, a, b)
        if entry.get("value") is None:
            return None
        key = f"rules.{FINAL}.contrasts.{place}"
        one = self._from(entry, key, measure, tuple(entry["failed_gates"]))
        return one if entry["a"] == a else mirrored(one)

    def all_of_contrast(self, measure: str, a: str, b: str) -> Mapping[str, Any]:
        """Return all that `stats.json` has of a contrast; empty where there is none."""
        return self._contrast(measure, a, b)[1]

    def _contrast(self, measure: str, a: str, b: str) -> tuple[int, Mapping[str, Any]]:
        for place, one in enumerate(self._final["contrasts"]):
            if one["metric"] == measure and {one["a"], one["b"]} == {a, b}:
                return place, one
        return 0, {}

    def _from(
        self, entry: Mapping[str, Any], key: str, measure: str, failed: tuple[str, ...]
    ) -> Number:
        low, high = entry["interval"] or (None, None)
        return Number(entry["value"], self.file, key, measure, entry["n"], low, high, failed)


def mirrored(number: Number) -> Number:
    """The same difference in the other direction."""
    low = None if number.high is None else -number.high
    high = None if number.low is None else -number.low
    return replace(number, value=-number.value, low=low, high=high)


class Sides(NamedTuple):
    """A control's number, with the mistake, and the honest one beside it."""

    control: Number
    honest: Number


@dataclass(frozen=True)
class Results:
    """All results files at hand.

    Attributes
    ----------
    study
        The config, whose protocols the results must have been made with.
    models
        By scale, as claims name it, and model.
    refused
        Why a model's file that exists cannot be used, by scale and model.
    controls
        By name, each control's file as read.
    facts
        What follows from the program and the corpus alone (`facts.json`); None when missing.
    hashes
        SHA-256 of every file read.
    records
        By name, each record that some of the models are from, with its provenance.
    ignored_records
        By name, why a record is not read.
    """

    study: Study
    models: Mapping[Place, ModelResults] = field(default_factory=dict)
    refused: Mapping[Place, str] = field(default_factory=dict)
    controls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    facts: Mapping[str, Any] | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ignored_records: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def audit(self) -> Audit:
        """The runs that the audit itself trains."""
        return parse_audit(self.study)

    def file_of(self, scale: str, model: str) -> str:
        """Return the results file that a claim about a model at a scale rests on."""
        return paths.at(paths.MODEL_STATS, scale=self.audit.folder_of(scale), model=model)

    def model(self, scale: str, model: str) -> ModelResults | None:
        """A model's results at a scale; None when they do not exist or do not fit."""
        return self.models.get((scale, model))

    def control(self, control: str, quantity: str, side: str = "control") -> Number | None:
        """A control's number (`side` control) or the honest one beside it (`side` honest).

        None when the control has not been run, or the number is undefined. A quantity that
        a control does not have is a fault of the table, and raises KeyError.
        """
        if control not in self.controls:
            return None
        entry = self.controls[control]["numbers"][quantity]
        if entry[side] is None:
            return None
        file = paths.at(audit_paths.CONTROL, control=control)
        low, high = entry.get(f"{side}_interval") or (None, None)
        key = f"numbers.{quantity}.{side}"
        return Number(entry[side], file, key, entry.get("measure", ""), entry.get("n"), low, high)

    def sides(self, control: str, quantity: str) -> Sides | None:
        """A control's number and the honest one beside it; None when it has not been run."""
        wrong = self.control(control, quantity)
        honest = self.control(control, quantity, "honest")
        return None if wrong is None or honest is None else Sides(wrong, honest)

    def require(self, wanted: Mapping[Place, Sequence[str]]) -> None:
        """Raise the finding *not run* where some cells were not run; as `missing`.

        Raises
        ------
        MissingError
            With one command for all of them.
        """
        missing = self.missing(wanted)
        if missing is not None:
            raise MissingError(missing)

    def having(self, scale: str, model: str, activations: Sequence[str] = ()) -> ModelResults:
        """Return a model's results, which must have all of these activations; as `require`."""
        self.require({(scale, model): activations})
        return self.models[scale, model]

    def missing(self, wanted: Mapping[Place, Sequence[str]]) -> Finding | None:
        """The finding *not run* where some cells were not run, with one command for all of them.

        Parameters
        ----------
        wanted
            The activations needed of each model at a scale; none where any will do.
        """
        absent = {place: self._lack(place, names) for place, names in wanted.items()}
        absent = {place: why for place, why in absent.items() if why}
        if not absent:
            return None
        files = {place: self.file_of(*place) for place in absent}
        reasons = {
            why: listed([files[place] for place, other in absent.items() if other == why])
            for why in dict.fromkeys(absent.values())
        }
        says = "; ".join(f"{where}: {why}" for why, where in reasons.items())
        options = self._options({place: wanted[place] for place in absent})
        return found(NOT_RUN, f"{says}.", settles=_command([*files.values(), *options]))

    def _lack(self, place: Place, activations: Sequence[str]) -> str:
        """Return the reason why results of a model cannot be used; empty when they can."""
        if place not in self.models:
            return self.refused.get(place, "there is no such file")
        model = self.models[place]
        names = [name for name in activations if name not in model.activations]
        who = f"there is no such file, and the record {model.record}" if model.record else "it"
        return f"{who} does not have {listed(names)}" if names else ""

    def _options(self, wanted: Mapping[Place, Sequence[str]]) -> list[str]:
        """Return the options that name activations which were run before or are needed now.

        Where all are needed that the config has, the config is left as it is. The audit's own
        scale has its activations under another key than studies have.
        """
        named: dict[bool, dict[str, None]] = {False: {}, True: {}}
        for place, names in wanted.items():
            audited = place[0] == self.audit.scale
            part: Audit | Study = self.audit if audited else self.study
            before = self.models[place].activations if place in self.models else ()
            if before or not set(names) <= set(part.activations):
                named[audited].update(dict.fromkeys((*before, *names)))
        options = [f"activations={','.join(named[False])}"] if named[False] else []
        if named[True]:
            options.append(f"'audit={{activations: [{', '.join(named[True])}]}}'")
        return ["--config", *options] if options else []

    def without(self, scale: str, model: str, why: str = "") -> Finding:
        """The finding of a check whose model has no results: what to run, and why."""
        file = self.file_of(scale, model)
        reason = self.refused.get((scale, model)) or why or "there is no such file"
        own = self.models.get((scale, model))
        recorded = (own.file,) if own is not None and own.record else ()
        says = f"{''.join(recorded) or file}: {reason}."
        return found(NOT_RUN, says, settles=_command([file]), files=recorded)

    def without_control(self, control: str) -> Finding:
        """The finding of a check whose control has not been run: it might have been an artefact."""
        file = paths.at(audit_paths.CONTROL, control=control)
        says = f"{file}: there is no such file."
        return replace(found(NOT_RUN, says, settles=_command([file])), instead_of=ARTEFACT)

    def without_facts(self, *keys: str) -> Finding:
        """The finding of a check that needs a fact which is not there."""
        says = f"{audit_paths.FACTS} does not exist or has no {'.'.join(keys)}."
        return found(NOT_RUN, says, settles=_command([audit_paths.FACTS]))

    def fact(self, *keys: str) -> Any:
        """A fact by its keys; None when `facts.json` is missing or does not have it."""
        value: Any = self.facts
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def number_of_facts(self, *keys: str) -> Number:
        """Return a fact that is a number, or is true or false.

        Raises
        ------
        MissingError
            When `facts.json` is missing or does not have it.
        """
        value = self.fact(*keys)
        if value is None:
            raise MissingError(self.without_facts(*keys))
        return Number(float(value), audit_paths.FACTS, ".".join(keys))


def _command(words: Iterable[str]) -> str:
    return " ".join((SNAKEMAKE, *words))


def read_results(
    study: Study, stats: Iterable[Path], controls: Iterable[Path], facts: Path | None
) -> Results:
    """Read the results that exist; those that do not fit the config are refused, with the reason.

    Raises
    ------
    ActreproError
        When a file is damaged.
    """
    models: dict[Place, ModelResults] = {}
    refused: dict[Place, str] = {}
    hashes: dict[str, str] = {}
    for path in stats:
        read = read_json(path)
        scale = str(read.get("scale", "")).removeprefix(FOLDER)
        name = (scale, read.get("model", ""))
        hashes[str(path)] = sha256_of(path)
        why = misfit(study, scale, read)
        if why:
            refused[name] = why
        else:
            models[name] = ModelResults(str(path), read)
    found_controls = {}
    for path in controls:
        found_controls[path.stem] = read_json(path)
        hashes[str(path)] = sha256_of(path)
    if facts is not None:
        hashes[str(facts)] = sha256_of(facts)
    return Results(
        study,
        models,
        refused,
        found_controls,
        None if facts is None else read_json(facts),
        hashes,
    )


def misfit(study: Study, scale: str, stats: Mapping[str, Any]) -> str:
    """Return the reason why a model's statistics do not fit the config; empty when they do."""
    if stats.get("schema") != VERSION:
        return f"it has the shape {stats.get('schema')}, not {VERSION}, so another version wrote it"
    if scale not in study.protocols:
        return f"the config has no scale '{scale}'"
    wanted = study.protocols[scale].for_model(stats["model"]).model_dump(mode="json")
    other = [key for key, value in wanted.items() if stats["protocol"].get(key) != value]
    if other:
        return f"it was made with another {', '.join(other)} than the config now says"
    return ""
