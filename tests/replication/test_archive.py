"""Records: small, reproducible, never replaced, never read when altered."""

from __future__ import annotations

import csv
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import synthetic
from synthetic_archive import GIT, GPU, make_record, make_results, rewrite_provenance, study
from synthetic_scale import MACHINE

from actrepro.config.protocol import FileCorpus
from actrepro.config.reading import read_study
from actrepro.config.study import RunConfig
from actrepro.core import paths
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json, write_json
from actrepro.core.paths import record_of
from actrepro.provenance.fingerprint import training_fingerprint
from actrepro.provenance.identity import identity_parts, identity_sha256
from actrepro.replication.archive import (
    Record,
    folder_digest,
    read_record,
    read_records,
    record_digests,
    record_folders,
)
from actrepro.replication.archive_writer import record_study, runs_of
from actrepro.results.schema_version import VERSION

NAME = "h100"
FOLDER = Path(paths.at(paths.RECORD, record=NAME))
STATS = "full/charlm/stats.json"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory of a finished study; one of its runs diverged."""
    root = tmp_path_factory.mktemp("finished")
    make_results(root, study(), diverged=[("gelu", 2)])
    return root


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    """A copy of the folder, for tests that record or damage it."""
    shutil.copytree(finished / "results", tmp_path / "results")
    return tmp_path


@pytest.fixture
def recorded(root: Path) -> Record:
    record_study(NAME, study().as_asked(), root)
    return read_record(root / FOLDER)


def files_of(folder: Path) -> dict[str, bytes]:
    paths_below = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths_below}


def test_a_record_has_what_is_small(recorded: Record, root: Path) -> None:
    assert sorted(files_of(recorded.folder)) == [
        *("full/charlm/stats.json", "full/pairs.csv", "full/runs.csv", "full/stats.json"),
        *("histories.csv", "provenance.json", "runs.json", "study.json"),
    ]
    assert list((root / paths.RECORDED).iterdir()) == [recorded.folder]
    for file in (STATS, "full/stats.json"):
        assert read_json(recorded.folder / file) == read_json(root / paths.RESULTS / file)
    for file in ("full/runs.csv", "full/pairs.csv"):
        content = (root / paths.RESULTS / file).read_bytes()
        assert (recorded.folder / file).read_bytes() == content


def test_no_text_of_a_corpus_is_recorded(recorded: Record) -> None:
    text = synthetic.text()
    pieces = [text[start : start + 12].encode() for start in range(0, len(text) - 12, 6)]
    for file, content in files_of(recorded.folder).items():
        assert not [piece for piece in pieces if piece in content], file


def test_runs_are_recorded_with_their_histories(recorded: Record) -> None:
    runs = read_json(recorded.folder / "runs.json")
    assert list(runs) == [
        f"full/charlm/{activation}/seed{seed}"
        for activation in ("relu", "gelu")
        for seed in (1, 2, 3)
    ]
    assert [run["status"] for run in runs.values()].count("diverged") == 1
    with (recorded.folder / "histories.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(runs)
    assert rows[3] == {
        **{"scale": "full", "model": "charlm", "activation": "relu", "seed": "2", "step": "500"},
        **{"train_loss": repr(1 + 2 / 3), "selection_loss": "nan"},
    }


def test_provenance_says_on_what_and_how_but_not_when(recorded: Record) -> None:
    content = read_json(recorded.folder / "provenance.json")
    assert content["status"] == {"finished": 5, "diverged": 1}
    assert content["devices"] == [{"device": GPU, "runs": 6}]
    assert content["machines"] == [{"machine": MACHINE, "runs": 6}]
    assert content["sources"] == [{**GIT, "runs": 6}]
    assert content["packages"][0]["packages"]["torch"] == "2.6"
    assert content["config"] == study().as_asked()
    assert content["files"].keys() == files_of(recorded.folder).keys() - {"provenance.json"}
    sizes = {file: one["bytes"] for file, one in content["files"].items()}
    assert sizes == {file: len(files_of(recorded.folder)[file]) for file in sizes}
    assert str(recorded.folder.parents[2]) not in json.dumps(content)


def test_the_command_makes_the_same_study_again(recorded: Record) -> None:
    words = recorded.provenance.command.split()
    assert words[:5] == ["snakemake", "--cores", "2", "record", "--configfile"]
    assert Path(words[5]) == FOLDER / "study.json"
    assert words[6:] == ["--config", f"record={NAME}"]
    again = read_study(recorded.folder / "study.json")
    assert again.as_asked() == study().as_asked()


def test_the_folder_of_a_users_text_is_nobodys_affair() -> None:
    for path, kept in (("/home/me/diary.txt", "diary.txt"), ("texts/diary.txt", "texts/diary.txt")):
        corpora = {"tinyshakespeare": FileCorpus(source="file", path=Path(path))}
        asked = study(corpora=corpora).as_asked()
        assert asked["corpora"]["tinyshakespeare"]["path"] == kept


def test_the_same_results_give_the_same_bytes(recorded: Record, root: Path, tmp_path: Path) -> None:
    before = files_of(recorded.folder)
    record_study(NAME, study().as_asked(), root)
    assert files_of(recorded.folder) == before
    elsewhere = tmp_path / "other"
    shutil.copytree(root / "results", elsewhere / "results")
    record_study(NAME, study().as_asked(), elsewhere)
    assert files_of(elsewhere / FOLDER) == before


def test_a_record_of_another_study_is_not_replaced(recorded: Record, root: Path) -> None:
    before = files_of(recorded.folder)
    fewer = study(seeds=(1, 2), study="small")
    make_results(root, fewer)
    with pytest.raises(ActreproError, match="another study \\(other study, seeds\\)") as caught:
        record_study(NAME, fewer.as_asked(), root)
    assert "record under another name (--config record=…), or delete the folder" in str(
        caught.value
    )
    assert files_of(recorded.folder) == before
    record_study("second", fewer.as_asked(), root)
    assert [one.name for one in record_folders([root / paths.RECORDED])] == [NAME, "second"]


def test_a_record_of_other_results_is_not_replaced(recorded: Record, root: Path) -> None:
    [path, *_] = sorted((root / "results").rglob("run.json"))
    write_json(path, {**read_json(path), "device": "another GPU"})
    with pytest.raises(ActreproError, match="of the same study with other results"):
        record_study(NAME, study().as_asked(), root)
    (recorded.folder / "runs.json").unlink()
    with pytest.raises(ActreproError, match=r"no whole record .*there is no runs\.json"):
        record_study(NAME, study().as_asked(), root)
    shutil.rmtree(recorded.folder)
    record_study(NAME, study().as_asked(), root)
    assert {one.device for one in read_record(root / FOLDER).provenance.devices} == {
        GPU,
        "another GPU",
    }


@pytest.mark.parametrize("pattern", ["run.json", "history.csv", "pairs.csv", "stats.json"])
def test_what_is_not_finished_is_not_recorded(root: Path, pattern: str) -> None:
    sorted((root / "results").rglob(pattern))[0].unlink()
    with pytest.raises(ActreproError, match=pattern.replace(".", r"\.")):
        record_study(NAME, study().as_asked(), root)
    assert not (root / paths.RECORDED).exists() or not list((root / paths.RECORDED).iterdir())


def spoil(path: Path, **changes: Any) -> None:
    write_json(path, {**read_json(path), **changes})


@pytest.mark.parametrize("changes", [{"seeds": [1, 2]}, {"activations": ["relu"]}, {"schema": 2}])
@pytest.mark.parametrize("file", [STATS, "full/stats.json"])
def test_statistics_of_another_study_are_not_recorded(
    root: Path, file: str, changes: dict[str, Any]
) -> None:
    spoil(root / paths.RESULTS / file, **changes)
    with pytest.raises(ActreproError, match=f"{file}: found {next(iter(changes))} "):
        record_study(NAME, study().as_asked(), root)


def here(activation: str, seed: int) -> str:
    return training_fingerprint("charlm", [activation])


def sign(root: Path, source: Callable[[str, int], str]) -> None:
    """Give runs the identity that training gives them, from a source for each."""
    for run in runs_of(study().as_asked()):
        path = root / paths.at(paths.RUN_RECORD, **run)
        record = read_json(path)
        record["packages"] |= {"numpy": "2"}
        parts = identity_parts(
            RunConfig.model_validate(record["config"]),
            *(record["corpus_sha256"], source(run["activation"], run["seed"]), record["packages"]),
            *(record["machine"], record["device"], record["threads"]),
        )
        write_json(path, {**record, "identity_sha256": identity_sha256(parts)})


def test_the_source_is_known_where_every_run_tells_it(root: Path) -> None:
    sign(root, here)
    record_study(NAME, study().as_asked(), root)
    assert read_record(root / FOLDER).provenance.fingerprints == {
        "charlm": training_fingerprint("charlm", study().activations)
    }


def test_runs_of_different_sources_are_refused(root: Path) -> None:
    sign(root, lambda activation, seed: here(activation, seed) if seed < 3 else "another")
    with pytest.raises(ActreproError, match="expected one source for all") as caught:
        record_study(NAME, study().as_asked(), root)
    assert "(full/charlm/relu/seed3, full/charlm/gelu/seed3)" in str(caught.value)


@pytest.mark.parametrize("signed", [True, False])
def test_where_nothing_tells_the_source_it_is_null(root: Path, signed: bool) -> None:
    if signed:
        sign(root, lambda activation, seed: f"another {activation} {seed}")
    record_study(NAME, study().as_asked(), root)
    assert read_record(root / FOLDER).provenance.fingerprints == {"charlm": None}


def test_a_model_that_cannot_be_found_tells_no_source(root: Path) -> None:
    sign(root, here)
    asked = {**study().as_asked(), "custom_models": {"charlm": "no.such.module"}}
    record_study(NAME, asked, root)
    assert read_record(root / FOLDER).provenance.fingerprints == {"charlm": None}


def test_what_is_whole_is_read(recorded: Record) -> None:
    records = read_records([recorded.folder])
    assert (list(records.whole), records.ignored) == ([NAME], {})
    assert (recorded.scales, recorded.models) == (("full",), ("charlm",))
    file, stats = recorded.stats("full", "charlm")
    assert file == f"{FOLDER}/{STATS}"
    assert (stats["model"], stats["scale"]) == ("charlm", "full")
    assert recorded.stats("full")[1]["models"].keys() == {"charlm"}
    assert records.sha256_of(file) == recorded.provenance.files[STATS].sha256
    assert record_of(file) == NAME
    for absent in ("results/full/stats.json", f"{FOLDER}/no.json", f"{paths.RECORDED}/b/{STATS}"):
        assert records.sha256_of(absent) is None


def append(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")


def provenance(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: rewrite_provenance(folder, lambda content: content.update(changes))


def unlisted(folder: Path) -> None:
    rewrite_provenance(folder, lambda content: content["files"].pop(STATS))


def escaping(folder: Path) -> None:
    file = {"sha256": "0" * 64, "bytes": 0}
    rewrite_provenance(folder, lambda content: content["files"].update({"../a.json": file}))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    **{
        f"altered {file}": (
            lambda folder, file=file: append(folder / file),
            f"changed since it was recorded: {file}",
        )
        for file in (STATS, "full/pairs.csv", "histories.csv", "runs.json", "study.json")
    },
    "a number altered": (
        lambda folder: (folder / "full/runs.csv").write_text(
            (folder / "full/runs.csv").read_text().replace("0.5", "0.6")
        ),
        "changed since it was recorded: full/runs.csv",
    ),
    "missing": (lambda folder: (folder / STATS).unlink(), f"there is no {STATS}"),
    "no provenance": (
        lambda folder: (folder / "provenance.json").unlink(),
        "there is no provenance.json",
    ),
    "half a provenance": (
        lambda folder: (folder / "provenance.json").write_text('{"format": 1,'),
        "provenance.json is damaged",
    ),
    "no mapping": (
        lambda folder: (folder / "provenance.json").write_text("[]"),
        "provenance.json is damaged",
    ),
    "provenance by hand": (
        lambda folder: spoil(folder / "provenance.json", devices=[{"device": "H100", "runs": 6}]),
        "provenance.json is not as it was written",
    ),
    "another name": (provenance(record="other"), "it was recorded as other"),
    "no devices": (provenance(devices=None), "provenance.json: devices: "),
    "unlisted": (unlisted, f"in provenance.json there is no {STATS}"),
    "a way out": (escaping, "provenance.json: files."),
    "another format": (provenance(format=2), "found format 2 with"),
    "another schema": (
        provenance(schema=VERSION - 1),
        f"stats.json of schema {VERSION - 1}, expected 1 with {VERSION}",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_altered_is_told_and_ignored(
    recorded: Record, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    before = record_digests([recorded.folder.parent])
    change, message = FAULTS[fault]
    change(recorded.folder)
    assert record_digests([recorded.folder.parent]) != before
    with caplog.at_level(logging.WARNING, "actrepro"):
        records = read_records([recorded.folder])
    assert records.whole == {}
    assert records.ignored[NAME].startswith(f"{FOLDER} is ignored: ")
    assert message in records.ignored[NAME]
    assert records.ignored[NAME] in caplog.text
    with pytest.raises(ActreproError):
        read_record(recorded.folder)


def test_what_is_not_listed_is_not_read(recorded: Record) -> None:
    (recorded.folder / "notes.txt").write_text("mine", encoding="utf-8")
    assert read_record(recorded.folder).provenance == recorded.provenance


def test_one_damaged_record_spoils_no_other(recorded: Record) -> None:
    copy = recorded.folder.parent / "copy"
    shutil.copytree(recorded.folder, copy)
    records = read_records(record_folders([recorded.folder.parent]))
    assert (list(records.whole), list(records.ignored)) == ([NAME], ["copy"])


def test_the_first_place_goes_before_the_second(recorded: Record, tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    shutil.copytree(recorded.folder, beside / NAME)
    shutil.copytree(recorded.folder, beside / "another")
    (beside / ".h200.partial").mkdir()
    (beside / "README.md").write_text("what these are", encoding="utf-8")
    places = [recorded.folder.parent, beside, tmp_path / "nowhere"]
    assert record_folders(places) == [beside / "another", recorded.folder]
    assert list(record_digests(places)) == [str(beside / "another"), str(recorded.folder)]
    assert folder_digest(beside / NAME) == folder_digest(recorded.folder)


def test_several_models_and_scales_are_recorded(tmp_path: Path) -> None:
    record = make_record(
        tmp_path,
        **{"models": ("charlm", "convlm"), "scales": ("cpu", "full"), "seeds": (1,)},
        activations=("relu",),
    )
    assert len(read_json(record.folder / "runs.json")) == 4
    for scale in ("cpu", "full"):
        for model in ("charlm", "convlm"):
            assert record.stats(scale, model)[1]["model"] == model


def test_a_study_without_a_name_for_its_record_says_how_to_give_one() -> None:
    with pytest.raises(ActreproError, match="name it: --config record=NAME"):
        study().record_name()
    assert study(record="mine").record_name() == "mine"
