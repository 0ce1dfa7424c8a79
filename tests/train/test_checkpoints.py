"""Checkpoints: round trips, hashes of weights, errors that name the damage."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from actrepro.core.errors import ActreproError
from actrepro.core.vocabulary import DIVERGED, FAILED, FINISHED
from actrepro.train.checkpoints import (
    Checkpoint,
    Weights,
    copy_weights,
    hash_weights,
    is_finished,
    load_checkpoint,
    load_snapshot,
    save_checkpoint,
    save_snapshots,
    status_of,
)


def _weights(seed: int) -> Weights:
    torch.manual_seed(seed)
    return {"a.weight": torch.randn(3, 4), "a.bias": torch.randn(3), "empty": torch.zeros(0)}


def _checkpoint(best: Weights | None) -> Checkpoint:
    best_step = 12 if best is None else 10
    return Checkpoint(_weights(1), final_step=12, best=best, best_step=best_step, status=FINISHED)


@pytest.mark.parametrize("best", [None, _weights(2)], ids=["best-is-final", "best-is-earlier"])
def test_save_and_load_are_inverse(tmp_path: Path, best: Weights | None) -> None:
    path = tmp_path / "deep/checkpoint.safetensors"
    save_checkpoint(path, _checkpoint(best))
    loaded = load_checkpoint(path)
    assert (loaded.final_step, loaded.status) == (12, FINISHED)
    assert loaded.best_step == (12 if best is None else 10)
    assert (loaded.best is None) == (best is None)
    for rule, expected in (("final", _weights(1)), ("best", best or _weights(1))):
        restored = loaded.weights(rule)
        assert restored.keys() == expected.keys()
        assert all(torch.equal(restored[name], expected[name]) for name in expected)


def test_weights_are_stored_once_when_both_rules_agree(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "one", _checkpoint(None))
    save_checkpoint(tmp_path / "two", _checkpoint(_weights(2)))
    assert (tmp_path / "two").stat().st_size > 1.4 * (tmp_path / "one").stat().st_size


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "abc":
        save_checkpoint(tmp_path / name, _checkpoint(_weights(2)))
    assert len({(tmp_path / name).read_bytes() for name in "abc"}) == 1


def test_weights_that_are_no_numbers_survive(tmp_path: Path) -> None:
    broken = {"a": torch.tensor([float("nan"), float("inf")])}
    save_checkpoint(tmp_path / "a", Checkpoint(broken, 3, None, 3, DIVERGED))
    loaded = load_checkpoint(tmp_path / "a")
    assert hash_weights(loaded.final) == hash_weights(broken)


@pytest.mark.parametrize("status", [FINISHED, DIVERGED, FAILED])
def test_a_checkpoint_says_how_its_run_ended(tmp_path: Path, status: str) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, Checkpoint(_weights(1), 3, None, 3, status))
    assert load_checkpoint(path).status == status_of(path) == status
    assert is_finished(path) == (status == FINISHED)


def test_every_truncation_and_what_is_no_checkpoint_are_named(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, _checkpoint(_weights(2)))
    whole = path.read_bytes()
    damaged = [whole[:size] for size in range(0, len(whole), 53)]
    for data in (*damaged, b"not a checkpoint" * 10):
        path.write_bytes(data)
        with pytest.raises(
            ActreproError, match=r"checkpoint\.safetensors: not a readable .*delete"
        ):
            load_checkpoint(path)


def test_a_missing_checkpoint_and_safetensors_of_another_kind_are_named(tmp_path: Path) -> None:
    with pytest.raises(ActreproError, match=r"none\.safetensors: not a readable checkpoint"):
        load_checkpoint(tmp_path / "none.safetensors")
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ActreproError, match=r"other\.safetensors: not a readable checkpoint"):
        load_checkpoint(tmp_path / "other.safetensors")


def test_the_hash_covers_names_shapes_types_and_every_bit() -> None:
    weights = {"a": torch.arange(6.0), "b": torch.ones(2)}
    others = [
        {"c": weights["a"], "b": weights["b"]},
        {**weights, "a": weights["a"].view(2, 3)},
        {**weights, "a": weights["a"].to(torch.int32)},
        {**weights, "a": torch.nextafter(weights["a"], torch.tensor(9.0))},
        {"a": weights["a"]},
    ]
    hashes = [hash_weights(one) for one in (weights, *others)]
    assert len(set(hashes)) == len(hashes)
    assert hash_weights({"b": weights["b"], "a": weights["a"]}) == hashes[0]


def test_the_hash_is_of_values_not_of_layout() -> None:
    matrix = torch.arange(6.0).view(2, 3)
    assert hash_weights({"a": matrix.T.contiguous().T}) == hash_weights({"a": matrix})


def test_copied_weights_do_not_follow_the_model() -> None:
    model = torch.nn.Linear(2, 2)
    copied = copy_weights(model)
    before = hash_weights(copied)
    with torch.no_grad():
        model.weight.add_(1)
    assert hash_weights(copied) == before
    assert hash_weights(copy_weights(model)) != before


def test_snapshots_by_step(tmp_path: Path) -> None:
    path = tmp_path / "snapshots.safetensors"
    save_snapshots(path, {5: _weights(1), 50: _weights(2)})
    for step, seed in ((5, 1), (50, 2)):
        assert hash_weights(load_snapshot(path, step)) == hash_weights(_weights(seed))
    with pytest.raises(ActreproError, match=r"no snapshot of step 500, which the run's history"):
        load_snapshot(path, 500)
    before = path.read_bytes()
    save_snapshots(path, {5: _weights(1), 50: _weights(2)})
    assert path.read_bytes() == before


def test_a_run_may_have_no_snapshots(tmp_path: Path) -> None:
    path = tmp_path / "snapshots.safetensors"
    save_snapshots(path, {})
    with pytest.raises(ActreproError, match="no snapshot of step 5"):
        load_snapshot(path, 5)
    path.write_bytes(b"no weights")
    with pytest.raises(ActreproError, match=r"snapshots\.safetensors: not readable snapshots"):
        load_snapshot(path, 5)
