"""Causal scaled dot-product attention, written out for a CPU.

torch's fused kernel for CPUs has no dropout. Its fallback took a third of a training step: it
draws masks one number after another, and computes a softmax over whole rows although half of
each matrix lies in the future. Here queries are processed in blocks, and a block uses only the
keys up to its end. numpy computes the small products of a block: its library multiplies without
packing its factors first, and torch takes about 1.4 times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor
from torch.autograd.function import once_differentiable

from actrepro.models.masks import Masks

# Queries in a block: small blocks waste less on the future, large ones multiply faster.
BLOCK = 32


def attend(qkv: Tensor, heads: int, drop: float) -> Tensor:
    """Compute causal attention, softmax(q·kᵀ/√d)·v in each head.

    Parameters
    ----------
    qkv
        Queries, keys and values side by side, `[batch, time, 3·width]`.
    heads
        Number of heads, a divisor of the width.
    drop
        Probability that an attention weight is dropped; 0 outside training.

    Returns
    -------
    Tensor
        `[batch, time, width]`.
    """
    if drop and qkv.device.type == "cpu":
        mixed: Tensor = _CausalAttention.apply(qkv, heads, drop)  # type: ignore[no-untyped-call]
        return mixed
    q, k, v = _split(qkv, heads)
    return _joined(F.scaled_dot_product_attention(q, k, v, dropout_p=drop, is_causal=True))


class _CausalAttention(torch.autograd.Function):
    """`attend` and its derivative; heads and sequences share one batch dimension."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int, drop: float) -> Tensor:
        q, k, v = _split(qkv, heads)
        q = _by_head(q)
        # The queries are scaled once, in place of the scores of every block.
        q *= q.shape[2] ** -0.5
        # Both factors of a product are stored by rows: the second by columns would be slower.
        keys, v = _by_head(k.mT), _by_head(v)
        masks = Masks(drop)
        out = qkv.new_empty(*qkv.shape[:2], qkv.shape[2] // 3)
        joined = out.view(*out.shape[:2], heads, -1).transpose(1, 2)
        saved: list[Tensor] = []
        for start, end in _blocks(q.shape[1]):
            scores = _product(q[:, start:end], keys[:, :, :end])
            # Keys before the block lie in the past of all its queries; only the block's own
            # keys need the causal mask.
            scores[:, :, start:] += _future(end - start, q)
            shares = torch.softmax(scores, dim=-1)
            mask = masks.draw(shares.shape).to(shares.dtype)
            weights = shares * mask
            mixed = _product(weights, v[:, :end])
            joined[:, :, start:end] = mixed.view(-1, heads, *mixed.shape[1:])
            saved += [shares, mask, weights]
        ctx.heads = heads
        ctx.save_for_backward(q, keys, v, *saved)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        q, keys, v, *saved = ctx.saved_tensors
        heads = ctx.heads
        scale = q.shape[2] ** -0.5
        # Each product below reads its second factor by rows, so forward's layouts are turned.
        k, values = keys.mT.contiguous(), v.mT.contiguous()
        grad_qkv = grad.new_empty(*grad.shape[:2], 3 * grad.shape[2])
        grads = _split(grad_qkv, heads)
        grad_k, grad_v = torch.empty_like(k), torch.empty_like(v)
        grad = _by_head(grad.reshape(*grad.shape[:2], heads, -1).transpose(1, 2))
        blocks = _blocks(q.shape[1])
        # From the last block on: it uses every key, so it fills the gradients of keys and values
        # (allocated without zeros), and the other blocks add to them.
        for index in reversed(range(len(blocks))):
            start, end = blocks[index]
            shares, mask, weights = saved[3 * index : 3 * index + 3]
            grad_out = grad[:, start:end]
            grad_shares = _product(grad_out, values[:, :, :end])
            grad_shares *= mask
            grad_scores = torch._softmax_backward_data(grad_shares, shares, -1, shares.dtype)
            grad_q = _product(grad_scores, k[:, :end]).view(-1, heads, *grad_out.shape[1:])
            # The saved queries are q/√d, so the gradient of q itself takes the factor again.
            torch.mul(grad_q, scale, out=grads[0, :, :, start:end])
            if index == len(blocks) - 1:
                _product(weights.mT, grad_out, out=grad_v)
                _product(grad_scores.mT, q[:, start:end], out=grad_k)
            else:
                grad_v[:, :end] += _product(weights.mT, grad_out)
                grad_k[:, :end] += _product(grad_scores.mT, q[:, start:end])
        # No factor here: the products with the saved queries contain it already.
        grads[1] = grad_k.view(-1, heads, *grad_k.shape[1:])
        grads[2] = grad_v.view(-1, heads, *grad_v.shape[1:])
        return grad_qkv, None, None


def _split(qkv: Tensor, heads: int) -> Tensor:
    """Return queries, keys and values as a view `[3, batch, heads, time, d]`."""
    return qkv.reshape(*qkv.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)


def _by_head(part: Tensor) -> Tensor:
    """Copy `[batch, heads, …]` to `[batch·heads, …]`, contiguous and by rows."""
    return part.clone(memory_format=torch.contiguous_format).flatten(0, 1)


def _product(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Compute a·b for a batch of matrices, `[n, i, j]` and `[n, j, k]`."""
    if out is None:
        out = a.new_empty(*a.shape[:2], b.shape[2])
    # numpy has no bfloat16.
    if a.dtype == torch.bfloat16:
        return torch.bmm(a, b, out=out)
    np.matmul(a.numpy(), b.numpy(), out=out.numpy())
    return out


def _joined(mixed: Tensor) -> Tensor:
    """Join heads: from `[batch, heads, time, d]` to `[batch, time, heads·d]`."""
    return mixed.transpose(1, 2).flatten(2)


def _blocks(length: int) -> list[tuple[int, int]]:
    return [(start, min(start + BLOCK, length)) for start in range(0, length, BLOCK)]


def _future(size: int, like: Tensor) -> Tensor:
    """Return `[size, size]` with −∞ where a key lies after its query, else 0."""
    return torch.full((size, size), float("-inf"), dtype=like.dtype).triu_(1)
