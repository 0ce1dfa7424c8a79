"""Causal scaled dot-product attention, written out for a CPU.

torch's own kernel for CPUs knows no dropout, and what it falls back to was a third of a
training step: masks drawn one number after another, and a softmax over whole rows of
which half lies in the future. Here queries are taken in blocks, and a block sees only the
keys up to its end.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor
from torch.autograd.function import once_differentiable

from actrepro.masks import Masks

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
        parts = _split(qkv, heads).clone(memory_format=torch.contiguous_format).flatten(1, 2)
        q, k, v = parts
        q *= q.shape[2] ** -0.5
        masks = Masks(drop)
        out = qkv.new_empty(*qkv.shape[:2], qkv.shape[2] // 3)
        by_head = out.view(*out.shape[:2], heads, -1).transpose(1, 2)
        of_blocks: list[Tensor] = []
        for start, end in _blocks(q.shape[1]):
            scores = torch.bmm(q[:, start:end], k[:, :end].mT)
            scores[:, :, start:] += _future(end - start, q)
            shares = torch.softmax(scores, dim=-1)
            mask = masks.draw(shares.shape).to(shares.dtype)
            kept = shares * mask
            mixed = torch.bmm(kept, v[:, :end])
            by_head[:, :, start:end] = mixed.view(-1, heads, *mixed.shape[1:])
            of_blocks += [shares, mask, kept]
        ctx.heads = heads
        ctx.save_for_backward(parts, *of_blocks)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        parts, *of_blocks = ctx.saved_tensors
        heads = ctx.heads
        q, k, v = parts
        scale = q.shape[2] ** -0.5
        grad_qkv = grad.new_empty(*grad.shape[:2], 3 * grad.shape[2])
        grads = _split(grad_qkv, heads)
        grad_k, grad_v = torch.empty_like(k), torch.empty_like(v)
        grad = grad.reshape(*grad.shape[:2], heads, -1).transpose(1, 2).flatten(0, 1)
        blocks = _blocks(q.shape[1])
        # The last block comes first: it has a gradient for every key, others only add.
        for index in reversed(range(len(blocks))):
            start, end = blocks[index]
            shares, mask, kept = of_blocks[3 * index : 3 * index + 3]
            own = grad[:, start:end]
            grad_shares = torch.bmm(own, v[:, :end].mT) * mask
            grad_scores = torch._softmax_backward_data(grad_shares, shares, -1, shares.dtype)
            of_queries = torch.bmm(grad_scores, k[:, :end]).view(-1, heads, *own.shape[1:])
            torch.mul(of_queries, scale, out=grads[0, :, :, start:end])
            if index == len(blocks) - 1:
                torch.bmm(kept.mT, own, out=grad_v)
                torch.bmm(grad_scores.mT, q[:, start:end], out=grad_k)
            else:
                grad_v[:, :end] += torch.bmm(kept.mT, own)
                grad_k[:, :end] += torch.bmm(grad_scores.mT, q[:, start:end])
        # The queries were scaled, so these gradients are whole.
        grads[1] = grad_k.view(-1, heads, *grad_k.shape[1:])
        grads[2] = grad_v.view(-1, heads, *grad_v.shape[1:])
        return grad_qkv, None, None


def _split(qkv: Tensor, heads: int) -> Tensor:
    """A view `[3, batch, heads, time, d]` of queries, keys and values."""
    return qkv.reshape(*qkv.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)


def _joined(mixed: Tensor) -> Tensor:
    """`[batch, heads, time, d]` as `[batch, time, heads·d]`."""
    return mixed.transpose(1, 2).flatten(2)


def _blocks(length: int) -> list[tuple[int, int]]:
    return [(start, min(start + BLOCK, length)) for start in range(0, length, BLOCK)]


def _future(size: int, like: Tensor) -> Tensor:
    """−∞ `[size, size]` where a key lies after its query, else 0."""
    return torch.full((size, size), float("-inf"), dtype=like.dtype).triu_(1)
