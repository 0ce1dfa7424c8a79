"""`load_study`: the frames equal the tables, and the documentation describes both."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from study_folder import REPOSITORY
from synthetic import WHY
from synthetic_study import make_models, write_scale

import actrepro
from actrepro import ActreproError
from actrepro.core import paths
from actrepro.core.files import read_json, write_json
from actrepro.gates.outcome import GATES
from actrepro.measures import (
    PRIMARY,
    group_measure_ids,
    measure_descriptions,
    measure_ids,
    run_measure_ids,
)
from actrepro.predict.store import RULES
from actrepro.results.frames import Study, load_study
from actrepro.results.schema_version import VERSION
from actrepro.results.tables import COLUMNS, KINDS
from actrepro.results.verdicts import UNSOUND
from actrepro.statistics.inference import verdict

DOC = (REPOSITORY / "docs/results.md").read_text(encoding="utf-8")
REFERENCE = (REPOSITORY / "docs/reference/results.md").read_text(encoding="utf-8")
GONE = ("tinylstm", "relu", 43)
FAILED_RUN = ("tinylstm", "smelu_05", 44)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with two scales; two runs were lost, and one activation failed a gate."""
    folder = tmp_path_factory.mktemp("study")
    models = make_models(folder, diverged=[GONE], out_of_memory=[FAILED_RUN])
    write_scale(models, folder / "results/tiny", "tiny")
    one_seed = make_models(folder / "one", seeds=[1], models=["charlm"], failed={"relu": "wired"})
    write_scale(one_seed, folder / "results/small", "small")
    return folder / "results"


