"""Activations against their formulas, written again in numpy and scipy, and their slopes."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from actrepro.config.names import activation_names
from actrepro.core.errors import ActreproError
from actrepro.models import activations
from actrepro.models.activations import get_activation, smelu

Function = Callable[[np.ndarray], np.ndarray]

REALS = st.floats(-1e4, 1e4)
BETAS = st.floats(0.01, 100)


def _smelu(beta: float) -> tuple[Function, Function]:
    """Compute SmeLU by branches, as Shamir, Lin & Coviello define it, and its slope."""

    def value(x: np.ndarray) -> np.ndarray:
        return np.where(x <= -beta, 0, np.where(x >= beta, x, (x + beta) ** 2 / (4 * beta)))

    def slope(x: np.ndarray) -> np.ndarray:
        return np.clip((x + beta) / (2 * beta), 0, 1)

    return value, slope


def _swish_slope(x: np.ndarray) -> np.ndarray:
    sigmoid = scipy.special.expit(x)
    return sigmoid + x * sigmoid * scipy.special.expit(-x)


POINTWISE: dict[str, tuple[Function, Function]] = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(float)),
    "gelu": (
        lambda x: x * scipy.special.ndtr(x),
        lambda x: scipy.special.ndtr(x) + x * scipy.stats.norm.pdf(x),
    ),
    "swish": (lambda x: x * scipy.special.expit(x), _swish_slope),
    "smelu_05": _smelu(0.5),
    "smelu_1": _smelu(1.0),
}
GATED = {"swiglu": lambda gate, value: gate * scipy.special.expit(gate) * value}


def _slope(function: Callable[[Tensor], Tensor], points: np.ndarray) -> np.ndarray:
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(function(x).sum(), x)
    return found.numpy()


def test_the_names_read_from_source_are_those_registered_at_import() -> None:
    registered = tuple(activations._REGISTRY)
    assert activation_names() == registered
    assert {*POINTWISE, *GATED} == set(registered)
    for name in registered:
        activation = get_activation(name)
        assert (activation.name, activation.gated) == (name, name in GATED)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ActreproError, match="activation 'smelu_2' is not known; did you mean 'sme"):
        get_activation("smelu_2")


@pytest.mark.parametrize("name", POINTWISE)
@given(x=REALS)
def test_values_and_slopes(name: str, x: float) -> None:
    value, slope = POINTWISE[name]
    function, points = get_activation(name).function, np.array([x])
    found = function(torch.tensor(points)).numpy()
    np.testing.assert_allclose(found, value(points), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(_slope(function, points), slope(points), rtol=1e-9, atol=1e-12)


@given(gate=REALS, value=REALS)
def test_swiglu_is_swish_of_the_gate_times_the_value(gate: float, value: float) -> None:
    found = get_activation("swiglu").function(
        torch.tensor(gate, dtype=torch.float64), torch.tensor(value, dtype=torch.float64)
    )
    np.testing.assert_allclose(found, GATED["swiglu"](gate, value), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", activation_names())
def test_gradients_match_finite_differences(name: str) -> None:
    activation = get_activation(name)
    # Between the joints, where a difference quotient is what the slope is.
    x = torch.tensor([-3.3, -0.7, -0.3, 0.2, 0.8, 2.9], dtype=torch.float64, requires_grad=True)
    arguments = (x, x.detach().flip(0).requires_grad_()) if activation.gated else (x,)
    assert torch.autograd.gradcheck(activation.function, arguments)


@pytest.mark.parametrize("name", activation_names())
@pytest.mark.parametrize("x", [-1e4, -100.0, 100.0, 1e4])
def test_large_inputs_stay_finite_in_single_precision(name: str, x: float) -> None:
    activation = get_activation(name)
    point = torch.tensor([x], requires_grad=True)
    arguments = (point, torch.ones(1)) if activation.gated else (point,)
    found = activation.function(*arguments)
    (slope,) = torch.autograd.grad(found.sum(), point)
    assert found.item() == pytest.approx(max(x, 0.0))
    assert slope.item() == pytest.approx(float(x > 0))


@pytest.mark.parametrize("name", activation_names())
def test_nan_is_not_hidden(name: str) -> None:
    activation = get_activation(name)
    arguments = [torch.tensor([np.nan])] * (2 if activation.gated else 1)
    assert activation.function(*arguments).isnan().all()


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_joints_of_smelu_are_exact(beta: float, dtype: torch.dtype) -> None:
    x = torch.tensor([-beta, beta], dtype=dtype, requires_grad=True)
    value = smelu(x, beta)
    (slope,) = torch.autograd.grad(value.sum(), x)
    assert value.tolist() == [0.0, beta]
    assert slope.tolist() == [0.0, 1.0]


@given(beta=BETAS, step=st.floats(1e-12, 1e-6))
def test_smelu_is_smooth_across_its_joints(beta: float, step: float) -> None:
    for joint, value, slope in ((-beta, 0.0, 0.0), (beta, beta, 1.0)):
        sides = np.array([joint - step, joint + step])
        found = smelu(torch.tensor(sides), beta).numpy()
        np.testing.assert_allclose(found, value, rtol=0, atol=2 * step)
        slopes = _slope(lambda x: smelu(x, beta), sides)
        np.testing.assert_allclose(slopes, slope, rtol=0, atol=step / beta)


@given(x=REALS, beta=BETAS)
def test_smelu_for_any_half_width(x: float, beta: float) -> None:
    value, slope = _smelu(beta)
    points = np.array([x])
    found = smelu(torch.tensor(points), beta).numpy()
    np.testing.assert_allclose(found, value(points), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        _slope(lambda x: smelu(x, beta), points), slope(points), rtol=1e-12, atol=1e-12
    )


@given(x=REALS, more=st.floats(0, 100), beta=BETAS)
def test_smelu_rises_and_stays_a_quarter_beta_above_relu(
    x: float, more: float, beta: float
) -> None:
    low, high = smelu(torch.tensor([x, x + more], dtype=torch.float64), beta).tolist()
    assert low <= high + 1e-9
    assert -1e-9 <= low - max(x, 0) <= beta / 4 + 1e-9


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_smelu_is_relu_averaged_over_its_width(beta: float) -> None:
    for x in np.linspace(-2 * beta, 2 * beta, 17):
        mean, _ = scipy.integrate.quad(
            lambda shift, x=x: max(x + shift, 0) / (2 * beta), -beta, beta, points=[-x]
        )
        found = smelu(torch.tensor(x, dtype=torch.float64), beta).item()
        assert found == pytest.approx(mean, abs=1e-10)


@given(x=REALS)
def test_a_narrow_smelu_is_relu(x: float) -> None:
    assert smelu(torch.tensor(x, dtype=torch.float64), 1e-9).item() == pytest.approx(
        max(x, 0), abs=1e-9
    )


def test_gelu_is_not_its_tanh_approximation() -> None:
    x = torch.linspace(-3, 3, 61, dtype=torch.float64)
    tanh = torch.nn.functional.gelu(x, approximate="tanh")
    assert (get_activation("gelu").function(x) - tanh).abs().max() > 1e-4
