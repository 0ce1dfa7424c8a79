"""The schema of `stats.json` accepts every file that is written, and nothing else."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import numpy as np
import pytest
import synthetic
from pydantic import GetPydanticSchema, TypeAdapter, ValidationError
from study_folder import REPOSITORY
from synthetic_study import ACTIVATIONS, make_models
from typing_extensions import get_type_hints, is_typeddict

from actrepro.config.protocol import Margins, Overrides, Protocol
from actrepro.config.study import RunConfig
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json, write_json
from actrepro.core.shapes import read_as
from actrepro.core.vocabulary import DIVERGED, FAILED, FINISHED
from actrepro.data.evaluation_set import BASELINES
from actrepro.data.shapes import Evaluation
from actrepro.predict.shapes import MatchedSteps
from actrepro.predict.store import RULES, Predictions
from actrepro.results import schema as results_schema
from actrepro.results.schema import (
    Cell,
    MarginValues,
    ModelStatsFile,
    StatsFile,
    read_model_stats,
    read_stats,
    schema,
)
from actrepro.results.schema_version import VERSION
from actrepro.statistics.per_scale import scale_statistics
from actrepro.train.shapes import Override, ProtocolValues, RunAsked

THREE = ("relu", "gelu", "swiglu")
# What no made-up study has: scores without any spread, ...
NEVER_NULL = {
    "Classical.one_way",
    "Classical.blocked",
    "Classical.tukey",
    "Classical.games_howell",
    "Source.eta2",
    # ... runs without a matched step, a processor without a count of cores, ...
    "Machine.cores",
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
    """Make a run of another evaluation set, and one whose rows do not sum to one."""
    healthy = synthetic.Model(folder / "healthy", ACTIVATIONS, [1, 2, 3]).predictions
    foreign = replace(healthy["relu", 1], evaluation_sha256="other")
    broken = healthy["smelu_05", 2]
    halved = {key: (p / 2).astype(np.float32) for key, p in broken.probabilities.items()}
    changed: dict[synthetic.Run, Predictions] = {
        ("relu", 1): foreign,
        ("smelu_05", 2): replace(broken, probabilities=halved),
    }
    return one(folder, seeds=[1, 2, 3], changed=changed)


def with_shared_predictions(folder: Path) -> list[synthetic.Model]:
    """Make two models that share predictions, and a cell that has already failed."""
    [first] = one(folder, seeds=[1, 2])
    copied = {("relu", 1): first.predictions["relu", 1]}
    second = make_models(
        folder, seeds=[1, 2], models=["tinylstm"], changed=copied, failed={"relu": "wired"}
    )
    return [first, *second]


def with_a_run_that_failed_at_once(folder: Path) -> list[synthetic.Model]:
    """Make a run that failed before the first row of its history."""
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
    """Return, by shape, a scale's `stats.json` and then those of its models."""
    by_shape = {}
    for shape, make in SHAPES.items():
        folder = tmp_path_factory.mktemp("shape")
        models = [model.stats for model in make(folder)]
        scale_statistics("tiny", "mine", models, folder / "stats.json")
        by_shape[shape] = [folder / "stats.json", *models]
    return by_shape


@pytest.mark.parametrize("shape", SHAPES)
def test_results_of_every_shape_fit(files: Mapping[str, list[Path]], shape: str) -> None:
    scale, *models = files[shape]
    read_stats(scale)
    for model in models:
        read_model_stats(model)


def test_the_shapes_are_what_they_are_called(files: Mapping[str, list[Path]]) -> None:
    """Check the premise of the tests above."""
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
        TypeAdapter(StatsFile).validate_json(json.dumps(stats))
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
    with pytest.raises(ActreproError, match="found the statistics of one model, expected those of"):
        read_stats(model)
    with pytest.raises(ActreproError, match="found the statistics of a scale, expected those of"):
        read_model_stats(scale)


def test_rules_and_tables_are_those_of_the_study() -> None:
    assert list(get_type_hints(results_schema.Rules)) == list(RULES)
    assert list(get_type_hints(results_schema.DecompositionUnderRule)) == list(RULES)
    hints = (get_type_hints(Cell)["beats"], get_type_hints(Evaluation)["baselines"])
    for keys, _ in map(get_args, hints):
        assert get_args(keys) == tuple(BASELINES)