@pytest.fixture
def copied(results: Path, tmp_path: Path) -> Path:
    """A copy of the results folder, for tests that damage it."""
    shutil.copytree(results, tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture(scope="module")
def study(results: Path) -> Study:
    return load_study(results)


def rows_of(folder: Path, table: str) -> list[dict[str, str]]:
    with (folder / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("table", COLUMNS)
def test_a_frame_is_the_tables_of_all_scales(results: Path, study: Study, table: str) -> None:
    frame: pd.DataFrame = getattr(study, table)
    written = [row for scale in ("small", "tiny") for row in rows_of(results / scale, table)]
    assert list(frame.columns) == list(COLUMNS[table])
    assert list(frame.index) == list(range(len(written)))
    for column, kind in COLUMNS[table].items():
        read = frame[column]
        assert read.dtype == pd.Series(dtype=kind).dtype
        for value, text in zip(read.tolist(), (row[column] for row in written), strict=True):
            if kind == "str":
                assert value == text
            elif text == "":
                assert pd.isna(value)
            else:
                # Of a number, every digit; of an answer, the word.
                assert str(value) == text


def test_frames_agree_with_the_statistics(study: Study) -> None:
    row = study.cells.query(
        f"scale == 'tiny' and model == 'charlm' and activation == 'relu' and rule == 'matched' "
        f"and measure == '{PRIMARY}'"
    )
    cell = study.stats["tiny"]["models"]["charlm"]["rules"]["matched"]["cells"]["relu"]
    assert row["value"].tolist() == [cell["differences"][PRIMARY]["value"]]
    assert row[["low", "high"]].to_numpy().tolist() == [cell["differences"][PRIMARY]["interval"]]


def test_the_statistics_of_every_scale_are_there_as_they_are(results: Path, study: Study) -> None:
    assert list(study.stats) == ["small", "tiny"]
    for scale, stats in study.stats.items():
        assert stats == read_json(results / scale / "stats.json")


def test_what_is_missing_is_missing_and_what_is_empty_is_empty(study: Study) -> None:
    lost = study.runs[study.runs["status"] == "diverged"]
    assert lost[["scale", "model", "activation", "seed"]].drop_duplicates().to_numpy().tolist() == [
        ["tiny", *GONE]
    ]
    assert lost["loss.all"].isna().all()
    assert set(lost["why"]) == {WHY["diverged"]}
    failed = study.runs.query("status == 'failed' and rule == 'final'")
    assert failed[["model", "activation", "seed"]].to_numpy().tolist() == [[*FAILED_RUN]]
    assert failed["loss.all"].isna().all()
    assert set(failed["why"]) == {WHY["failed"]}
    assert set(study.runs[study.runs["scale"] == "small"]["why"]) == {""}
    # No test of a single seed, and none of an unsound contrast.
    contrasts = study.contrasts[study.contrasts["scale"] == "small"]
    assert contrasts["significant"].isna().all()
    assert set(contrasts["verdict"]) == {"unsound"}
    tested = study.contrasts.dropna(subset="significant")
    assert not tested["significant"].any()
    assert set(tested["failed_gates"]) == {""}


def test_answers_are_truth_values(study: Study) -> None:
    failed = study.gates[~study.gates["passed"]]
    assert set(zip(failed["scale"], failed["activation"], failed["gate"], strict=True)) == {
        ("small", "relu", "wired")
    }


def test_names_that_pandas_takes_for_missing_stay_names(copied: Path) -> None:
    """A user may give an activation such a name."""
    table = copied / "small/runs.csv"
    text = table.read_text(encoding="utf-8")
    for name in ("NA", "None", "nan", "True"):
        table.write_text(text.replace("charlm,relu", f"charlm,{name}"), encoding="utf-8")
        assert name in set(load_study(copied).runs["activation"])


@pytest.mark.parametrize("place", ["results/tiny", "results/tiny/stats.json"])
@pytest.mark.parametrize("kind", [str, Path])
def test_one_scale_is_a_study_too(
    copied: Path, study: Study, place: str, kind: Callable[[Path], str | Path]
) -> None:
    scale_study = load_study(kind(copied.parent / place))
    assert list(scale_study.stats) == ["tiny"]
    for table in COLUMNS:
        every = getattr(study, table)
        expected = every[every["scale"] == "tiny"].reset_index(drop=True)
        pd.testing.assert_frame_equal(getattr(scale_study, table), expected)


def test_the_results_folder_is_found_where_the_workflow_leaves_it(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copied.parent)
    assert list(actrepro.load_study().stats) == ["small", "tiny"]
    assert Path(paths.RESULTS) == Path("results")


def test_other_folders_beside_scales_are_no_scales(copied: Path) -> None:
    (copied / "corpora/words").mkdir(parents=True)
    (copied / "report.html").write_text("", encoding="utf-8")
    assert list(load_study(copied).stats) == ["small", "tiny"]


def refused(path: Path) -> str:
    with pytest.raises(ActreproError) as raised:
        load_study(path)
    return str(raised.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    message = refused(tmp_path / "resluts")
    assert message.startswith(f"{tmp_path / 'resluts'}: expected the results of a study, found no ")
    assert "no such folder" in message
    assert "snakemake" in message


def test_a_folder_without_a_study(tmp_path: Path) -> None:
    assert "no stats.json in it or one folder below" in refused(tmp_path)


def test_results_of_another_version(copied: Path) -> None:
    path = copied / "tiny/stats.json"
    stats = read_json(path)
    write_json(path, {**stats, "schema": VERSION + 1})
    assert f"{path}: found results of schema {VERSION + 1}, expected {VERSION}" in refused(copied)
    del stats["schema"]
    write_json(path, stats)
    assert f"{path}: found results of schema none, expected {VERSION}" in refused(copied)
    write_json(path, ["no study"])
    assert "found results of schema none" in refused(copied)


def test_a_damaged_stats_json(copied: Path) -> None:
    (copied / "tiny/stats.json").write_text("{", encoding="utf-8")
    assert f"{copied / 'tiny/stats.json'}: the file is damaged" in refused(copied)


def test_the_statistics_of_one_model_are_no_study(copied: Path) -> None:
    path = copied / "tiny/stats.json"
    stats = read_json(path)
    write_json(path, {"schema": VERSION, "scale": "tiny", **stats["models"]["charlm"]})
    assert f"{path}: found the statistics of one model, expected those of a scale" in refused(path)


@pytest.mark.parametrize("table", COLUMNS)
def test_a_missing_table(copied: Path, table: str) -> None:
    path = copied / f"tiny/{table}.csv"
    path.unlink()
    assert f"{path}: there is no such file" in refused(copied)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda text: "", "the file is damaged"),
        (lambda text: text.replace(",1234,", ",many,"), "the file is damaged"),
        (lambda text: text.replace("seed", "sead"), "other columns than expected (sead, seed)"),
        (
            lambda text: text.replace("scale,model", "model,scale"),
            "other columns than expected (their order)",
        ),
    ],
)
def test_a_spoilt_table(copied: Path, spoil: Callable[[str], str], complaint: str) -> None:
    path = copied / "tiny/runs.csv"
    path.write_text(spoil(path.read_text(encoding="utf-8")), encoding="utf-8")
    message = refused(copied)
    assert message.startswith(f"{path}: ")
    assert complaint in message


