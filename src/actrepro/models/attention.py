"""Causal scaled dot-product attention, written out for a CPU.

torch's own kernel for CPUs knows no dropout, and what it falls back to was a third of a
training step: masks drawn one number after another, and a softmax over whole rows of
which half lies in the future. Here queries are taken in blocks, and a block sees only the
keys up to its end. The small products of blocks are numpy's, whose library multiplies
without packing its factors first; torch's takes about 1.4 times as long for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor
from torch.autograd.function import once_differentiable

from actrepro.models.masks import Masks

# Queries in a block: smaller ones waste less on the future, larger ones multiply faster.
BLOCK = 32


def attend(qkv: Tensor, heads: int, drop: float) -> Tensor:
    """Causal attention, softmax(q·kᵀ/√d)·v in each head.

    Parameters
    ----------
    qkv
        Queries, keys and values side by side, `[batch, time, 3·width]`.
    heads
        Divides the width.
    drop
        Probability that a weight is dropped; 0 outside training.

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
    """`attend` and its derivative; heads are one batch dimension with sequences."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int, drop: float) -> Tensor:
        q, k, v = _split(qkv, heads)
        q = _by_head(q)
        q *= q.shape[2] ** -0.5
        # Both factors of a product by rows, which is faster than the second by columns.
        keys, v = _by_head(k.mT), _by_head(v)
        masks = Masks(drop)
        out = qkv.new_empty(*qkv.shape[:2], qkv.shape[2] // 3)
        joined = out.view(*out.shape[:2], heads, -1).transpose(1, 2)
        of_blocks: list[Tensor] = []
        for start, end in _blocks(q.shape[1]):
            scores = _product(q[:, start:end], keys[:, :, :end])
            scores[:, :, start:] += _future(end - start, q)
            shares = torch.softmax(scores, dim=-1)
            mask = masks.draw(shares.shape).to(shares.dtype)
            kept = shares * mask
            mixed = _product(kept, v[:, :end])
            joined[:, :, start:end] = mixed.view(-1, heads, *mixed.shape[1:])
            of_blocks += [shares, mask, kept]
        ctx.heads = heads
        ctx.save_for_backward(q, keys, v, *of_blocks)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        q, keys, v, *of_blocks = ctx.saved_tensors
        heads = ctx.heads
        scale = q.shape[2] ** -0.5
        k, values = keys.mT.contiguous(), v.mT.contiguous()
        grad_qkv = grad.new_empty(*grad.shape[:2], 3 * grad.shape[2])
        grads = _split(grad_qkv, heads)
        grad_k, grad_v = torch.empty_like(k), torch.empty_like(v)
        grad = _by_head(grad.reshape(*grad.shape[:2], heads, -1).transpose(1, 2))
        blocks = _blocks(q.shape[1])
        # The last block comes first: it has a gradient for every key, others only add.
        for index in reversed(range(len(blocks))):
            start, end = blocks[index]
            shares, mask, kept = of_blocks[3 * index : 3 * index + 3]
            own = grad[:, start:end]
            grad_shares = _product(own, values[:, :, :end])
            grad_shares *= mask
            grad_scores = torch._softmax_backward_data(grad_shares, shares, -1, shares.dtype)
            of_queries = _product(grad_scores, k[:, :end]).view(-1, heads, *own.shape[1:])
            torch.mul(of_queries, scale, out=grads[0, :, :, start:end])
            if index == len(blocks) - 1:
                _product(kept.mT, own, out=grad_v)
                _product(grad_scores.mT, q[:, start:end], out=grad_k)
            else:
                grad_v[:, :end] += _product(kept.mT, own)
                grad_k[:, :end] += _product(grad_scores.mT, q[:, start:end])
        # The queries were scaled, so these gradients are whole.
        grads[1] = grad_k.view(-1, heads, *grad_k.shape[1:])
        grads[2] = grad_v.view(-1, heads, *grad_v.shape[1:])
        return grad_qkv, None, None


def _split(qkv: Tensor, heads: int) -> Tensor:
    """A view `[3, batch, heads, time, d]` of queries, keys and values."""
    return qkv.reshape(*qkv.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)


def _by_head(part: Tensor) -> Tensor:
    """A copy `[batch·heads, …]` of `[batch, heads, …]`, in one piece and by rows."""
    return part.clone(memory_format=torch.contiguous_format).flatten(0, 1)


def _product(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """a·b of matrices side by side, `[n, i, j]` and `[n, j, k]`."""
    if out is None:
        out = a.new_empty(*a.shape[:2], b.shape[2])
    # numpy has no bfloat16.
    if a.dtype == torch.bfloat16:
        return torch.bmm(a, b, out=out)
    np.matmul(a.numpy(), b.numpy(), out=out.numpy())
    return out


def _joined(mixed: Tensor) -> Tensor:
    """`[batch, heads, time, d]` as `[batch, time, heads·d]`."""
    return mixed.transpose(1, 2).flatten(2)


def _blocks(length: int) -> list[tuple[int, int]]:
    return [(start, min(start + BLOCK, length)) for start in range(0, length, BLOCK)]


def _future(size: int, like: Tensor) -> Tensor:
    """−∞ `[size, size]` where a key lies after its query, else 0."""
    return torch.full((size, size), float("-inf"), dtype=like.dtype).triu_(1)
