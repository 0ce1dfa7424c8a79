"""A config is checked key by key, and every message says what was meant or is allowed."""

import copy
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from study_folder import REPOSITORY

from actrepro.config.names import nearest
from actrepro.config.reading import (
    default_study,
    default_study_path,
    parse_corpus,
    parse_study,
    read_study,
)
from actrepro.config.study import Study
from actrepro.core.errors import ActreproError
from actrepro.statistics.inference import smallest_p

Config = dict[str, Any]


@pytest.fixture
def config() -> Config:
    """The default study's YAML, copied so that no two parts share an object as YAML aliases do."""
    return json.loads(json.dumps(yaml.safe_load(default_study_path().read_text())))


def _set(config: Config, key: str, value: Any) -> Config:
    *parents, last = key.split("/")
    part = config
    for parent in parents:
        part = part[parent]
    part[last] = value
    return config


def _refusal(config: Config) -> str:
    with pytest.raises(ActreproError) as caught:
        parse_study(config)
    return str(caught.value)


def test_the_default_study() -> None:
    study = default_study()
    assert default_study_path() == REPOSITORY / "config/config.yaml"
    assert len(study.models) == len(study.activations) == 6
    assert study.seeds == (42, 43, 44)
    assert list(study.protocols) == ["quick", "cpu", "cpu500", "lite", "partial", "full"]
    assert {protocol.learning_rate for protocol in study.protocols.values()} == {5e-3, 3e-4}


@pytest.mark.parametrize(
    ("key", "valid"),
    [
        ("sedes", "seeds"),
        ("protocols/quick/contxt", "context"),
        ("protocols/full/overrides/tinylstm/learning_rat", "learning_rate"),
        ("corpora/tinyshakespeare/symbol", "symbols"),
        ("corpora/gutenberg-plays/member", "members"),
    ],
)
def test_an_unknown_key_is_refused_at_every_level(config: Config, key: str, valid: str) -> None:
    message = _refusal(_set(config, key, 1))
    assert f"  - {key.replace('/', '.')}: no such key; did you mean '{valid}'? valid: " in message


@pytest.mark.parametrize("scale", ["overrides", "corpora", "file"])
def test_a_message_may_name_any_scale_or_corpus(config: Config, scale: str) -> None:
    _set(config, f"protocols/{scale}", {**config["protocols"]["quick"], "contxt": 1})
    message = _refusal(config)
    assert f"protocols.{scale}.contxt: no such key; did you mean 'context'?" in message
    del config["protocols"][scale]
    _set(config, f"corpora/{scale}", {"source": "file", "path": "a.txt", "pth": 1})
    message = _refusal(config)
    assert f"corpora.{scale}.pth: no such key; did you mean 'path'?" in message


def test_a_missing_key_is_named(config: Config) -> None:
    del config["protocols"]["quick"]["width"]
    del config["corpora"]["tinyshakespeare"]["file"]
    message = _refusal(config)
    assert "  - protocols.quick.width: is missing\n" in message
    assert "  - corpora.tinyshakespeare.file: is missing\n" in message


def test_a_key_of_another_source_is_named(config: Config) -> None:
    message = _refusal(_set(config, "corpora/gutenberg-plays/file", "a.txt"))
    assert "  - corpora.gutenberg-plays.file: no such key;" in message


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("protocols/quick/learning_rate", -1e-3, "greater than 0"),
        ("protocols/quick/learning_rate", 2, "less than or equal to 1"),
        ("protocols/quick/dropout", 1, "less than 1"),
        ("protocols/quick/dropout", -0.1, "greater than or equal to 0"),
        ("protocols/quick/layers", 0, "greater than or equal to 1"),
        ("protocols/quick/iterations", 0, "greater than or equal to 1"),
        ("protocols/quick/evaluate_every", 0, "greater than or equal to 1"),
        ("protocols/quick/context", "long", "valid integer"),
        ("protocols/quick/overrides/tinylstm/dropout", 1.0, "less than 1"),
        ("protocols/quick", 5, "valid dictionary"),
        ("corpora/tinyshakespeare/sha256", "86c4", "should match pattern"),
        ("corpora/tinyshakespeare/urls", [], "at least 1 item"),
        ("corpora/tinyshakespeare/symbols", 1, "greater than or equal to 2"),
        ("device", "gpu", "'auto', 'cpu' or 'cuda'"),
        ("confidence", 95, "less than 1"),
        ("study", "my study", "should match pattern"),
        ("models", [], "at least 1 item"),
        ("seeds", [42, 43, 42], "42 is named more than once"),
        ("activations", "relu,relu", "relu is named more than once"),
    ],
)
def test_a_value_out_of_range_is_refused_with_what_was_found(
    config: Config, key: str, value: object, reason: str
) -> None:
    message = _refusal(_set(config, key, value))
    assert f"  - {key.replace('/', '.')}: found {value!r}, but " in message
    assert reason in message


