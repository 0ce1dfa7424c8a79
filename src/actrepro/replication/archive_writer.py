"""Writer of records: a finished study in small form, to be copied elsewhere.

A record has statistics, tables, histories and each run's `run.json`, but no weights,
predictions or text. The same results give the same bytes: a record contains no time.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError
from typing_extensions import TypedDict

from actrepro.config.study import RunConfig
from actrepro.core import paths
from actrepro.core.errors import ActreproError, few
from actrepro.core.files import partial_of, read_json, sha256_of, write_json, write_text
from actrepro.core.paths import below_results
from actrepro.core.shapes import read_as
from actrepro.provenance.fingerprint import training_fingerprint
from actrepro.provenance.identity import identity_parts, identity_sha256
from actrepro.replication.archive import (
    FORMAT,
    HISTORIES,
    PROVENANCE,
    RUNS,
    STUDY,
    content_sha256,
    copied_files,
    folder_digest,
    read_record,
)
from actrepro.results.schema_version import VERSION
from actrepro.train.history import HistoryRow, read_history
from actrepro.train.shapes import RunRecord

LOG = logging.getLogger("actrepro")

# A study's config, as `Study.as_asked` gives it.
Asked = Mapping[str, Any]
# By run, `{scale}/{model}/{activation}/seed{seed}`, the content of its `run.json`.
RunRecords = Mapping[str, RunRecord]


NAMES = ("scale", "model", "activation", "seed")


class RunNames(TypedDict):
    """The wildcards of a run's files."""

    scale: str
    model: str
    activation: str
    seed: int


def record_study(name: str, asked: Asked, root: Path = Path()) -> None:
    """Write `resources/recorded/{name}` from a study's finished results.

    If the same record exists already, it stays as it is.

    Parameters
    ----------
    asked
        The config, as `Study.as_asked` gives it.
    root
        The folder of `results/` and `resources/`.

    Raises
    ------
    ActreproError
        When results are missing, are not this study's, or were trained by several sources of
        the library; or when there is another record of that name.
    """
    folder = root / paths.at(paths.RECORD, record=name)
    draft = partial_of(folder)
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _write(draft, name, asked, root)
        if folder.exists():
            _require_same(folder, draft, asked)
            LOG.info("%s: is there already", folder)
        else:
            draft.replace(folder)
            LOG.info("%s: %s files, %s bytes", folder, *_size(folder))
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def runs_of(asked: Asked) -> list[RunNames]:
    """Return the wildcards of every run of a study."""
    names = (asked["scales"], asked["models"], asked["activations"], asked["seeds"])
    return [
        {"scale": scale, "model": model, "activation": activation, "seed": seed}
        for scale, model, activation, seed in product(*names)
    ]


def _write(folder: Path, name: str, asked: Asked, root: Path) -> None:
    runs = runs_of(asked)
    records = {
        below_results(paths.at(paths.RUN, **run)): read_as(
            RunRecord, root / paths.at(paths.RUN_RECORD, **run)
        )
        for run in runs
    }
    fingerprints = _fingerprints(asked, records)
    for path in copied_files(asked["scales"], asked["models"]):
        _copy(root / path, folder / below_results(path), asked)
    write_json(folder / STUDY, asked)
    _write_densely(folder / RUNS, records)
    write_text(folder / HISTORIES, _histories(runs, root))
    write_json(folder / PROVENANCE, _provenance(folder, name, asked, records, fingerprints))


def _copy(source: Path, target: Path, asked: Asked) -> None:
    if source.suffix == ".json":
        stats = read_json(source)
        _require_own(source, stats, asked)
        _write_densely(target, stats)
    elif source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    else:
        raise ActreproError(
            f"{source}: there is no such file; finish the study (snakemake), then record it"
        )


def _write_densely(path: Path, value: Any) -> None:
    """Write JSON without blanks, which take two bytes of three in statistics."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_text(path, f"{text}\n")


def _require_own(path: Path, stats: Mapping[str, Any], asked: Asked) -> None:
    """Refuse statistics of another study, or of another version."""
    # A model's own statistics name no others.
    content = {**stats, "models": list(stats.get("models", asked["models"]))}
    wanted = {"schema": VERSION, **{key: asked[key] for key in ("models", "activations", "seeds")}}
    for key, value in wanted.items():
        if content.get(key) != value:
            raise ActreproError(
                f"{path}: found {key} {content.get(key)}, expected {value}; run the workflow for "
                "this study again, then record it"
            )


def _histories(runs: Sequence[RunNames], root: Path) -> str:
    """Join all histories in one table, with the digits of each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*NAMES, *HistoryRow._fields])
    for run in runs:
        for row in read_history(root / paths.at(paths.HISTORY, **run)):
            writer.writerow([*run.values(), *map(repr, row)])
    return text.getvalue()


