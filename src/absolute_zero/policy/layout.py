"""Sequences in one flat list of tokens, and in the grids of attention, which have a row for each of them.

What is computed token by token sees the flat list and no padding but its last rows; only attention sees grids. The
learner lays out prompts and their completions (`shared`), pretraining whole documents.

Promises: a layout moves numbers and changes none; differentiable. The sizes of list and grids are `rounded`.

Shapes: N flat tokens, K key/value heads, G query heads that share one, H = K G, D head size; in a grid R rows of at
most U tokens.
"""
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from absolute_zero.policy.attention import HeadIndex, bias, future
from absolute_zero.policy.batches import rounded
from absolute_zero.policy.transformer import Weights


@final
@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of attention that have room for equally many tokens."""

    rows: Sequence[range]
    """The positions of each row's tokens in its sequence; a row may be empty."""
    width: int


@final
@dataclass(frozen=True, slots=True)
class GridHeads:
    """Queries, keys and values of one grid, as `attention` takes them."""

    q_BGUD: Tensor
    """B = K R: the rows of the grid under each key/value head."""
    k_BUD: Tensor
    v_BUD: Tensor


@final
class Layout:
    """The tokens of some grids in one flat list: grid after grid, row after row, and at least one row of padding."""

    def __init__(self, grids: Sequence[Grid], w: Weights) -> None:
        self._w, self._device = w, w.embedding_VE.device
        self.real = sum(len(row) for grid in grids for row in grid.rows)
        """How many tokens there are; what comes after them in the flat list is padding."""
        self.flat = rounded(self.real + 1)  # empty cells need a row of padding to point at
        tokens: list[Tensor] = []
        first = 0
        for grid in grids:
            token_RU = torch.full((len(grid.rows), grid.width), self.flat - 1)
            for index, row in enumerate(grid.rows):
                token_RU[index, : len(row)] = torch.arange(first, first + len(row))
                first += len(row)
            tokens.append(token_RU.to(self._device))
        self._rows = [w.kv_heads * len(grid.rows) for grid in grids]
        self._widths = [grid.width for grid in grids]
        group = w.heads // w.kv_heads
        self._queries = HeadIndex(tokens, self.real, self.flat, w.kv_heads, group)
        self._keys = HeadIndex(tokens, self.real, self.flat, w.kv_heads, 1)
        self.positions_N = self.padded([position for grid in grids for row in grid.rows for position in row])

    def padded(self, values: Sequence[int]) -> Tensor:
        """Return one number for each token of the flat list, N; zero where it is padded."""
        return torch.tensor([*values, *([0] * (self.flat - len(values)))], device=self._device)

    def causal(self, width: int) -> Tensor:
        """Return the bias that hides from every query of a row of this width the keys after it, 11UU."""
        return bias(future(width, self._device), self._w.dtype)[None, None]

    def in_grids(self, q_NHD: Tensor, k_NKD: Tensor, v_NKD: Tensor) -> list[GridHeads]:
        """Return the heads of every grid."""
        q = self._split(self._queries.in_grids(q_NHD), self._w.heads // self._w.kv_heads)
        k, v = (self._split(self._keys.in_grids(x_NKD), 1) for x_NKD in (k_NKD, v_NKD))
        return [GridHeads(qs, ks.flatten(1, 2), vs.flatten(1, 2)) for qs, ks, vs in zip(q, k, v, strict=True)]

    def in_list(self, grids_BGUD: Sequence[Tensor]) -> Tensor:
        """Return what the queries of every grid gathered, in the flat list, NHD."""
        rows = [x_BGUD.view(-1, self._w.head_size) for x_BGUD in grids_BGUD]
        return self._queries.in_list(rows[0] if len(rows) == 1 else torch.cat(rows))

    def _split(self, heads: Tensor, group: int) -> list[Tensor]:
        """Return heads as `HeadIndex` has them, grid by grid: BGUD."""
        sizes = [rows * group * width for rows, width in zip(self._rows, self._widths, strict=True)]
        parts: Sequence[Tensor] = [heads] if len(sizes) == 1 else torch.split(heads, sizes)
        return [
            part.view(rows, group, width, self._w.head_size)
            for part, rows, width in zip(parts, self._rows, self._widths, strict=True)
        ]