def test_two_folders_of_one_scale(copied: Path) -> None:
    shutil.copytree(copied / "tiny", copied / "tiny-copy")
    message = refused(copied)
    assert "more than one scale of the name 'tiny'" in message
    assert str(copied / "tiny-copy") in message


def printed_by(code: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_starts_without_pandas_and_results_without_torch(results: Path) -> None:
    code = (
        "import sys, actrepro\n"
        "heavy = ('torch', 'pandas', 'numpy', 'pydantic')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "actrepro.load_study()\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert printed_by(code, results.parent) == "[]\n['pandas', 'numpy', 'pydantic']\n"


def test_the_documentations_example_runs(results: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    head, *rows = printed_by(code, results.parent).splitlines()
    assert head.split()[-2:] == ["p_holm", "verdict"]
    assert len(rows) == 3
    assert sum(row.split()[1:4] == ["charlm", "relu", "smelu_05"] for row in rows) == 2


def section(heading: str, page: str = DOC) -> str:
    """Return the text below a heading, up to the next one."""
    [_, after] = page.split(f"\n{heading}\n")
    return re.split(r"\n#", after)[0]


def first_fields(text: str) -> list[str]:
    """Return the first field of each row of the text's Markdown tables."""
    fields = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    return [field for field in fields if not re.fullmatch(r"column|gate|id|rule|verdict", field)]


def names(text: str) -> list[str]:
    """Return names in backticks in the first fields of the text's Markdown tables."""
    return [name for field in first_fields(text) for name in re.findall(r"`(.+?)`", field)]


@pytest.mark.parametrize("table", COLUMNS)
def test_every_column_is_documented_in_its_place(table: str) -> None:
    ids = {*run_measure_ids(), *measure_ids(), *group_measure_ids()}
    table_section = section(f"### `{table}.csv`", REFERENCE)
    assert names(table_section) == [column for column in COLUMNS[table] if column not in ids]
    assert any(id_ in COLUMNS[table] for id_ in ids) == ("*ids of" in table_section)
    assert f"| `{table}.csv` |" in section("## Tables")


def test_every_measure_is_documented() -> None:
    rows = re.findall(
        r"^\| `(.+?)` \| (.+?) \| (\S+) to (\S+?),? ?(?: .*)?\|$", section("## Measures"), re.M
    )
    documented = {id_: (name, low, high) for id_, name, low, high in rows}
    assert documented == {
        id_: (description["name"], f"{description['range'][0]:g}", ending(description["range"][1]))
        for id_, description in measure_descriptions().items()
    }
    assert f"primary measure is `{PRIMARY}`" in section("## Measures")
    more_alike = re.findall(r"^\| `(.+?)` .*more is more alike", DOC, re.MULTILINE)
    assert more_alike == [
        id_ for id_, description in measure_descriptions().items() if description["agreement"]
    ]


def ending(high: float | None) -> str:
    return "∞" if high is None else f"{round(high, 4):g}"


def test_every_gate_is_documented_in_its_words() -> None:
    rows = dict(re.findall(r"^\| `(.+?)` \| (.+) \|$", section("## Gates"), re.MULTILINE))
    assert {gate: text.replace(r"\|", "|") for gate, text in rows.items()} == dict(GATES)


def test_rules_verdicts_and_kinds_are_documented() -> None:
    assert names(section("## Checkpoint rules")) == list(RULES)
    cases: list[dict[str, Any]] = [
        {"p_different": p, "p_equivalent": q} for p in (0.5, 0.01) for q in (0.5, 0.01)
    ]
    given = {verdict(**case, alpha=0.05) for case in cases}
    assert set(names(section("## Verdicts"))) == {*given, UNSOUND}
    assert re.findall(r"`(\w+)`: ", section("### `across.csv`", REFERENCE)) == list(KINDS)


def test_every_results_file_is_documented() -> None:
    patterns = {name: path for name, path in vars(paths).items() if name.isupper()}
    files = {
        Path(pattern).name
        for name, pattern in patterns.items()
        if isinstance(pattern, str) and "{scale}" in pattern and Path(pattern).suffix
    }
    binary = {"checkpoint.safetensors", "snapshots.safetensors", "{figure}.svg", "{figure}.png"}
    documented = set(re.findall(r"[\w-]+\.(?:json|csv|npz|txt)", section("## Files")))
    assert files - binary <= documented
    assert {f"{table}.csv" for table in COLUMNS} <= documented