@pytest.mark.parametrize("seed", [-1, 1.5, "x", 2**31])
def test_a_seed_is_a_small_whole_number(config: Config, seed: object) -> None:
    assert f"seeds.1: found {seed!r}, but input should" in _refusal(
        _set(config, "seeds", [1, seed])
    )


def test_heads_must_divide_the_width(config: Config) -> None:
    message = _refusal(_set(config, "protocols/quick/heads", 5))
    assert "protocols.quick" in message
    assert "width 48 is not divisible by heads 5" in message


@pytest.mark.parametrize(
    ("key", "value", "start", "meant"),
    [
        ("models", ["charm"], "models: 'charm'", "charlm"),
        ("activations", ["smelu_5"], "activations: 'smelu_5'", "smelu_05"),
        ("scales", ["ful"], "scales: 'ful'", "full"),
        ("protocols/cpu/corpus", "tinyshakespear", "protocols.cpu.corpus: ", "tinyshakespeare"),
        ("protocols/cpu/overrides", {"tinylstn": {}}, "protocols.cpu.overrides: ", "tinylstm"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    config: Config, key: str, value: object, start: str, meant: str
) -> None:
    message = _refusal(_set(config, key, value))
    assert re.search(rf"- {re.escape(start)}.* is not known; did you mean '{meant}'\?", message)


def test_all_problems_are_reported_together(config: Config) -> None:
    _set(config, "seedz", 1)
    _set(config, "protocols/cpu/batch", 0)
    assert _refusal(config).count("\n  - ") == 2


def test_nearest_lists_all_names_even_when_none_is_near() -> None:
    assert nearest("xyz", ["b", "a"]) == "; valid: a, b"


def test_models_of_ones_own_are_known_but_shadow_no_built_in(config: Config) -> None:
    _set(config, "custom_models", {"mine": "folder.mine"})
    _set(config, "models", ["charlm", "mine"])
    _set(config, "protocols/quick/overrides", {"mine": {"dropout": 0.1}})
    assert parse_study(config).known_models[-1] == "mine"
    message = _refusal(_set(config, "custom_models", {"charlm": "folder.mine", "mine": "a.b"}))
    assert "custom_models: charlm is a built-in model; choose another name" in message


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("models", "charlm,minigpt", ("charlm", "minigpt")),
        ("models", "charlm", ("charlm",)),
        ("activations", "relu, swiglu,", ("relu", "swiglu")),
        ("scales", "cpu", ("cpu",)),
        ("seeds", 7, (7,)),
        ("seeds", "7,8", (7, 8)),
        ("seeds", ["7", 8], (7, 8)),
    ],
)
def test_lists_may_be_written_as_on_a_command_line(
    config: Config, key: str, value: object, expected: tuple[object, ...]
) -> None:
    assert getattr(parse_study(_set(config, key, value)), key) == expected


def test_a_study_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        default_study().confidence = 0.9  # type: ignore[misc]


def _read(folder: Path, text: str) -> Study:
    (folder / "mine.yaml").write_text(text)
    return read_study(folder / "mine.yaml")


def test_a_study_file_names_only_what_it_changes(tmp_path: Path) -> None:
    read = _read(tmp_path, "study: mine\nprotocols: {quick: {width: 64}}\nseeds: [1]\n")
    default = default_study()
    assert (read.study, read.seeds, read.models) == ("mine", (1,), default.models)
    assert read.protocols["quick"] == default.protocols["quick"].model_copy(update={"width": 64})
    assert read.protocols["full"] == default.protocols["full"]
    assert read.corpora == default.corpora


def test_a_scale_is_one_block_of_yaml(tmp_path: Path) -> None:
    block = """
study: mine
scales: huge
protocols:
  huge:
    corpus: tinyshakespeare
    layers: 12
    width: 768
    heads: 12
    context: 512
    batch: 64
    iterations: 10000
    learning_rate: 1.0e-4
    dropout: 0.1
    evaluate_every: 1000
"""
    read = _read(tmp_path, block)
    assert read.scales == ("huge",)
    assert read.run_config("huge", "convlm", "gelu", 1).protocol.width == 768


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1", "is not valid YAML"),
        ("\x00", "is not valid YAML"),
        ("- a\n- b\n", "expected keys and values, found list"),
        ("", "expected keys and values, found NoneType"),
        ("sedes: 1", "is not a valid study:\n  - sedes: no such key"),
    ],
)
def test_a_file_that_is_no_study_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ActreproError, match=rf"mine\.yaml.*{reason}"):
        _read(tmp_path, text)


