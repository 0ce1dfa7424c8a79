"""Records: what studies made elsewhere have left, in small form, beside what is made here.

A record is a folder, `resources/recorded/{name}`, that `recording` writes: statistics, tables,
histories and the runs' own records, and `provenance.json`, which says what was run on what and
has the hash of every other file. One that is not whole, not as it was written, or of another
version is told and ignored: no number is ever read from it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, overload

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from actrepro.config.protocol import FileName, Sha256
from actrepro.core import paths
from actrepro.core.errors import ActreproError, few
from actrepro.core.files import read_json, sha256_of
from actrepro.core.paths import below_results, record_of
from actrepro.core.shapes import Machine as TrainedOn
from actrepro.results.schema import ModelStatsFile, StatsFile, read_model_stats, read_stats
from actrepro.results.schema_version import VERSION

LOG = logging.getLogger("actrepro")

# One more whenever files of a record come or go, or a key of `provenance.json` does.
FORMAT = 1

PROVENANCE, STUDY, RUNS, HISTORIES = "provenance.json", "study.json", "runs.json", "histories.csv"
OF_SCALE = (paths.SCALE_STATS, paths.RUNS_TABLE, paths.PAIRS_TABLE)
OF_MODEL = (paths.MODEL_STATS,)

# A name inside the record's folder, never a way out of it.
Inside = Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9_-]*/)*[a-z]+\.(json|csv)$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(BaseModel):
    """The config of the study, as asked; its other keys are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True)

    study: FileName
    models: tuple[FileName, ...]
    activations: tuple[FileName, ...]
    seeds: tuple[int, ...]
    scales: tuple[FileName, ...]


class Device(_Part):
    """A device, and how many runs were trained on it."""

    device: str
    runs: int


class Machine(_Part):
    """A machine: processor, cores, system; nothing that names it."""

    machine: TrainedOn
    runs: int


class Packages(_Part):
    """Versions of Python and of packages."""

    packages: dict[str, str]
    runs: int


class Source(_Part):
    """The commit of the library that trained, and whether it had changes."""

    commit: str | None
    dirty: bool | None
    runs: int


class File(_Part):
    """A file as it was recorded."""

    sha256: Sha256
    bytes: int


class Provenance(_Part):
    """What `provenance.json` says.

    Attributes
    ----------
    format, schema_
        Versions of a record's shape and of its `stats.json` files.
    command
        What makes it again, with the record's own `study.json`.
    status
        How many runs ended how.
    fingerprints
        By model, that of the source which trained all of its runs; null where it cannot be told.
    files
        Every other file of the record.
    sha256
        Of all the rest of this file.
    """

    format: int
    schema_: int = Field(alias="schema")
    record: FileName
    command: str
    status: dict[str, int]
    devices: tuple[Device, ...]
    machines: tuple[Machine, ...]
    packages: tuple[Packages, ...]
    sources: tuple[Source, ...]
    fingerprints: dict[FileName, Sha256 | None]
    config: Asked
    files: dict[Inside, File]
    sha256: Sha256


