"""The optimiser is torch's AdamW, over one flat buffer that the model's parameters view."""

import pytest
import synthetic
import torch
from torch import Tensor, nn

from actrepro.models import build_from_protocol
from actrepro.train.optimiser import AdamW, flatten_parameters


def _net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.LayerNorm(7), nn.Linear(7, 3))


def _losses(model: nn.Module, optimiser: AdamW | torch.optim.AdamW, steps: int) -> list[float]:
    generator = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(steps):
        x = torch.randn(8, 5, generator=generator)
        loss = (model(x) - x[:, :3].sin()).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def _flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


@pytest.mark.parametrize("learning_rate", [1e-3, 3e-2])
def test_fifty_steps_are_torchs(learning_rate: float) -> None:
    ours, theirs = _net(), _net()
    losses = _losses(ours, AdamW(ours, learning_rate), 50)
    expected = _losses(theirs, torch.optim.AdamW(theirs.parameters(), lr=learning_rate), 50)
    assert losses == pytest.approx(expected, abs=1e-6)
    assert expected[-1] < expected[0]
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_parameters_without_a_gradient_only_decay() -> None:
    model = nn.Linear(2, 2)
    before = model.weight.detach().clone()
    AdamW(model, 0.1).step()
    torch.testing.assert_close(model.weight.detach(), before * (1 - 0.1 * 0.01))


def test_parameters_and_gradients_stay_views_of_the_buffers() -> None:
    model = _net()
    before = _flat(list(model.parameters()))
    optimiser = AdamW(model, 1e-3)
    assert torch.equal(optimiser.weights, before)
    _losses(model, optimiser, 3)
    weights, gradients = (
        buffer.untyped_storage().data_ptr() for buffer in (optimiser.weights, optimiser.gradients)
    )
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.untyped_storage().data_ptr() == weights
        assert parameter.grad.untyped_storage().data_ptr() == gradients
    assert torch.equal(optimiser.weights, _flat(list(model.parameters())))
    assert not torch.equal(optimiser.weights, before)


def test_zero_grad_forgets_the_step_before() -> None:
    model = nn.Linear(2, 1)
    optimiser = AdamW(model, 1e-3)
    x = torch.ones(1, 2)
    once = []
    for _ in range(2):
        optimiser.zero_grad()
        model(x).sum().backward()
        once.append(optimiser.gradients.clone())
    assert torch.equal(once[0], once[1])


def test_flattening_changes_nothing_that_a_model_computes() -> None:
    model = build_from_protocol("hybridlm", synthetic.protocol(), "gelu", 7, seed=0).eval()
    codes = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        before = model(codes)
        flatten_parameters(model)
        assert torch.equal(before, model(codes))


def test_loading_weights_fills_the_buffer() -> None:
    model = _net(0)
    weights, _ = flatten_parameters(model)
    model.load_state_dict(_net(1).state_dict())
    assert torch.equal(weights, _flat(list(_net(1).parameters())))