def test_bytes_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"study: caf\xe9")
    with pytest.raises(ActreproError, match=r"mine\.yaml is not valid YAML"):
        read_study(tmp_path / "mine.yaml")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ActreproError, match=r"none\.yaml: there is no such config file"):
        read_study(tmp_path / "none.yaml")
    with pytest.raises(ActreproError, match=re.escape(str(tmp_path))):
        read_study(tmp_path)


def _slice(config: Config) -> dict[str, Any]:
    run = parse_study(config).run_config("cpu", "tinylstm", "relu", 42)
    return run.model_dump(mode="json")


def test_a_run_gets_only_its_own_slice(config: Config) -> None:
    before = _slice(copy.deepcopy(config))
    assert before["protocol"]["learning_rate"] == 3e-3
    assert before["protocol"]["overrides"] == {}
    for key, value in (
        ("study", "other"),
        ("confidence", 0.9),
        ("seeds", [1, 42]),
        ("models", ["tinylstm", "charlm"]),
        ("activations", ["relu"]),
        ("scales", ["full"]),
        ("custom_models", {"mine": "folder.mine"}),
        ("protocols/full/width", 768),
        ("protocols/cpu/overrides/charlm", {"dropout": 0.5}),
        ("corpora/gutenberg-plays/test_characters", 100),
    ):
        assert _slice(_set(config, key, value)) == before, key


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("device", "cuda"),
        ("protocols/cpu/width", 64),
        ("protocols/cpu/overrides/tinylstm", {"dropout": 0.5}),
    ],
)
def test_a_run_gets_what_it_needs(config: Config, key: str, value: object) -> None:
    before = _slice(copy.deepcopy(config))
    assert _slice(_set(config, key, value)) != before


def test_a_run_of_ones_own_model_gets_its_path(config: Config) -> None:
    _set(config, "custom_models", {"mine": "folder.mine", "other": "folder.other"})
    study = parse_study(config)
    assert study.run_config("cpu", "mine", "relu", 1).custom_models == {"mine": "folder.mine"}
    assert study.run_config("cpu", "mine", "relu", 1).name == "cpu/mine/relu/seed1"


def test_a_slice_survives_json(config: Config) -> None:
    run = parse_study(config).run_config("cpu", "tinylstm", "relu", 42)
    written = json.loads(json.dumps(run.model_dump(mode="json")))
    assert type(run).model_validate(written) == run


def test_a_corpus_survives_json(config: Config) -> None:
    for corpus in parse_study(config).corpora.values():
        assert parse_corpus(json.loads(json.dumps(corpus.model_dump(mode="json")))) == corpus


@pytest.mark.parametrize("path", sorted((REPOSITORY / "config").glob("**/*.yaml")), ids=str)
def test_every_study_in_the_repository_is_valid(path: Path) -> None:
    assert read_study(path).scales


def test_ten_seeds_are_the_fewest_that_can_find_a_contrast() -> None:
    study = read_study(REPOSITORY / "config/ten-seeds.yaml")
    contrasts = math.comb(len(study.activations), 2)
    n = len(study.seeds)
    assert contrasts * smallest_p(n) < 1 - study.confidence < contrasts * smallest_p(n - 1)


@pytest.mark.parametrize("folder", ["audit", "benchmarks", "corpora"])
def test_a_scale_is_not_called_like_a_folder_of_results(config: Config, folder: str) -> None:
    config["protocols"][folder] = config["protocols"]["cpu"]
    with pytest.raises(ActreproError, match=f"target or folder '{folder}' of its own"):
        parse_study(config)


def test_a_scale_is_not_called_like_a_target() -> None:
    study = default_study()
    study.refuse_taken(["predict", "report"])
    with pytest.raises(ActreproError, match="target or folder 'cpu' of its own; choose another"):
        study.refuse_taken(["predict", "cpu"])


@pytest.mark.parametrize(
    ("old", "new"),
    [("jobs_per_card", "jobs_per_gpu"), ("snapshot_seconds", "save_state_seconds")],
)
def test_a_key_has_its_old_name_too_but_not_both(config: Config, old: str, new: str) -> None:
    assert getattr(parse_study({**config, old: 7}), new) == 7
    with pytest.raises(ActreproError, match=f"{old}: no such key; did you mean '{new}'"):
        parse_study({**config, old: 7, new: 8})