@dataclass(frozen=True)
class Record:
    """A record that is whole and as it was written."""

    folder: Path
    provenance: Provenance
    provenance_sha256: str

    @property
    def name(self) -> str:
        """The record's name."""
        return self.provenance.record

    @property
    def scales(self) -> tuple[str, ...]:
        """The scales that it has results of."""
        return self.provenance.config.scales

    @property
    def models(self) -> tuple[str, ...]:
        """The models that it has results of, at each of its scales."""
        return self.provenance.config.models

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file, by its name below the folder that holds `resources/`."""
        own = {file: one.sha256 for file, one in self.provenance.files.items()}
        return {
            self.named(file): digest
            for file, digest in {PROVENANCE: self.provenance_sha256, **own}.items()
        }

    def named(self, file: str) -> str:
        """How pages and evidence name a file of the record."""
        return f"{paths.at(paths.RECORD, record=self.name)}/{file}"

    @overload
    def stats(self, scale: str) -> tuple[str, StatsFile]: ...

    @overload
    def stats(self, scale: str, model: str) -> tuple[str, ModelStatsFile]: ...

    def stats(
        self, scale: str, model: str | None = None
    ) -> tuple[str, StatsFile] | tuple[str, ModelStatsFile]:
        """A `stats.json`, of a scale or of one of its models: its name, and what it says."""
        if model is None:
            file = below_results(paths.at(paths.SCALE_STATS, scale=scale))
            return self.named(file), read_stats(self.folder / file)
        file = below_results(paths.at(paths.MODEL_STATS, scale=scale, model=model))
        return self.named(file), read_model_stats(self.folder / file)


@dataclass(frozen=True)
class Records:
    """The records at hand, by name, and of those that are ignored, why."""

    whole: Mapping[str, Record] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)

    def sha256_of(self, file: str) -> str | None:
        """The hash of a file by its name; None unless its record is whole and has it."""
        record = self.whole.get(record_of(file))
        return None if record is None else record.hashes.get(file)


NONE = Records()


def copied_files(scales: Iterable[str], models: Sequence[str]) -> list[str]:
    """The results files that a record has as they are."""
    return [
        path
        for scale in scales
        for path in (
            *(paths.at(pattern, scale=scale) for pattern in OF_SCALE),
            *(
                paths.at(pattern, scale=scale, model=model)
                for model in models
                for pattern in OF_MODEL
            ),
        )
    ]


def record_folders(places: Iterable[Path]) -> list[Path]:
    """The folders of all records in some places; of two with one name, that in the first place."""
    found: dict[str, Path] = {}
    for place in places:
        for folder in sorted(place.glob("[!.]*")):
            if folder.is_dir():
                found.setdefault(folder.name, folder)
    return [found[name] for name in sorted(found)]


def record_digests(places: Iterable[Path]) -> dict[str, str]:
    """By the folder of each record in some places, one hash of all its files as they are now."""
    return {str(folder): folder_digest(folder) for folder in record_folders(places)}


def folder_digest(folder: Path) -> str:
    """One hash of the names and bytes of all files in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()} {sha256_of(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_records(folders: Iterable[Path]) -> Records:
    """The records in these folders, those that cannot be used with the reason, which is logged."""
    whole: dict[str, Record] = {}
    ignored: dict[str, str] = {}
    for folder in folders:
        try:
            whole[folder.name] = read_record(folder)
        except ActreproError as error:
            LOG.warning("%s", error)
            ignored[folder.name] = str(error)
    return Records(whole, ignored)


def read_record(folder: Path) -> Record:
    """A record, every file of which is as it was recorded.

    Raises
    ------
    ActreproError
        When it is damaged, altered, or of another version.
    """
    path = folder / PROVENANCE
    content = _content(folder, path)
    _require_version(folder, content)
    if content.get("sha256") != content_sha256(content):
        raise _unusable(folder, f"{PROVENANCE} is not as it was written")
    try:
        provenance = Provenance.model_validate(content)
    except ValidationError as error:
        one = error.errors()[0]
        place = ".".join(map(str, one["loc"]))
        raise _unusable(folder, f"{PROVENANCE}: {place}: {one['msg']}") from None
    _require_files(folder, provenance)
    return Record(folder, provenance, sha256_of(path))


def content_sha256(content: Mapping[str, object]) -> str:
    """The hash of all that `provenance.json` says beside this hash."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _content(folder: Path, path: Path) -> dict[str, object]:
    if not path.is_file():
        raise _unusable(folder, f"there is no {PROVENANCE}")
    try:
        content = read_json(path)
    except ActreproError:
        content = None
    if not isinstance(content, dict):
        raise _unusable(folder, f"{PROVENANCE} is damaged")
    return content


def _require_version(folder: Path, content: Mapping[str, object]) -> None:
    found = content.get("format"), content.get("schema")
    if found != (FORMAT, VERSION):
        raise ActreproError(
            f"{_shown(folder)} is ignored: found format {found[0]} with stats.json of schema "
            f"{found[1]}, expected {FORMAT} with {VERSION}; record the study again with this "
            "version of actrepro, or read the record with the version that wrote it"
        )


def _require_files(folder: Path, provenance: Provenance) -> None:
    """What is not listed is not read; what is read must be listed, there, and unchanged."""
    if provenance.record != folder.name:
        raise _unusable(folder, f"it was recorded as {provenance.record}")
    needed = [*copied_files(provenance.config.scales, provenance.config.models)]
    unlisted = {STUDY, RUNS, HISTORIES, *map(below_results, needed)} - provenance.files.keys()
    missing = [file for file in provenance.files if not (folder / file).is_file()]
    changed = [
        file
        for file, one in provenance.files.items()
        if file not in missing and sha256_of(folder / file) != one.sha256
    ]
    for files, what in (
        (sorted(unlisted), f"in {PROVENANCE} there is no"),
        (missing, "there is no"),
        (changed, "changed since it was recorded:"),
    ):
        if files:
            raise _unusable(folder, f"{what} {few(files)}")


def _unusable(folder: Path, found: str) -> ActreproError:
    return ActreproError(
        f"{_shown(folder)} is ignored: {found}, expected every file as it was recorded; bring the "
        "whole folder again from where it was made, or delete it"
    )


def _shown(folder: Path) -> str:
    return paths.at(paths.RECORD, record=folder.name)
