"""Jobs that a dry run plans after each kind of change to a finished study."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from study_folder import Study, copied_workflow, counted

pytestmark = pytest.mark.workflow

SEEDS = ("--config", "seeds=1,2")
FRESH = {"gates": 1}
# Two activations with two seeds each.
TRAINED = {"train": 4, "predict": 2, "cell_differences": 2}
OF_ONE_CELL = {"train": 2, "predict": 1, "cell_differences": 1}
COMPARED = {"predict_matched": 1, "model_differences": 1, "breakdown": 1, "gates_after": 1}
MODEL = {"model_stats": 1}
# Fifteen of the scale, two of each model, one of each activation.
DRAWN = {"figure": 15 + 2 * 2 + 2, "report": 1, "all": 1}
# What models are made of, which one figure and the report show.
SIZES = {"models": 1}
SHOWN = {**SIZES, "costs": 1, "figure": 1, "report": 1, "all": 1}
END = {"scale_stats": 1, "costs": 1, "tables": 1, "summary_text": 1, **DRAWN}
NOTHING: dict[str, int] = {}


def jobs(*parts: dict[str, int]) -> dict[str, int]:
    return {rule: sum(part.get(rule, 0) for part in parts) for part in parts for rule in part}


ONE_MODEL = jobs(FRESH, TRAINED, COMPARED, MODEL)
BOTH = jobs(ONE_MODEL, ONE_MODEL)
Undo = Callable[[], object]


class Change(NamedTuple):
    """A change to the study, the jobs that a dry run must plan, and names for `make explain`."""

    done: Callable[[Path], Undo] | None
    lists: dict[str, int]
    says: str = ""
    arguments: tuple[str, ...] = SEEDS


def rewrite(name: str, new: Callable[[str], str]) -> Callable[[Path], Undo]:
    """Change the text of a file of the workflow or of the study."""

    def done(folder: Path) -> Undo:
        path = folder / name
        before = path.read_text(encoding="utf-8")
        after = new(before)
        assert after != before
        path.write_text(after, encoding="utf-8")
        return lambda: path.write_text(before, encoding="utf-8")

    return done


def edit(name: str, old: str, new: str) -> Callable[[Path], Undo]:
    return rewrite(name, lambda text: text.replace(old, new, 1))


def append(name: str, more: str = "\nADDED = 1\n") -> Callable[[Path], Undo]:
    return rewrite(name, lambda text: text + more)


def touch(*patterns: str) -> Callable[[Path], Undo]:
    """Give files new times, as a git checkout does."""

    def done(folder: Path) -> Undo:
        files = [file for pattern in patterns for file in folder.glob(pattern) if file.is_file()]
        assert files
        for file in files:
            os.utime(file)
        return lambda: None

    return done


def delete(name: str) -> Callable[[Path], Undo]:
    def done(folder: Path) -> Undo:
        aside = (folder / name).rename(folder / "aside")
        return lambda: aside.rename(folder / name)

    return done


NEW_ACTIVATION = '''

@pointwise
def twice(x: Tensor) -> Tensor:
    """2x."""
    return 2 * x
'''
ACTIVATIONS = "src/actrepro/models/activations.py"
CHECKPOINT = "results/tiny/charlm/relu/seed1/checkpoint.safetensors"
TINY = "config/test/tiny.yaml"
CHECKED_OUT = ("Snakefile", "*/**/*.py", "rules/*", "config/**/*", "envs/*", "made-up.txt")
CHANGES = {
    "a script is touched": Change(touch("workflow/scripts/*.py"), NOTHING),
    "every file is checked out anew": Change(touch(*CHECKED_OUT), NOTHING),
    "a comment in training": Change(append("src/actrepro/train/loop.py", "\n# Mine.\n"), NOTHING),
    "a docstring of a model": Change(
        edit("src/actrepro/models/zoo/charlm.py", '"""CharLM', '"""The CharLM'), NOTHING
    ),
    "who may begin a run": Change(append("src/actrepro/core/locks.py"), NOTHING),
    "training": Change(
        append("src/actrepro/train/stepping.py"),
        jobs(BOTH, END),
        "code has changed: actrepro.train.stepping",
    ),
    "how a script trains": Change(
        append("workflow/scripts/train.py"),
        jobs(BOTH, END, {"gates": -2}),
        "code has changed: train.py",
    ),
    "a figure": Change(
        append("src/actrepro/figures/sheet.py"), DRAWN, "code has changed: actrepro.figures.sheet"
    ),
    "the report's style": Change(
        append("src/actrepro/report/templates/report.css", "\np { color: red }\n"),
        {"report": 1, "all": 1},
        "code has changed: report.css",
    ),
    "a sentence of the report": Change(
        edit(
            "src/actrepro/report/sections/verdicts.py",
            "is no evidence that activations are alike",
            "does not show that activations are alike",
        ),
        {"report": 1, "all": 1},
        "code has changed: actrepro.report.sections.verdicts",
    ),
    "a sentence of the headline": Change(
        edit("src/actrepro/report/sections/answer.py", "Nothing can be said", "Nothing is known"),
        {"report": 1, "summary_text": 1, "all": 1},
        "code has changed: actrepro.report.sections.answer",
    ),
    "one model": Change(
        append("src/actrepro/models/zoo/convlm.py"),
        jobs(SIZES, ONE_MODEL, END),
        "code has changed: actrepro.models.zoo.convlm",
    ),
    "one activation": Change(
        edit(ACTIVATIONS, "return F.relu(x)", "return F.relu(x) * 1"),
        jobs(SIZES, *2 * [FRESH, OF_ONE_CELL, COMPARED, MODEL], END),
        "code has changed: actrepro.models.activations",
    ),
    "an activation that is not in the study": Change(
        edit(ACTIVATIONS, "return F.silu(x)", "return F.silu(x) * 1"), NOTHING
    ),
    "a new activation": Change(append(ACTIVATIONS, NEW_ACTIVATION), NOTHING),
    "a statistic": Change(
        append("src/actrepro/statistics/contrasts.py"),
        jobs(MODEL, MODEL, END),
        "code has changed: actrepro.statistics.contrasts",
    ),
    "a measure": Change(
        append("src/actrepro/measures/pairs.py"),
        jobs(*2 * [{"cell_differences": 2, **COMPARED}, MODEL], {"predict_matched": -2}, END),
        "code has changed: actrepro.measures.pairs",
    ),
    "a seed more": Change(
        None,
        # The runs that are there stay; only two activations of two models are new.
        jobs(*2 * [TRAINED, COMPARED, MODEL], END, {"train": -4}),
        "there is no result yet",
        ("--config", "seeds=1,2,3"),
    ),
    "an activation more": Change(
        None,
        jobs(SIZES, *2 * [FRESH, OF_ONE_CELL, COMPARED, MODEL], END, {"figure": 1}),
        "there is no result yet",
        (*SEEDS, "activations=relu,swiglu,gelu"),
    ),
    "a model more": Change(
        None,
        jobs(SIZES, ONE_MODEL, END, {"figure": 2}),
        "there is no result yet",
        (*SEEDS, "models=charlm,convlm,nanotransformer"),
    ),
    "a model less": Change(
        None,
        jobs(SIZES, END, {"figure": -2}),
        "its set of input files has changed",
        (*SEEDS, "models=charlm"),
    ),
    "one model's option": Change(
        edit(
            TINY,
            "    history_windows: 16\n",
            "    history_windows: 16\n    overrides: {convlm: {learning_rate: 2.0e-2}}\n",
        ),
        jobs(SIZES, ONE_MODEL, END),
        "the config has changed: protocol.learning_rate was 0.01, is 0.02",
    ),
    "a scale that is not in the study": Change(
        edit("config/config.yaml", "iterations: 5000", "iterations: 4000"),
        # Only what a study there would cost.
        SHOWN,
    ),
    "how often snapshots are taken": Change(append(TINY, "save_state_seconds: 7\n"), NOTHING),
    "a margin": Change(
        append(TINY, "margins: {loss: 0.02}\n"),
        jobs(MODEL, MODEL, END),
        "the config has changed: loss was 0.01, is 0.02",
    ),
    # What was made from it is as true as before: it may have been deleted to save space.
    "a level of confidence": Change(
        append(TINY, "confidence: 0.9\n"),
        jobs(MODEL, MODEL, END),
        "the config has changed: a setting was 0.95, is 0.9",
    ),
    "a checkpoint is deleted": Change(delete(CHECKPOINT), NOTHING),
    "a checkpoint is deleted, and asked for": Change(
        delete(CHECKPOINT),
        {"train": 1},
        "there is no result yet, or it was deleted",
        (CHECKPOINT, *SEEDS),
    ),
    "the text": Change(
        append("made-up.txt", "Another line.\n"),
        jobs({"corpus": 1, "evaluation_set": 1}, SIZES, BOTH, END),
        "changed since: made-up.txt",
    ),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("study") / "copy"
    study = Study(folder, workflow=folder)
    copied_workflow(folder)
    study.tiny(*SEEDS)
    return study


@contextmanager
def changed(study: Study, change: Change) -> Iterator[None]:
    if change.done is None:
        yield
        return
    undo = change.done(study.folder)
    try:
        yield
    finally:
        undo()


@pytest.mark.parametrize("name", CHANGES)
def test_a_dry_run_lists_what_a_change_makes_stale(finished: Study, name: str) -> None:
    change = CHANGES[name]
    with changed(finished, change):
        output = finished.tiny("--dry-run", *change.arguments)
        assert counted(output) == {rule: n for rule, n in change.lists.items() if n}
        assert change.says in finished.explained(output)
