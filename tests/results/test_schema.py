"""The schema of `stats.json` fits what is written, whole and broken, and nothing else."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import synthetic
from pydantic import BaseModel, ValidationError
from study_folder import REPOSITORY
from synthetic_study import ACTIVATIONS, make_models

from actrepro.core.files import read_json
from actrepro.core.vocabulary import DIVERGED, FAILED, FINISHED
from actrepro.data.evaluation_set import BASELINES
from actrepro.predict.store import RULES, Predictions
from actrepro.results import schema as results_schema
from actrepro.results.schema import ModelStatsFile, StatsFile, schema
from actrepro.results.schema_version import VERSION
from actrepro.statistics.per_scale import scale_statistics

THREE = ("relu", "gelu", "swiglu")
# What no made-up study has: scores without any spread, ...
NEVER_NULL = {
    "Classical.one_way",
    "Classical.blocked",
    "Classical.tukey",
    "Classical.games_howell",
    "Source.eta2",
    # ... runs without a matched step, a processor without a count of cores, ...
    "Run.machine",
    "Run.matched_step",
    "Run.matched_selection_loss",
}
# ... a GPU, and a repository.
ALWAYS_NULL = {"Run.peak_gpu_memory_bytes", "GitState.commit", "GitState.dirty"}


def test_the_schema_is_up_to_date() -> None:
    written = (REPOSITORY / "resources/stats.schema.json").read_text(encoding="utf-8")
    assert written == schema(), (
        "run: python -m actrepro.results.schema > resources/stats.schema.json"
    )


def one(folder: Path, **changes: Any) -> list[synthetic.Model]:
    return make_models(folder, **{"models": ["charlm"], **changes})


def with_other_text(folder: Path) -> list[synthetic.Model]:
    """A run of another evaluation set, and one whose rows do not sum to one."""
    healthy = synthetic.Model(folder / "healthy", ACTIVATIONS, [1, 2, 3]).predictions
    other = replace(healthy["relu", 1], evaluation_sha256="other")
    broken = healthy["smelu_05", 2]
    halved = {key: (p / 2).astype(np.float32) for key, p in broken.probabilities.items()}
    changed: dict[synthetic.Run, Predictions] = {
        ("relu", 1): other,
        ("smelu_05", 2): replace(broken, probabilities=halved),
    }
    return one(folder, seeds=[1, 2, 3], changed=changed)


def with_shared_predictions(folder: Path) -> list[synthetic.Model]:
    """Two models, of which one has the other's predictions, and a cell that failed already."""
    [first] = one(folder, seeds=[1, 2])
    copied = {("relu", 1): first.predictions["relu", 1]}
    second = make_models(
        folder, seeds=[1, 2], models=["tinylstm"], changed=copied, failed={"relu": "wired"}
    )
    return [first, *second]


def with_a_run_that_failed_at_once(folder: Path) -> list[synthetic.Model]:
    """Before the first row of its history."""
    run, lacking = ("relu", 1), {"last_history": None}
    model = synthetic.Model(
        folder / "made", ACTIVATIONS, [1, 2], out_of_memory=[run], records={run: lacking}
    )
    model.write()
    return [model]


