"""Recording: what is kept of a finished study, in small form, to be brought elsewhere.

No weights, no predictions, no text: statistics, tables, histories, and what each run says of
itself. The same results give the same bytes; nothing in a record tells the time.
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
# By run, `{scale}/{model}/{activation}/seed{seed}`, what its `run.json` says.
RunRecords = Mapping[str, RunRecord]


NAMES = ("scale", "model", "activation", "seed")


class RunNames(TypedDict):
    """A run by the wildcards of its files."""

    scale: str
    model: str
    activation: str
    seed: int


def record_study(name: str, asked: Asked, root: Path = Path()) -> None:
    """Write `resources/recorded/{name}` from a study's finished results.

    Where the very same record is there already, nothing is done.

    Parameters
    ----------
    asked
        The config, as `Study.as_asked` gives it.
    root
        The folder that `results/` lies in, and `resources/` will.

    Raises
    ------
    ActreproError
        When results are missing, are not this study's, or were trained by several sources of
        the library; or when there is another record of that name.
    """
    folder = root / paths.at(paths.RECORD, record=name)
    made = partial_of(folder)
    shutil.rmtree(made, ignore_errors=True)
    try:
        _write(made, name, asked, root)
        if folder.exists():
            _require_same(folder, made, asked)
            LOG.info("%s: is there already", folder)
        else:
            made.replace(folder)
            LOG.info("%s: %s files, %s bytes", folder, *_size(folder))
    finally:
        shutil.rmtree(made, ignore_errors=True)


def runs_of(asked: Asked) -> list[RunNames]:
    """The wildcards of every run of a study."""
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
    """JSON without blanks: of statistics, these are two bytes in three."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_text(path, f"{text}\n")


def _require_own(path: Path, stats: Mapping[str, Any], asked: Asked) -> None:
    """Statistics of another study, or of another version, are not recorded as this one's."""
    # A model's own statistics name no others.
    found = {**stats, "models": list(stats.get("models", asked["models"]))}
    wanted = {"schema": VERSION, **{key: asked[key] for key in ("models", "activations", "seeds")}}
    for key, value in wanted.items():
        if found.get(key) != value:
            raise ActreproError(
                f"{path}: found {key} {found.get(key)}, expected {value}; run the workflow for "
                "this study again, then record it"
            )


def _histories(runs: Sequence[RunNames], root: Path) -> str:
    """All histories below each other, their numbers as they stand in each."""
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
        "devices": list(_counted({"device": run["device"]} for run in runs)),
        "machines": list(_counted({"machine": run["machine"]} for run in runs)),
        "packages": list(_counted({"packages": run["packages"]} for run in runs)),
        "sources": list(_counted(run["git"] for run in runs)),
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


def _counted(values: Iterator[Mapping[str, object]]) -> Iterator[dict[str, JsonValue]]:
    """Each distinct value with the number of runs that have it, the most frequent first."""
    found = Counter(json.dumps(value) for value in values)
    return ({**json.loads(value), "runs": runs} for value, runs in found.most_common())


def _fingerprints(asked: Asked, records: RunRecords) -> dict[str, str | None]:
    """By model, the fingerprint of the source that trained its runs, as far as they tell.

    A run's identity is one hash of the source and of all that stands beside it in `run.json`, so
    it tells whether this library's source has trained the run, but not which other one. Of the
    activations only a run's own counts for it, and all of the study's for its model.
    """
    return {model: _fingerprint(model, asked, records) for model in asked["models"]}


def _fingerprint(model: str, asked: Asked, records: RunRecords) -> str | None:
    custom = asked["custom_models"].get(model)
    own = {run: one for run, one in records.items() if one["config"]["model"] == model}
    try:
        sources = {one: training_fingerprint(model, [one], custom) for one in asked["activations"]}
        source = training_fingerprint(model, asked["activations"], custom)
    except ActreproError:
        return None
    ours = {run: _made_by(sources[one["config"]["activation"]], one) for run, one in own.items()}
    others = [run for run, made in ours.items() if made is False]
    if others and True in ours.values():
        raise ActreproError(
            f"results of {model}: found runs that this source of the library trained, and others "
            f"that another one did ({few(others)}), expected one source for all; delete the "
            "folders of those runs, run the workflow again, then record the study"
        )
    return source if set(ours.values()) == {True} else None


def _made_by(source: str, record: RunRecord) -> bool | None:
    """Whether a source of the library trained a run; None where its record does not tell."""
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


def _require_same(folder: Path, made: Path, asked: Asked) -> None:
    """A record is evidence: it is never replaced by another one."""
    if folder_digest(folder) == folder_digest(made):
        return
    raise ActreproError(
        f"{folder}: found {_told(folder, asked)}, expected none of that name, or this very one; "
        "record under another name (--config record=…), or delete the folder to replace it"
    )


def _told(folder: Path, asked: Asked) -> str:
    """What lies where a record should go."""
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