def parts(annotation: Any, values: Iterable[Any] = ()) -> Iterator[tuple[type, Any]]:
    """Yield the TypedDicts within an annotation, each with None and with its values among `values`.

    What the config checks is described there.
    """
    kind, *metadata = get_args(annotation) if get_origin(annotation) is Annotated else [annotation]
    there = [value for value in values if value is not None]
    if is_typeddict(kind):
        if not any(isinstance(part, GetPydanticSchema) for part in metadata):
            yield kind, None
            yield from ((kind, value) for value in there)
            for name, hint in hints_of(kind).items():
                yield from parts(hint, [value[name] for value in there])
        return
    inner = get_args(kind)
    if get_origin(kind) is dict:
        there = [part for value in there for part in value.values()]
        inner = inner[1:]
    elif get_origin(kind) is list:
        there = [part for value in there for part in value]
    for part in inner:
        yield from parts(part, there)


def hints_of(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def description(annotation: Any) -> str:
    [field] = [extra for extra in annotation.__metadata__ if getattr(extra, "description", None)]
    return str(field.description)


KINDS = sorted(
    {kind for file in (StatsFile, ModelStatsFile) for kind, _ in parts(file)},
    key=lambda kind: kind.__name__,
)


def nullable(annotation: Any) -> bool:
    """Check whether a value, or one in it, may be null."""
    if get_origin(annotation) is Annotated:
        return nullable(annotation.__origin__)
    return annotation is type(None) or any(map(nullable, get_args(annotation)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_key_is_required_and_described(kind: type) -> None:
    assert kind.__doc__
    assert kind.__required_keys__ == hints_of(kind).keys()
    assert kind.__pydantic_config__ == {"extra": "forbid", "strict": True}
    for name, hint in hints_of(kind).items():
        assert description(hint).endswith("."), name
        assert nullable(hint) == ("null" in description(hint).lower()), name


def held_by(value: Any, annotation: Any) -> list[Any]:
    """Return the content of a list or dictionary; another value itself, a TypedDict too."""
    if isinstance(value, Mapping):
        is_dict = get_origin(annotation.__origin__) is dict
        return list(value.values()) if is_dict else [value]
    return list(value) if isinstance(value, list) else [value]


def test_every_key_occurs_with_a_value_and_where_it_may_be_null_without_one(
    files: Mapping[str, list[Path]],
) -> None:
    null: set[str] = set()
    given: set[str] = set()
    for scale, model, *_ in files.values():
        of_scale = parts(StatsFile, [read_stats(scale)])
        of_model = parts(ModelStatsFile, [read_model_stats(model)])
        for kind, part in itertools.chain(of_scale, of_model):
            for name, hint in hints_of(kind).items() if part is not None else ():
                for value in held_by(part[name], hint):
                    (null if value is None else given).add(f"{kind.__name__}.{name}")
    keys = {
        f"{kind.__name__}.{name}": nullable(hint)
        for kind in KINDS
        for name, hint in hints_of(kind).items()
    }
    assert keys.keys() - given == ALWAYS_NULL
    assert {key for key, may_be in keys.items() if may_be} - null == NEVER_NULL


def test_what_was_asked_has_the_keys_of_the_config() -> None:
    for values, part in (
        (ProtocolValues, Protocol),
        (MarginValues, Margins),
        (RunAsked, RunConfig),
    ):
        assert list(hints_of(values)) == list(part.model_fields)
    assert list(hints_of(Override)) == list(Overrides.model_fields)


def test_another_shape_is_refused_with_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "matched.json"
    whole = {"scale": "tiny", "model": "charlm", "common_loss": 1.5, "runs": []}
    for change, complaint in (
        ({"runs": None}, "runs: found None, expected otherwise: input should be a valid array"),
        ({"common_loss": "1.5"}, "common_loss: found '1.5', expected otherwise: input should be"),
        ({"more": 1}, "found more (1), expected no such key"),
        ({"runs": [{"activation": "relu"}]}, "found no runs.0.seed, expected one"),
    ):
        write_json(path, {**whole, **change})
        with pytest.raises(ActreproError, match=re.escape(f"{path}: {complaint}")):
            read_as(MatchedSteps, path)
    write_json(path, [1])
    with pytest.raises(ActreproError, match="the file: found \\[1\\], expected otherwise"):
        read_as(MatchedSteps, path)
    write_json(path, whole)
    assert read_as(MatchedSteps, path) == whole