SHAPES: dict[str, Callable[[Path], list[synthetic.Model]]] = {
    "several models and activations": lambda folder: make_models(folder, THREE, [1, 2]),
    "many seeds": lambda folder: one(folder, seeds=range(6)),
    "one seed": lambda folder: one(folder, seeds=[1]),
    "two seeds": lambda folder: one(folder, seeds=[1, 2]),
    "one activation": lambda folder: one(folder, activations=["relu"]),
    "a diverged run": lambda folder: one(folder, seeds=[1, 2], diverged=[("charlm", "relu", 1)]),
    "a cell of diverged runs": lambda folder: one(
        folder, seeds=[1, 2], diverged=[("charlm", "relu", seed) for seed in (1, 2)]
    ),
    "a model of diverged runs": lambda folder: one(
        folder, activations=["relu"], seeds=[1], diverged=[("charlm", "relu", 1)]
    ),
    "a failed run": with_a_run_that_failed_at_once,
    "a failed gate": lambda folder: one(folder, seeds=[1, 2, 3], failed={"relu": "causal"}),
    "unusable runs": with_other_text,
    "shared predictions": with_shared_predictions,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """By shape, a scale's `stats.json` and then those of its models."""
    found = {}
    for shape, make in SHAPES.items():
        folder = tmp_path_factory.mktemp("shape")
        models = [model.stats for model in make(folder)]
        scale_statistics("tiny", "mine", models, folder / "stats.json")
        found[shape] = [folder / "stats.json", *models]
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_results_of_every_shape_fit(files: Mapping[str, list[Path]], shape: str) -> None:
    scale, *models = files[shape]
    StatsFile.model_validate_json(scale.read_bytes())
    for model in models:
        ModelStatsFile.model_validate_json(model.read_bytes())


def test_the_shapes_are_what_they_are_called(files: Mapping[str, list[Path]]) -> None:
    """Otherwise the test above would show nothing."""
    stats = {shape: read_json(paths[0]) for shape, paths in files.items()}
    for shape, status in (("a diverged run", DIVERGED), ("a failed run", FAILED)):
        ended = [run["status"] for run in stats[shape]["models"]["charlm"]["runs"]]
        assert ended == [status, FINISHED, FINISHED, FINISHED]
    unusable = stats["unusable runs"]["models"]["charlm"]["rules"]["final"]["cells"]
    assert [cell["excluded"] for cell in unusable.values()] == [
        [{"seed": 1, "why": "predicted another evaluation set"}],
        [{"seed": 2, "why": "predictions are not probabilities"}],
    ]
    shared = stats["shared predictions"]
    assert shared["shared_between_models"]
    cell = shared["models"]["tinylstm"]["rules"]["final"]["cells"]["relu"]
    assert cell["failed_gates"] == ["wired", "distinct"]


def refused(stats: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        StatsFile.model_validate_json(json.dumps(stats))
    return str(raised.value)


def changed_cell(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(stats: dict[str, Any]) -> None:
        stats["models"]["charlm"]["rules"]["final"]["cells"]["relu"][key] = value

    return change


def changed_run(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(stats: dict[str, Any]) -> None:
        stats["models"]["charlm"]["runs"][0][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda stats: stats.update(more=1), "more\n  Extra inputs"),
        (lambda stats: stats.update(schema=VERSION + 1), "schema\n  Input should be less than"),
        (lambda stats: stats.pop("schema"), "schema\n  Field required"),
        (lambda stats: stats.update(smoke="yes"), "smoke\n  Input should be a valid boolean"),
        (lambda stats: stats["models"]["charlm"]["rules"].pop("best"), "best\n  Field required"),
        (lambda stats: stats["measures"]["loss"].pop("formula"), "formula\n  Field required"),
        (changed_run("status", "lost"), "status\n  Input should be 'finished', 'diverged' or"),
        (changed_run("why", 5), "why\n  Input should be a valid string"),
        (changed_cell("n", -1), "n\n  Input should be greater"),
        (changed_cell("n", 1.5), "n\n  Input should be a valid integer"),
        (changed_cell("gates", {}), "gates\n  Value error, expected the gates wired, causal"),
        (changed_cell("failed_gates", ["luck"]), "failed_gates\n  Value error, expected some of"),
        (changed_cell("metrics", {"loss": None}), "metrics.loss.\\[key\\]\n  String should match"),
    ],
)
def test_other_results_do_not_fit(
    files: Mapping[str, list[Path]], change: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    stats = read_json(files["one seed"][0])
    change(stats)
    assert re.search(complaint, refused(stats))


def test_a_verdict_is_one_of_four_words(files: Mapping[str, list[Path]]) -> None:
    stats = read_json(files["many seeds"][0])
    stats["models"]["charlm"]["rules"]["final"]["contrasts"][0]["verdict"] = "insensitive"
    assert "'different', 'equivalent', 'inconclusive' or 'unsound'" in refused(stats)


def test_the_statistics_of_a_model_and_of_a_scale_differ(files: Mapping[str, list[Path]]) -> None:
    scale, model = files["one seed"]
    with pytest.raises(ValidationError):
        StatsFile.model_validate_json(model.read_bytes())
    with pytest.raises(ValidationError):
        ModelStatsFile.model_validate_json(scale.read_bytes())


def test_rules_and_tables_are_those_of_the_study() -> None:
    assert list(results_schema.Rules.model_fields) == list(RULES)
    assert list(results_schema.DecompositionUnderRule.model_fields) == list(RULES)
    for kind, field in ((results_schema.Cell, "beats"), (results_schema.Evaluation, "baselines")):
        keys, _ = get_args(kind.model_fields[field].annotation)
        assert get_args(keys) == tuple(BASELINES)


def described(part: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    """Every type of the schema."""
    for kind in part.__subclasses__():
        if kind.__module__ == results_schema.__name__:
            yield kind
        yield from described(kind)


KINDS = sorted(set(described()), key=lambda kind: kind.__name__)


def nullable(annotation: Any) -> bool:
    """Whether a value, or one in it, may be null."""
    return annotation is type(None) or any(map(nullable, get_args(annotation)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_key_is_required_and_described(kind: type[BaseModel]) -> None:
    assert kind.__doc__
    for name, field in kind.model_fields.items():
        assert field.is_required(), name
        assert field.description, name
        assert field.description.endswith("."), name
        assert nullable(field.annotation) == ("null" in field.description.lower()), name


def held_by(value: Any) -> list[Any]:
    """What a list or dictionary holds; another value itself."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else [value]


def parts(value: Any) -> Iterator[BaseModel]:
    """A value's parts of the schema, itself included."""
    if isinstance(value, BaseModel):
        yield value
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping | list | tuple):
        for part in held_by(value):
            yield from parts(part)


def test_every_key_occurs_with_a_value_and_where_it_may_be_null_without_one(
    files: Mapping[str, list[Path]],
) -> None:
    kinds: set[type[BaseModel]] = set()
    null: set[str] = set()
    given: set[str] = set()
    for scale, model, *_ in files.values():
        scales = parts(StatsFile.model_validate_json(scale.read_bytes()))
        models = parts(ModelStatsFile.model_validate_json(model.read_bytes()))
        for part in itertools.chain(scales, models):
            kinds |= set(type(part).mro())
            for name in type(part).model_fields:
                key = f"{type(part).__name__}.{name}"
                for value in held_by(getattr(part, name)):
                    (null if value is None else given).add(key)
    # The other types are only extended.
    own = [kind for kind in KINDS if not kind.__name__.startswith("_")]
    assert set(own) <= kinds
    keys = {
        f"{kind.__name__}.{name}": nullable(field.annotation)
        for kind in own
        for name, field in kind.model_fields.items()
    }
    assert keys.keys() - given == ALWAYS_NULL
    assert {key for key, may_be in keys.items() if may_be} - null == NEVER_NULL
