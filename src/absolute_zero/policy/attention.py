"""Attention of the learner: tokens into a grid and back, and a differentiable product of queries, keys and values.

Promises: the numbers of softmax(q k^T + bias) v and of its gradients, to rounding (in bfloat16 the gradients of keys
and values are rounded once for every block). On a CPU the queries go in blocks, each to the keys that its last query
may see: of a square, three blocks skip a third of the scores, and a single one none. In float32 a plain product takes
1.4 times as long at 96 tokens, forward and backward, and 2.8 times at 512; torch's fused kernel takes 0.8 to 1.0 times
as long as this (`benchmarks/attention.py`). In bfloat16 that one was the slower, in the backward pass, even against
plain products (2.2 times at 164 tokens on an AMD EPYC). Elsewhere all queries are one block.

Shapes: N flat tokens, H = K G query heads, B rows of the grid times key/value heads K, G query heads that share one of
these, U queries, X keys (the last U of them are the queries' own tokens), D head size, P prompts, R rows of each.
"""
# pyright: reportUnknownMemberType=false

from collections.abc import Iterator, Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 96
"""Queries of a block on a CPU, about: 48 to 128 make little difference."""


class _Gather(torch.autograd.Function):
    """Rows of x in another order: out[i] = x[there[i]], and back again for the gradient.

    Where `there` and `back` do not undo each other there is padding: of the flat list only the first `real` rows
    count. Rows beyond them are zero in the result and in the gradient, given that nobody looks at them.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Tensor, back: Tensor, real: int, flat: bool) -> Tensor:
        ctx.save_for_backward(back)
        ctx.real, ctx.flat = real, flat
        out = x.index_select(0, there)
        if flat:
            out[real:] = 0
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:  # type: ignore[override]
        grad = grads[0].index_select(0, ctx.saved_tensors[0])
        if not ctx.flat:
            grad[ctx.real :] = 0
        return grad, None, None, None, None


@final
class HeadIndex:
    """Where every head of every token is: in a flat list (N, H, D), and in grids that have the heads outside.

    A grid holds the number of the token in each of its cells, in any shape (..., longest), and `flat` - 1, which is a
    row of padding, where there is none. Laid out by heads it is (K, ..., G, longest, D).
    """

    def __init__(self, grids: Sequence[Tensor], real: int, flat: int, heads: int, group: int) -> None:
        device = grids[0].device
        self._shape, self._real = (flat, heads * group, -1), real * heads * group
        head = torch.arange(heads * group, device=device).view(heads, 1, group, 1)
        rows = (grid.view(1, -1, 1, grid.shape[-1]) * (heads * group) + head for grid in grids)
        self._there = torch.cat([each.flatten() for each in rows])
        self._back = torch.zeros(flat * heads * group, dtype=torch.int64, device=device)
        # Empty cells all come from the last, padded row: it alone is not undone, and is zeroed anyway.
        self._back[self._there] = torch.arange(len(self._there), device=device)

    def in_grids(self, x_NHD: Tensor) -> Tensor:
        """Return the rows of all grids, one grid after the other, of size D; differentiable."""
        rows = x_NHD.reshape(-1, x_NHD.shape[-1])
        return _Gather.apply(rows, self._there, self._back, self._real, False)  # type: ignore[return-value]

    def in_list(self, rows: Tensor) -> Tensor:
        """Return rows as `in_grids` gives them, back in the list, NHD; zero where it is padded."""
        return _Gather.apply(rows, self._back, self._there, self._real, True).view(self._shape)  # type: ignore


def future(size: int, device: torch.device) -> Tensor:
    """Return which keys of a square come after the query."""
    return torch.ones(size, size, dtype=torch.bool, device=device).triu(1)


def bias(hidden: Tensor, dtype: torch.dtype) -> Tensor:
    """Return minus infinity where a query must not see a key, and 0 elsewhere."""
    return torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, float("-inf"))


class _Attention(torch.autograd.Function):
    """By hand, because automatic differentiation fills the gradient of all keys for every block of queries."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias_P1UX: Tensor, heads: int) -> Tensor:
        out = torch.empty_like(q)
        shares: list[Tensor] = []
        for block, seen in _blocks(q, k):
            score = _rows(q, block) @ k[:, :seen].transpose(1, 2)
            added = bias_P1UX[..., block, :seen]
            score.view(heads, len(added), -1, *added.shape[-2:]).add_(added)
            shares.append(score.softmax(-1))
            out[:, :, block] = (shares[-1] @ v[:, :seen]).view(*q.shape[:2], -1, q.shape[-1])
        ctx.save_for_backward(q, k, v, *shares)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:  # type: ignore[override]
        q, k, v, *shares = ctx.saved_tensors
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for (block, seen), share in zip(_blocks(q, k), shares, strict=True):
            d_out = _rows(grads[0], block)
            dv[:, :seen].baddbmm_(share.transpose(1, 2), d_out)
            d_share = d_out @ v[:, :seen].transpose(1, 2)
            d_score = torch.ops.aten._softmax_backward_data(d_share, share, -1, share.dtype)
            dk[:, :seen].baddbmm_(d_score.transpose(1, 2), _rows(q, block))
            dq[:, :, block] = (d_score @ k[:, :seen]).view(*q.shape[:2], -1, q.shape[-1])
        return dq, dk, dv, None, None


def _blocks(q: Tensor, k: Tensor) -> Iterator[tuple[slice, int]]:
    """Yield the queries of each block, and how many keys the last of them may see.

    Sizes are multiples of 8 but for the last.
    """
    queries, keys = q.shape[2], k.shape[1]
    blocks = max(1, round(queries / BLOCK)) if q.device.type == "cpu" else 1
    size = -(-queries // (8 * blocks)) * 8
    for first in range(0, queries, size):
        last = min(first + size, queries)
        yield slice(first, last), keys - queries + last


def _rows(x_BGUD: Tensor, block: slice) -> Tensor:
    """Return a block's rows of all heads of a group, one after the other."""
    return x_BGUD[:, :, block].reshape(len(x_BGUD), -1, x_BGUD.shape[-1])


def attention(q_BGUD: Tensor, k_BXD: Tensor, v_BXD: Tensor, bias_P1UX: Tensor, heads: int) -> Tensor:
    """Return what every query gathers, BGUD; differentiable in queries, keys and values.

    Under each head are the rows of each prompt, one prompt after the other: B = K P R. A bias of one prompt is for all
    rows. It hides from a query all keys after its own token, and maybe more.
    """
    return _Attention.apply(q_BGUD, k_BXD, v_BXD, bias_P1UX, heads)  # type: ignore[return-value]
