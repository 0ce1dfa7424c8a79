"""Evidence from records: results of scales that have none made here, marked wherever they count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from actrepro.audit.claims import SCALES
from actrepro.audit.results import ModelResults, Place, Results, misfit
from actrepro.config.study import Study
from actrepro.core import paths
from actrepro.core.formats import listed
from actrepro.core.paths import record_of
from actrepro.replication.archive import Record, Records


@dataclass
class _Found:
    """A record's models of a scale: the usable ones, and reasons against the rest."""

    record: Record
    models: dict[Place, ModelResults] = field(default_factory=dict)
    refused: dict[Place, str] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """The number of runs behind the usable models."""
        return sum(len(model.stats["runs"]) for model in self.models.values())

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the files that the evidence is read from, and of their provenance."""
        files = (provenance_of(self.record.name), *(one.file for one in self.models.values()))
        return {file: self.record.hashes[file] for file in files}


def with_records(results: Results, records: Records) -> Results:
    """The results with those of records, for scales that have no results made here at all.

    A scale's evidence is from one record, so that models are never compared across two: from
    that with the most runs of it that fit the config, then from the first by name.
    """
    made_here = {scale for scale, _ in (*results.models, *results.refused)}
    models, refused, hashes = dict(results.models), dict(results.refused), dict(results.hashes)
    used: dict[str, list[str]] = {}
    for scale in SCALES:
        found = [
            _found(results.study, scale, record)
            for record in records.whole.values()
            if scale in record.scales
        ]
        if scale in made_here:
            refused |= _beside(scale, found, results)
        elif found:
            best = max(found, key=lambda one: one.runs)
            models |= best.models
            refused |= best.refused
            if best.models:
                hashes |= best.hashes
                used.setdefault(best.record.name, []).append(scale)
    told = {name: _told(records.whole[name], scales) for name, scales in sorted(used.items())}
    return replace(
        results,
        models=models,
        refused=refused,
        hashes=hashes,
        records=told,
        ignored_records=dict(records.ignored),
    )


def _found(study: Study, scale: str, record: Record) -> _Found:
    found = _Found(record)
    for model in record.models:
        file, stats = record.stats(scale, model)
        why = misfit(study, scale, stats)
        if why:
            found.refused[scale, model] = f"in the record {record.name}, {why}"
        else:
            found.models[scale, model] = ModelResults(file, stats)
    return found


def _beside(scale: str, found: Iterable[_Found], results: Results) -> dict[Place, str]:
    """Return the reasons why recorded models of a scale do not count beside results made here."""
    return {
        place: f"there is no such file; the record {one.record.name} has it, but recorded results "
        f"do not count beside results of scale {scale} that were made here"
        for one in found
        for place in one.models
        if place not in results.models and place not in results.refused
    }


def _told(record: Record, scales: Iterable[str]) -> dict[str, Any]:
    """Return the entry in `claims.json` of a record that is evidence."""
    provenance = record.provenance.model_dump(mode="json")
    kept = ("command", "devices", "machines", "packages", "sources")
    return {
        "study": record.provenance.config.study,
        "scales": list(scales),
        **{key: provenance[key] for key in kept},
    }


def provenance_of(record: str) -> str:
    """The file that says what a record is."""
    return paths.at(paths.PROVENANCE, record=record)


def records_behind(files: Iterable[str]) -> list[str]:
    """The names of the records that some files belong to, each once."""
    return list(dict.fromkeys(filter(None, map(record_of, files))))


def marked(says: str, records: list[str]) -> str:
    """A sentence of evidence, with the records that it rests on."""
    return f"{says} (Recorded results, not made here: {listed(records)}.)" if records else says


def note(audit: Mapping[str, Any]) -> str:
    """Name the scales with recorded evidence, and the devices behind it; empty where none is."""
    told = [
        f"{listed(one['scales'])} from the record {name}, made on "
        f"{listed([device['device'] for device in one['devices']])}"
        for name, one in audit["records"].items()
    ]
    if not told:
        return ""
    return (
        "Recorded results are the evidence where a scale has none that were made here, and every "
        f"sentence that rests on them says so: {'; '.join(told)}."
    )
