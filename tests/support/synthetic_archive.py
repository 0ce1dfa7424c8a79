"""A finished study's results, made up, as `snakemake record` finds them; and a record of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import synthetic
from synthetic_scale import MACHINE, PACKAGES

from actrepro.config.reading import default_study
from actrepro.config.study import Study
from actrepro.core import paths
from actrepro.core.files import read_json, write_json, write_text
from actrepro.replication.archive import Record, content_sha256, read_record
from actrepro.replication.archive_writer import record_study
from actrepro.results.tables import COLUMNS, write_tables
from actrepro.statistics.per_scale import scale_statistics

GPU = "A <Big> GPU"
GIT = {"commit": "c0ffee" * 5, "dirty": True}
Run = tuple[str, int]


def study(**changes: Any) -> Study:
    """The default study, made small."""
    small: dict[str, Any] = {
        "study": "big",
        "models": ("charlm",),
        "activations": ("relu", "gelu"),
        "seeds": (1, 2, 3),
        "scales": ("full",),
    }
    return default_study().model_copy(update={**small, **changes})


def make_results(
    root: Path,
    one: Study,
    diverged: Sequence[Run] = (),
    failed: Mapping[str, str] | None = None,
) -> None:
    """Write what a study leaves below `results/`, as far as it is recorded."""
    for scale in one.scales:
        models = [_model(root, one, scale, name, diverged, failed or {}) for name in one.models]
        stats = root / paths.at(paths.SCALE_STATS, scale=scale)
        scale_statistics(scale, one.study, [model.stats for model in models], stats)
        matrices = {model.name: model.matrices for model in models}
        write_tables(stats, matrices, {name: stats.with_name(f"{name}.csv") for name in COLUMNS})


def _model(
    root: Path,
    one: Study,
    scale: str,
    name: str,
    diverged: Sequence[Run],
    failed: Mapping[str, str],
) -> synthetic.Model:
    runs = list(product(one.activations, one.seeds))
    own = {
        run: {
            "config": one.run_config(scale, name, *run).model_dump(mode="json"),
            "device": GPU,
            "machine": MACHINE,
            "packages": PACKAGES,
            "git": GIT,
        }
        for run in runs
    }
    model = synthetic.Model(
        root / "made" / scale,
        one.activations,
        one.seeds,
        diverged,
        name=name,
        scale=scale,
        records=own,
        failed=failed,
    )
    model.write()
    _copy(model.stats, root / paths.at(paths.MODEL_STATS, scale=scale, model=name))
    for activation, seed in runs:
        names = {"scale": scale, "model": name, "activation": activation, "seed": seed}
        source = model.path(activation, seed, "run.json")
        _copy(source, root / paths.at(paths.RUN_RECORD, **names))
        write_text(
            root / paths.at(paths.HISTORY, **names),
            f"step,train_loss,selection_loss\n0,4.17,4.18\n500,{1 + seed / 3!r},nan\n",
        )
    return model


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def make_record(root: Path, name: str = "h100", **changes: Any) -> Record:
    """A record below a folder, made of a small made-up study."""
    one = study(**changes)
    make_results(root, one)
    record_study(name, one.as_asked(), root)
    return read_record(root / paths.at(paths.RECORD, record=name))


def rewrite_provenance(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change `provenance.json` as one who knows how its hash is made."""
    path = folder / "provenance.json"
    content = read_json(path)
    change(content)
    write_json(path, {**content, "sha256": content_sha256(content)})
