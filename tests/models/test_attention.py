"""Causal attention on a CPU: its values, its derivative, and its dependencies."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor

from actrepro.models.attention import BLOCK, attend

LENGTHS = (1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 6)
HEADS = (1, 2, 4)
# Without dropout torch's own kernel does it; a share of 1e-9 is rounded to none, in ours.
AS_GOOD_AS_NONE = 1e-9
DROPS = (0.0, AS_GOOD_AS_NONE)


def _qkv(length: int, batch: int = 3, width: int = 8, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(length)
    return torch.randn(batch, length, 3 * width, generator=generator, dtype=dtype)


def _by_head(part: Tensor, heads: int) -> Tensor:
    """Split heads into `[batch, heads, time, d]`."""
    return part.unflatten(-1, (heads, -1)).transpose(1, 2)


def _slowly(qkv: Tensor, heads: int, factors: Tensor | float = 1.0) -> Tensor:
    """Compute textbook attention, its weights times `factors` `[batch, heads, T, T]`."""
    q, k, v = (_by_head(part, heads) for part in qkv.chunk(3, dim=-1))
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    shares = scores.masked_fill(future, -math.inf).softmax(dim=-1)
    return ((shares * factors) @ v).transpose(1, 2).flatten(2)


def _torchs(qkv: Tensor, heads: int) -> Tensor:
    q, k, v = (_by_head(part, heads) for part in qkv.chunk(3, dim=-1))
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return mixed.transpose(1, 2).flatten(2)


def _gradient(out: Tensor, qkv: Tensor) -> Tensor:
    """Compute the gradient of a sum that weights every output differently."""
    weights = torch.arange(1.0, 1.0 + out.numel(), dtype=torch.float64).view_as(out).sin()
    (gradient,) = torch.autograd.grad(out, qkv, weights.to(out.dtype))
    return gradient


@pytest.mark.parametrize("drop", DROPS)
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("length", LENGTHS)
def test_values_are_torchs(length: int, heads: int, drop: float) -> None:
    qkv = _qkv(length).requires_grad_()
    out = attend(qkv, heads, drop)
    for reference in (_torchs(qkv, heads), _slowly(qkv, heads)):
        torch.testing.assert_close(out, reference, rtol=1e-12, atol=1e-12)
        expected = _gradient(reference, qkv)
        torch.testing.assert_close(_gradient(attend(qkv, heads, drop), qkv), expected)


@pytest.mark.parametrize("drop", DROPS)
@pytest.mark.parametrize("length", LENGTHS)
def test_single_precision_is_right_up_to_rounding(length: int, drop: float) -> None:
    exact = _qkv(length).requires_grad_()
    rough = exact.detach().float().requires_grad_()
    out, expected = attend(rough, 2, drop), _torchs(exact, 2)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-5)
    found = _gradient(out, rough).double()
    torch.testing.assert_close(found, _gradient(expected, exact), rtol=1e-4, atol=1e-4)


def _masks(like: Tensor, heads: int, drop: float, seed: int) -> Tensor:
    """Return the dropout factors `[batch, heads, T, T]` that attention draws after a seed.

    Where each value is a unit vector of its own, the output shows what became of each weight.
    """
    batch, length = like.shape[:2]
    parts = torch.zeros(batch, length, 3, heads, length, dtype=torch.float64)
    parts[:, :, 2] = torch.eye(length, dtype=torch.float64)[:, None]
    torch.manual_seed(seed)
    weights = _by_head(attend(parts.flatten(2), heads, drop), heads)
    # Without scores every weight of a row is one over its number of keys.
    return weights * torch.arange(1, length + 1)[:, None]


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("length", LENGTHS)
def test_with_dropout_weights_are_dropped_and_their_gradients_too(length: int, heads: int) -> None:
    qkv = _qkv(length).requires_grad_()
    factors = _masks(qkv, heads, 0.25, seed=5)
    torch.manual_seed(5)
    out = attend(qkv, heads, 0.25)
    reference = _slowly(qkv, heads, factors)
    torch.testing.assert_close(out, reference, rtol=1e-6, atol=1e-6)
    expected = _gradient(reference, qkv)
    torch.testing.assert_close(_gradient(out, qkv), expected, rtol=1e-6, atol=1e-6)


def test_dropout_drops_the_given_share_of_weights_independently() -> None:
    factors = _masks(_qkv(70, batch=8), heads=4, drop=0.25, seed=6)
    past = torch.ones(70, 70, dtype=torch.bool).tril()
    kept = factors[:, :, past]
    assert not factors[:, :, ~past].any()
    assert set(kept.round(decimals=4).unique().tolist()) == {0.0, 1.3333}
    assert (kept == 0).double().mean().item() == pytest.approx(0.25, abs=0.01)
    rows = kept.flatten(0, 1)
    assert len(rows.unique(dim=0)) == len(rows)
    assert not torch.equal(factors, _masks(_qkv(70, batch=8), heads=4, drop=0.25, seed=7))


def test_attention_takes_one_number_of_torchs_stream_with_dropout_and_none_without() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    attend(_qkv(70), 2, 0.0)
    assert torch.equal(torch.get_rng_state(), before)
    attend(_qkv(70), 2, 0.1)
    after = torch.get_rng_state()
    torch.manual_seed(1)
    torch.randint(1 << 62, ())
    assert torch.equal(torch.get_rng_state(), after)


@pytest.mark.parametrize("drop", [*DROPS, 0.3])
@pytest.mark.parametrize("length", [1, 5, BLOCK + 1])
def test_the_derivative_matches_finite_differences(length: int, drop: float) -> None:
    qkv = _qkv(length, batch=2, width=4).requires_grad_()

    def attended(x: Tensor) -> Tensor:
        # The masks are held fast.
        torch.manual_seed(3)
        return attend(x, 2, drop)

    assert torch.autograd.gradcheck(attended, (qkv,), fast_mode=length > BLOCK)


@pytest.mark.parametrize("drop", [*DROPS, 0.3])
@pytest.mark.parametrize("length", [2, BLOCK, BLOCK + 1, 70])
def test_no_bit_depends_on_what_comes_later(length: int, drop: float) -> None:
    qkv = _qkv(length, dtype=torch.float32)
    torch.manual_seed(4)
    out = attend(qkv, 2, drop)
    for position in sorted({0, 1, length // 2, BLOCK - 1, BLOCK, length - 2} & set(range(length))):
        changed = qkv.clone()
        changed[:, position + 1 :] += 1
        torch.manual_seed(4)
        after = attend(changed, 2, drop)
        assert torch.equal(after[:, : position + 1], out[:, : position + 1])
        if position < length - 1:
            assert not torch.equal(after, out)


@pytest.mark.parametrize("drop", [*DROPS, 0.3])
def test_what_comes_later_has_no_gradient(drop: float) -> None:
    qkv = _qkv(70, dtype=torch.float32).requires_grad_()
    (gradient,) = torch.autograd.grad(attend(qkv, 2, drop)[:, :40].sum(), qkv)
    assert not gradient[:, 40:].any()
    assert gradient[:, :40].any()


@pytest.mark.parametrize("drop", [*DROPS, 0.3])
@pytest.mark.parametrize("length", [1, BLOCK, 70])
def test_a_sequence_does_not_depend_on_those_beside_it(length: int, drop: float) -> None:
    qkv = _qkv(length, batch=4, dtype=torch.float32)
    changed = qkv.clone()
    changed[[0, 1, 3]] += 1
    outs = []
    for one in (qkv, changed):
        torch.manual_seed(4)
        outs.append(attend(one, 2, drop)[2])
    assert torch.equal(*outs)


@pytest.mark.parametrize("drop", [*DROPS, 0.3])
@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 40), (3, 1), (3, 40)])
def test_the_input_is_left_unchanged(batch: int, length: int, drop: float) -> None:
    for heads in (1, 2):
        qkv = _qkv(length, batch)
        kept = qkv.clone()
        attend(qkv, heads, drop)
        assert torch.equal(qkv, kept)


@pytest.mark.parametrize("drop", [*DROPS, 0.3])
def test_how_the_input_lies_in_memory_does_not_matter(drop: float) -> None:
    wide = _qkv(40, width=16)
    views = [wide[:, ::2], wide[..., ::2], wide.transpose(0, 1), wide[:1].expand(3, -1, -1)]
    for view in views:
        found = []
        for qkv in (view, view.contiguous()):
            torch.manual_seed(4)
            out = attend(qkv.detach().requires_grad_(), 2, drop)
            found.append(out)
        assert not view.is_contiguous()
        torch.testing.assert_close(*found)


@pytest.mark.parametrize("drop", [*DROPS, 0.3])
def test_how_the_gradient_lies_in_memory_does_not_matter(drop: float) -> None:
    qkv = _qkv(40).requires_grad_()
    gradients = []
    for across in (False, True):
        torch.manual_seed(4)
        out = attend(qkv, 2, drop)
        # A sum's gradient is one number that is repeated without being copied.
        loss = out.transpose(0, 2).sum() if across else (out * torch.ones_like(out)).sum()
        gradients.append(torch.autograd.grad(loss, qkv)[0])
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("drop", [*DROPS, 0.3])
def test_values_without_gradients_are_the_same(drop: float) -> None:
    qkv = _qkv(40)

    def attended() -> Tensor:
        torch.manual_seed(4)
        return attend(qkv.clone().requires_grad_(not torch.is_inference_mode_enabled()), 2, drop)

    learned = attended()
    assert learned.requires_grad
    with torch.no_grad():
        unlearned = attended()
    with torch.inference_mode():
        inferred = attended()
        assert torch.equal(inferred, learned)
    assert not unlearned.requires_grad
    assert torch.equal(unlearned, learned)


def test_a_derivative_of_the_derivative_is_refused_and_never_wrong() -> None:
    qkv = _qkv(5).requires_grad_()
    (gradient,) = torch.autograd.grad(attend(qkv, 2, 0.3).square().sum(), qkv, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("drop", [*DROPS, 0.3])
def test_bfloat16_stays_near_and_has_gradients(drop: float) -> None:
    qkv = _qkv(40, dtype=torch.bfloat16).requires_grad_()
    exact = qkv.detach().double().requires_grad_()
    torch.manual_seed(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = attend(qkv, 2, drop)
    torch.manual_seed(4)
    expected = attend(exact, 2, drop)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.double(), expected, rtol=0.05, atol=0.05)
    found = _gradient(out, qkv).double()
    torch.testing.assert_close(found, _gradient(expected, exact), rtol=0.1, atol=0.1)
