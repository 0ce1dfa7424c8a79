"""Dropout masks on a CPU: their distribution, and their use of torch's random stream."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from actrepro.models.blocks import Dropout
from actrepro.models.masks import LEVELS, Masks

# Of one test in ten thousand that asks about chance; the seeds are fixed.
UNLIKELY = 1e-4


def _zeros(mask: torch.Tensor) -> np.ndarray:
    return (mask == 0).numpy().ravel()


@pytest.mark.parametrize("drop", [0.5, 0.2, 0.1, 1 / 3, 0.003, 0.99, 1 / LEVELS])
def test_the_given_share_is_dropped(drop: float) -> None:
    torch.manual_seed(1)
    dropped = _zeros(Masks(drop).draw((400, 1000)))
    exact = round(drop * LEVELS) / LEVELS
    assert stats.binomtest(int(dropped.sum()), len(dropped), exact).pvalue > UNLIKELY


@pytest.mark.parametrize("drop", [0.5, 0.2, 1 / 3, 0.9, 1e-5, 1 / LEVELS, 1 - 1 / LEVELS])
def test_kept_elements_are_scaled_up(drop: float) -> None:
    torch.manual_seed(1)
    mask = Masks(drop).draw((300, 1001))
    assert mask.dtype == torch.float32
    kept = LEVELS / (LEVELS - round(drop * LEVELS))
    assert {float(value) for value in mask.unique()} <= {0.0, float(np.float32(kept))}
    assert mask.max() == np.float32(kept)


@pytest.mark.parametrize(("drop", "factor"), [(0.0, 1.0), (1e-9, 1.0), (1.0, 0.0), (1 - 1e-9, 0.0)])
def test_a_probability_near_zero_or_one_is_rounded_to_it(drop: float, factor: float) -> None:
    mask = Masks(drop).draw((7, 9))
    assert torch.equal(mask, torch.full((7, 9), factor))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,), (5,), (2, 3, 5), (7, 1), (0, 3), (1023,)])
def test_a_mask_has_any_shape(shape: tuple[int, ...]) -> None:
    for made in (Masks(0.3).draw(shape), Masks(0.3).draw(torch.Size(shape))):
        assert made.shape == shape
        assert made.is_contiguous()


def test_the_last_ones_of_an_odd_size_are_as_random_as_the_first() -> None:
    torch.manual_seed(2)
    masks = Masks(0.5)
    dropped = np.array([_zeros(masks.draw((7,))) for _ in range(2000)])
    for place in range(7):
        assert stats.binomtest(int(dropped[:, place].sum()), 2000, 0.5).pvalue > UNLIKELY


def _independent(one: np.ndarray, other: np.ndarray) -> bool:
    table = [[np.sum((one == a) & (other == b)) for b in (0, 1)] for a in (0, 1)]
    return bool(stats.chi2_contingency(table, correction=False).pvalue > UNLIKELY)


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 5, 64, 1000])
def test_neighbours_are_independent(distance: int) -> None:
    torch.manual_seed(3)
    dropped = _zeros(Masks(0.3).draw((100_000,)))
    assert _independent(dropped[:-distance], dropped[distance:])


def test_the_masks_of_a_layer_are_independent() -> None:
    torch.manual_seed(4)
    masks = Masks(0.3)
    drawn = [_zeros(masks.draw((20_000,))) for _ in range(4)]
    assert all(_independent(one, other) for one, other in itertools.combinations(drawn, 2))


def test_the_masks_of_layers_and_of_steps_are_independent() -> None:
    torch.manual_seed(5)
    drawn = [_zeros(Masks(0.3).draw((20_000,))) for _ in range(5)]
    # Adjacent seeds give masks that are just as independent.
    for seed in (6, 7):
        torch.manual_seed(seed)
        drawn.append(_zeros(Masks(0.3).draw((20_000,))))
    assert all(_independent(one, other) for one, other in itertools.combinations(drawn, 2))


def test_masks_follow_torchs_seed() -> None:
    def drawn(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(seed)
        masks = Masks(0.4)
        return [masks.draw((50,)), masks.draw((3, 5)), Masks(0.4).draw((50,))]

    np.random.seed(1)
    first = drawn(8)
    np.random.seed(2)
    again, other = drawn(8), drawn(9)
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert not any(torch.equal(*pair) for pair in zip(first, other, strict=True))


def test_the_masks_of_a_layer_take_one_number_of_torchs_stream() -> None:
    torch.manual_seed(10)
    torch.randint(1 << 62, ())
    after_one = torch.get_rng_state()
    torch.manual_seed(10)
    masks = Masks(0.4)
    assert torch.equal(torch.get_rng_state(), after_one)
    masks.draw((1000,))
    masks.draw((1000,))
    assert torch.equal(torch.get_rng_state(), after_one)


def test_dropout_keeps_the_mean() -> None:
    torch.manual_seed(11)
    for drop in (0.1, 0.5, 0.8):
        values = Dropout(drop)(torch.ones(200, 1000)).double()
        # The deviation of one element's factor is √(p/(1 − p)).
        error = math.sqrt(drop / (1 - drop) / values.numel())
        assert values.mean().item() == pytest.approx(1, abs=4 * error)


def test_dropout_is_off_in_evaluation_and_at_zero() -> None:
    x = torch.randn(20, 30)
    before = torch.get_rng_state()
    for layer in (Dropout(0.5).eval(), Dropout(0.0).train(), Dropout(0.0).eval()):
        assert torch.equal(layer(x), x)
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_drops_gradients_with_what_it_drops() -> None:
    torch.manual_seed(12)
    x = torch.randn(40, 50, requires_grad=True)
    out = Dropout(0.25)(x)
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad * x.detach(), out.detach())
    assert set(x.grad.unique().tolist()) == {0.0, float(np.float32(4 / 3))}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (3,), (2, 5, 7)])
def test_dropout_gives_what_torchs_own_gives(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    x = torch.ones(shape, dtype=dtype)
    ours, torchs = Dropout(0.3)(x), nn.Dropout(0.3)(x)
    assert (ours.shape, ours.dtype) == (torchs.shape, torchs.dtype)
    # Its factor is of a share with 16 bits.
    factor = torch.tensor(1 / 0.7, dtype=dtype)
    rounded = pytest.approx(factor.item(), rel=1e-2 if dtype == torch.bfloat16 else 1e-4)
    assert all(value == 0 or value == rounded for value in ours.flatten().tolist())


def test_dropout_leaves_its_input_as_it_was_and_draws_anew_each_time() -> None:
    torch.manual_seed(13)
    x = torch.randn(30, 30)
    kept, layer = x.clone(), Dropout(0.5)
    one, other = layer(x), layer(x)
    assert torch.equal(x, kept)
    assert not torch.equal(one, other)


def test_dropout_of_everything_leaves_nothing() -> None:
    assert not Dropout(1.0)(torch.randn(5, 5)).any()


@pytest.mark.parametrize("drop", [-0.1, 1.1])
def test_a_probability_out_of_range_is_refused(drop: float) -> None:
    with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1"):
        Dropout(drop)


def test_dropout_needs_no_contiguous_input() -> None:
    torch.manual_seed(14)
    x = torch.randn(6, 8)
    across = Dropout(0.5)(x.T)
    torch.manual_seed(14)
    torch.randn(6, 8)
    assert torch.equal(across, Dropout(0.5)(x.T.contiguous()))
