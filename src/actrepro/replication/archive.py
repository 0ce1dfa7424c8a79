"""Records: results of studies made elsewhere, in small form.

A record is a folder, `resources/recorded/{name}`, that `archive_writer` writes: statistics,
tables, histories, each run's `run.json`, and `provenance.json`. The last lists what was run on
which machines, and the hash of every other file. An incomplete or altered record, or one of
another version, is reported and ignored: no number is ever read from it.
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

# Increases whenever files of a record, or keys of `provenance.json`, are added or removed.
FORMAT = 1

PROVENANCE, STUDY, RUNS, HISTORIES = "provenance.json", "study.json", "runs.json", "histories.csv"
OF_SCALE = (paths.SCALE_STATS, paths.RUNS_TABLE, paths.PAIRS_TABLE)
OF_MODEL = (paths.MODEL_STATS,)

# A name inside the record's folder, never a way out of it.
Inside = Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9_-]*/)*[a-z]+\.(json|csv)$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(BaseModel):
    """The config of the study, as the user gave it; other keys are kept unchanged."""

    model_config = ConfigDict(extra="allow", frozen=True)

    study: FileName
    models: tuple[FileName, ...]
    activations: tuple[FileName, ...]
    seeds: tuple[int, ...]
    scales: tuple[FileName, ...]


class Device(_Part):
    """A device, and the number of runs trained on it."""

    device: str
    runs: int


class Machine(_Part):
    """A machine without its name: processor, cores, system."""

    machine: TrainedOn
    runs: int


class Packages(_Part):
    """Versions of Python and of packages."""

    packages: dict[str, str]
    runs: int


class Source(_Part):
    """The commit of the library that trained, and whether the checkout had changes."""

    commit: str | None
    dirty: bool | None
    runs: int


class File(_Part):
    """Hash and size of a file when it was recorded."""

    sha256: Sha256
    bytes: int


class Provenance(_Part):
    """Content of `provenance.json`.

    Attributes
    ----------
    format, schema_
        Versions of a record's shape and of its `stats.json` files.
    command
        Makes the record again, with its own `study.json`.
    status
        Number of runs by the way they ended.
    fingerprints
        By model, the fingerprint of the source that trained all of its runs; null where unknown.
    files
        Every other file of the record.
    sha256
        Hash of the rest of this file.
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
    """A record that is complete and unchanged."""

    folder: Path
    provenance: Provenance
    provenance_sha256: str

    @property
    def name(self) -> str:
        """Name of the record."""
        return self.provenance.record

    @property
    def scales(self) -> tuple[str, ...]:
        """Scales with results."""
        return self.provenance.config.scales

    @property
    def models(self) -> tuple[str, ...]:
        """Models with results, at each of its scales."""
        return self.provenance.config.models

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file, by its name below the folder that holds `resources/`."""
        recorded = {
            file: recorded_file.sha256 for file, recorded_file in self.provenance.files.items()
        }
        return {
            self.named(file): digest
            for file, digest in {PROVENANCE: self.provenance_sha256, **recorded}.items()
        }

    def named(self, file: str) -> str:
        """Return the name of a file of the record, as pages and evidence quote it."""
        return f"{paths.at(paths.RECORD, record=self.name)}/{file}"

    @overload
    def stats(self, scale: str) -> tuple[str, StatsFile]: ...

    @overload
    def stats(self, scale: str, model: str) -> tuple[str, ModelStatsFile]: ...

    def stats(
        self, scale: str, model: str | None = None
    ) -> tuple[str, StatsFile] | tuple[str, ModelStatsFile]:
        """Read `stats.json` of a scale or of one of its models; return its name and content."""
        if model is None:
            file = below_results(paths.at(paths.SCALE_STATS, scale=scale))
            return self.named(file), read_stats(self.folder / file)
        file = below_results(paths.at(paths.MODEL_STATS, scale=scale, model=model))
        return self.named(file), read_model_stats(self.folder / file)


@dataclass(frozen=True)
class Records:
    """Records by name, and for those that are ignored, the reason."""

    whole: Mapping[str, Record] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)

    def sha256_of(self, file: str) -> str | None:
        """Return the hash of a file by its name; None unless a complete record has it."""
        record = self.whole.get(record_of(file))
        return None if record is None else record.hashes.get(file)


NONE = Records()


def copied_files(scales: Iterable[str], models: Sequence[str]) -> list[str]:
    """List the results files that a record contains unchanged."""
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
    """List the folders of all records; for a name found twice, the first place wins."""
    by_name: dict[str, Path] = {}
    for place in places:
        for folder in sorted(place.glob("[!.]*")):
            if folder.is_dir():
                by_name.setdefault(folder.name, folder)
    return [by_name[name] for name in sorted(by_name)]


def record_digests(places: Iterable[Path]) -> dict[str, str]:
    """Hash all files of each record as they are now, by the record's folder."""
    return {str(folder): folder_digest(folder) for folder in record_folders(places)}


def folder_digest(folder: Path) -> str:
    """Compute one hash of the names and bytes of all files in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()} {sha256_of(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_records(folders: Iterable[Path]) -> Records:
    """Read the records in these folders; log and keep the reason for each that is ignored."""
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
    """Read a record, and check that every file is as it was recorded.

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
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _unusable(folder, f"{PROVENANCE}: {place}: {first['msg']}") from None
    _require_files(folder, provenance)
    return Record(folder, provenance, sha256_of(path))


def content_sha256(content: Mapping[str, object]) -> str:
    """Compute the hash of `provenance.json` without this hash itself."""
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
    versions = content.get("format"), content.get("schema")
    if versions != (FORMAT, VERSION):
        raise ActreproError(
            f"{_shown(folder)} is ignored: found format {versions[0]} with stats.json of schema "
            f"{versions[1]}, expected {FORMAT} with {VERSION}; record the study again with this "
            "version of actrepro, or read the record with the version that wrote it"
        )


def _require_files(folder: Path, provenance: Provenance) -> None:
    """Check that every file is listed, exists, and is unchanged; others are never read."""
    if provenance.record != folder.name:
        raise _unusable(folder, f"it was recorded as {provenance.record}")
    needed = [*copied_files(provenance.config.scales, provenance.config.models)]
    unlisted = {STUDY, RUNS, HISTORIES, *map(below_results, needed)} - provenance.files.keys()
    missing = [file for file in provenance.files if not (folder / file).is_file()]
    changed = [
        file
        for file, recorded in provenance.files.items()
        if file not in missing and sha256_of(folder / file) != recorded.sha256
    ]
    for files, what in (
        (sorted(unlisted), f"in {PROVENANCE} there is no"),
        (missing, "there is no"),
        (changed, "changed since it was recorded:"),
    ):
        if files:
            raise _unusable(folder, f"{what} {few(files)}")


def _unusable(folder: Path, problem: str) -> ActreproError:
    return ActreproError(
        f"{_shown(folder)} is ignored: {problem}, expected every file as it was recorded; bring "
        "the whole folder again from where it was made, or delete it"
    )


def _shown(folder: Path) -> str:
    return paths.at(paths.RECORD, record=folder.name)