def _provenance(
    folder: Path,
    name: str,
    asked: Asked,
    records: RunRecords,
    fingerprints: Mapping[str, str | None],
) -> dict[str, JsonValue]:
    runs = list(records.values())
    study = f"{paths.at(paths.RECORD, record=name)}/{STUDY}"
    content: dict[str, Any] = {
        "format": FORMAT,
        "schema": VERSION,
        "record": name,
        # Targets come first: --configfile takes every name that follows it.
        "command": f"snakemake --cores 2 record --configfile {study} --config record={name}",
        "status": dict(Counter(run["status"] for run in runs)),
        "devices": list(_with_counts({"device": run["device"]} for run in runs)),
        "machines": list(_with_counts({"machine": run["machine"]} for run in runs)),
        "packages": list(_with_counts({"packages": run["packages"]} for run in runs)),
        "sources": list(_with_counts(run["git"] for run in runs)),
        "fingerprints": dict(fingerprints),
        "config": dict(asked),
        "files": {
            str(path.relative_to(folder)): {
                "sha256": sha256_of(path),
                "bytes": path.stat().st_size,
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    return {**content, "sha256": content_sha256(content)}


def _with_counts(values: Iterator[Mapping[str, object]]) -> Iterator[dict[str, JsonValue]]:
    """Count the runs of each distinct value, the most frequent first."""
    counts = Counter(json.dumps(value) for value in values)
    return ({**json.loads(value), "runs": runs} for value, runs in counts.most_common())


def _fingerprints(asked: Asked, records: RunRecords) -> dict[str, str | None]:
    """Return the fingerprint of the source that trained each model; None where unknown.

    A run's identity is one hash of the source and of other values in `run.json`. So it shows
    whether this library's source trained the run, but it cannot identify another source. A
    run's source includes its own activation only; a model's source, all of the study's.
    """
    return {model: _fingerprint(model, asked, records) for model in asked["models"]}


def _fingerprint(model: str, asked: Asked, records: RunRecords) -> str | None:
    custom = asked["custom_models"].get(model)
    of_model = {
        run: record for run, record in records.items() if record["config"]["model"] == model
    }
    try:
        sources = {
            name: training_fingerprint(model, [name], custom) for name in asked["activations"]
        }
        source = training_fingerprint(model, asked["activations"], custom)
    except ActreproError:
        return None
    ours = {
        run: _trained_by(sources[record["config"]["activation"]], record)
        for run, record in of_model.items()
    }
    others = [run for run, trained in ours.items() if trained is False]
    if others and True in ours.values():
        raise ActreproError(
            f"results of {model}: found runs that this source of the library trained, and others "
            f"that another one did ({few(others)}), expected one source for all; delete the "
            "folders of those runs, run the workflow again, then record the study"
        )
    return source if set(ours.values()) == {True} else None


def _trained_by(source: str, record: RunRecord) -> bool | None:
    """Check whether a source of the library trained a run; None if the record cannot show it."""
    digest = record.get("identity_sha256")
    try:
        parts = identity_parts(
            RunConfig.model_validate(record["config"]),
            record["corpus_sha256"],
            source,
            record["packages"],
            record["machine"],
            record["device"],
            record["threads"],
        )
    except (KeyError, ValidationError):
        return None
    return None if digest is None else identity_sha256(parts) == digest


def _require_same(folder: Path, draft: Path, asked: Asked) -> None:
    """Check that an existing record is the same: a record is never replaced."""
    if folder_digest(folder) == folder_digest(draft):
        return
    raise ActreproError(
        f"{folder}: found {_describe(folder, asked)}, expected none of that name, or this very "
        "one; record under another name (--config record=…), or delete the folder to replace it"
    )


def _describe(folder: Path, asked: Asked) -> str:
    """Describe the content of the folder where a record should go."""
    try:
        config = read_record(folder).provenance.config.model_dump(mode="json")
    except ActreproError as error:
        return f"something that is no whole record ({error})"
    differing = [key for key in {**config, **asked} if config.get(key) != asked.get(key)]
    if not differing:
        return "a record of the same study with other results"
    return f"a record of another study (other {few(differing)})"


def _size(folder: Path) -> tuple[int, str]:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), f"{sum(sizes):,}"
