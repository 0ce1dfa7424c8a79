"""Explanations of dry runs, from synthetic lines in Snakemake's format."""

from __future__ import annotations

from pathlib import Path

import pytest

from actrepro.core import paths
from actrepro.core.errors import ActreproError
from actrepro.provenance.explain import explain, jobs_of, remember_code
from actrepro.provenance.fingerprint import source_of_script

PARAMS = (
    "Params have changed since last execution: Union of exclusive params before and now across "
    "all output: before: {before} now: {now} "
)
FOLLOWS = "Input files updated by another job: results/a.json, results/b.json"
CODE, OTHER = "'0123456789abcdef'", "'fedcba9876543210'"


def dry_run(*jobs: tuple[str, str]) -> str:
    lines = [
        f"[Thu]\nJob {k}: {message}\nReason: {reason}" for k, (message, reason) in enumerate(jobs)
    ]
    return "\n".join(
        ["Job stats:", *lines, "rule all:", "    reason: none", "This was a dry-run (flag -n)."]
    )


def why(reason: str) -> list[str]:
    """Return the causes given for a single job."""
    lines = explain(dry_run(("Training a/b", reason))).splitlines()
    return [line.strip().removeprefix("because ") for line in lines if "because" in line]


def test_jobs_are_grouped_by_cause() -> None:
    explanation = explain(
        dry_run(
            ("Training b", "Missing output files: b.json"),
            ("Training a", "Missing output files: a.json"),
            *((f"Training c{k}", "Missing output files: c.json") for k in range(3)),
            ("Drawing", FOLLOWS),
            ("Comparing", f"Missing output files: d.json; {FOLLOWS}"),
            ("Checking", "Updated input files: text.txt"),
        )
    )
    assert explanation.splitlines() == [
        "8 jobs would run. What is stale, and why:",
        "",
        "Training a",
        "Training b",
        "Training c0",
        "… and 2 jobs like these",
        "    because there is no result yet, or it was deleted",
        "",
        "Checking",
        "    because changed since: text.txt",
        "",
        "Made from these: the other 2 jobs.",
    ]


def test_nothing_to_be_done_is_said() -> None:
    assert explain("Nothing to be done (all ...).").startswith("Nothing is stale")


def test_what_is_no_dry_run_is_shown() -> None:
    with pytest.raises(ActreproError, match="found:\nWorkflowError:\nconfig: seeds"):
        explain("WorkflowError:\nconfig: seeds\n")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Incomplete output files: a.json", ["a job was stopped while it wrote a.json"]),
        ("Updated input files: d, c, b, a", ["changed since: a, b, c and 1 more"]),
        ("Forced execution", ["you asked for it (--force, --forcerun)"]),
        ("Something of a later Snakemake", ["Something of a later Snakemake"]),
        (
            "Set of input files has changed since last execution; Software environment definition "
            "has changed since last execution",
            [
                "its set of input files has changed (a seed, an activation, a model or a figure "
                "was added or removed)",
                "the versions of its packages have changed (envs/)",
            ],
        ),
        (
            f"Updated input files: a; {PARAMS.format(before='0.9', now='0.95')}",
            ["changed since: a", "the config has changed: a setting was 0.9, is 0.95"],
        ),
    ],
)
def test_reasons_have_words(reason: str, words: list[str]) -> None:
    assert why(reason) == words


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ("{'a': {'b': 1, 'c': 2}}", "{'a': {'b': 1, 'c': 3}}", ["a.c was 2, is 3"]),
        ("{'a': 1}", "{'a': 1, 'b': None}", ["b was nothing, is None"]),
        ("[{'a': 1}, {'a': 1}]", "[{'a': 2}, {'a': 2}]", ["a was 1, is 2"]),
        ("['x', 'y']", "['x']", ["a setting was ['x', 'y'], is ['x']"]),
        ("1,'a,b'", "2,'a; c'", ["a setting was 1, is 2", "a setting was a,b, is a; c"]),
        ("<nothing exclusive>", "1", ["a setting was [], is [1]"]),
        ("what(), ever", "1", ["a setting was what(), ever, is 1"]),
        ("'" + "x" * 80 + "'", "''", [f"a setting was {'x' * 57}…, is "]),
    ],
)
def test_only_differences_of_parameters_are_shown(before: str, now: str, words: list[str]) -> None:
    lines = why(PARAMS.format(before=before, now=now))
    assert lines == [f"the config has changed: {change}".strip() for change in words]


def test_changed_code_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "draw.py"
    script.write_text("from actrepro.core.formats import rounded\nSIZE = 1\n", encoding="utf-8")
    changed = PARAMS.format(before=CODE, now=OTHER)
    assert why(changed) == ["the code that it depends on has changed"]
    hashes = source_of_script(script).hashes()
    remember_code(CODE.strip("'"), hashes, script, [], None)
    assert why(changed) == ["the code that it depends on has changed"]
    script.write_text("from actrepro.core.formats import rounded\nSIZE = 2\n", encoding="utf-8")
    assert why(changed) == ["code has changed: draw.py"]
    both = PARAMS.format(before=f"{CODE},1", now=f"2,{OTHER}")
    assert why(both) == [
        "code has changed: draw.py",
        "the config has changed: a setting was 1, is 2",
    ]


def test_hashes_are_recorded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    remember_code("0" * 16, {"a": "1"}, tmp_path / "a.py", ["m"], ["relu"])
    path = tmp_path / paths.at(paths.CODE, fingerprint="0" * 16)
    before = path.read_bytes()
    remember_code("0" * 16, {"a": "2"}, tmp_path / "a.py", [], None)
    assert path.read_bytes() == before


def test_a_target_is_no_job() -> None:
    assert [job.message for job in jobs_of(dry_run(("Training a", FOLLOWS)))] == ["Training a"]
