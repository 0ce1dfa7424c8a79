"""Devices and precisions: weights and sums are float32 in every precision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
import torch

from actrepro.config.names import model_names
from actrepro.config.study import RunConfig
from actrepro.core.errors import ActreproError
from actrepro.core.files import read_json
from actrepro.core.vocabulary import FINISHED
from actrepro.data.evaluation_set import EvaluationSet
from actrepro.predict.predictor import predict
from actrepro.predict.store import POSITIONS
from actrepro.train.checkpoints import hash_weights
from actrepro.train.devices import computing_in, prepare_torch
from actrepro.train.loop import TrainedRun, train
from actrepro.train.runs import RunOutputs, train_run

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def _train(**changes: Any) -> TrainedRun:
    return train(synthetic.request(**changes), synthetic.corpus(), CPU)


def _final(run: TrainedRun) -> str:
    return hash_weights(run.checkpoint.final)


def test_cuda_without_a_cuda_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ActreproError, match=r"device: cuda was asked for.*set device: auto or cpu"):
        prepare_torch("cuda", 1)
    assert prepare_torch("auto", 1) == CPU
    assert prepare_torch("cpu", 1) == CPU


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_the_number_of_threads_is_what_was_asked_for() -> None:
    prepare_torch("cpu", 2)
    assert torch.get_num_threads() == 2


SETTINGS = (
    (torch.backends.cudnn, "benchmark"),
    (torch.backends.cudnn, "allow_tf32"),
    (torch.backends.cuda.matmul, "allow_tf32"),
)


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """A machine with a GPU, as far as torch's settings go; records the reproducible switch."""
    told: list[bool] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", told.append)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "to be set")
    del os.environ["CUBLAS_WORKSPACE_CONFIG"]
    before = [getattr(*setting) for setting in SETTINGS]
    for setting in SETTINGS:
        setattr(*setting, True)
    yield told
    for setting, value in zip(SETTINGS, before, strict=True):
        setattr(*setting, value)


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_on_a_gpu_kernels_repeat_themselves_and_round_nothing(
    device: str, a_gpu: list[bool]
) -> None:
    assert prepare_torch(device, 1) == CUDA
    assert a_gpu == [True]
    assert not torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.allow_tf32
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_a_cpu_job_leaves_a_gpus_settings_alone(a_gpu: list[bool]) -> None:
    assert prepare_torch("cpu", 1) == CPU
    assert a_gpu == []
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


def _roundings() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.mark.usefixtures("a_gpu")
@pytest.mark.parametrize(("precision", "rounds"), [("fp32", False), ("tf32", True)])
def test_on_a_gpu_factors_are_rounded_where_that_was_asked_for(
    precision: str, rounds: bool
) -> None:
    with computing_in(precision, CUDA):
        assert _roundings() == (rounds, rounds)
    assert _roundings() == (True, True)
    with pytest.raises(ZeroDivisionError), computing_in(precision, CUDA):
        raise ZeroDivisionError
    assert _roundings() == (True, True)


def test_bf16_is_torchs_autocast_and_ends_with_its_block() -> None:
    with computing_in("bf16", CPU):
        assert torch.is_autocast_enabled("cpu")
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_on_a_cpu_anything_but_bf16_computes_in_float32(precision: str) -> None:
    with computing_in(precision, CPU):
        assert not torch.is_autocast_enabled("cpu")
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_nothing_is_rounded_where_nothing_is_said() -> None:
    assert synthetic.protocol().precision == "fp32"
    assert _final(_train(precision="fp32")) == _final(_train())


def test_tf32_changes_nothing_on_a_cpu() -> None:
    assert _final(_train(precision="tf32", dropout=0.2)) == _final(_train(dropout=0.2))


@pytest.mark.parametrize("model", model_names())
def test_bf16_trains_other_weights_almost_as_well(model: str) -> None:
    exact, rough = (
        _train(model=model, precision=precision, dropout=0.2) for precision in ("fp32", "bf16")
    )
    assert rough.status == FINISHED
    assert _final(rough) != _final(exact)
    assert _final(rough) == _final(_train(model=model, precision="bf16", dropout=0.2))
    # Where both start, and losses of the history are never rounded.
    assert rough.history[0] == exact.history[0]
    assert rough.history[-1].selection_loss == pytest.approx(
        exact.history[-1].selection_loss, abs=0.05
    )
    assert {value.dtype for value in rough.checkpoint.final.values()} == {torch.float32}


def test_in_bf16_the_loss_stays_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    backward = torch.autograd.backward
    losses: list[torch.Tensor] = []
    monkeypatch.setattr(
        torch.autograd, "backward", lambda loss: (losses.append(loss), backward(loss))
    )
    _train(precision="bf16")
    assert len(losses) == 12
    assert {loss.dtype for loss in losses} == {torch.float32}
    # More digits than bfloat16 has.
    assert any(loss.bfloat16().item() != loss.item() for loss in losses)


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_the_precision_is_recorded(tmp_path: Path, precision: str) -> None:
    synthetic.corpus().save(tmp_path / "corpus.npz")
    outputs = RunOutputs(*(tmp_path / name for name in ("checkpoint", "snapshots", "csv", "json")))
    request = synthetic.request(precision=precision)
    train_run(request, tmp_path / "corpus.npz", outputs, tmp_path / "state", 3600, threads=1)
    asked = read_json(outputs.record)["config"]
    assert asked["protocol"]["precision"] == precision
    assert RunConfig.model_validate(asked) == request


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_predictions_are_never_rounded(evaluation: EvaluationSet, precision: str) -> None:
    weights = {"final": _train(precision=precision).checkpoint.final}
    symbols = len(evaluation.symbols)
    rough, exact = (
        predict(synthetic.request(precision=one), weights, symbols, evaluation, CPU)
        for one in (precision, "fp32")
    )
    for at in POSITIONS:
        one, other = (made.probabilities["final", at] for made in (rough, exact))
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(rough.generated["final"], exact.generated["final"])


def test_a_precision_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'fp32', 'tf32' or 'bf16'"):
        synthetic.protocol(precision="fp16")
