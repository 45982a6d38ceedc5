"""One differentiable forward over prompts and completions of any length, in which nothing they begin with comes twice.

A micro-batch is a forest: what several prompts begin with, then the rest of each prompt, then its completions. A token
sees those before it in its own node, and all of the nodes above. Tokens lie in one flat list, node after node, each
before those below it; no grid, no padding but the last rows. Attention goes node by node and keeps no probabilities:
the backward pass computes them again, which is some percent of a layer's work in models of a size that matters. For
small models and short texts `shared` is faster, since a node takes a dozen calls.

Promises: log-probabilities and gradients of the model's own forward on each sequence by itself, to rounding; memory
grows with the number of tokens, not with its square.

Shapes: N flat tokens, K key/value heads, G query heads that share one, H = K G, D head size, E hidden size, M tokens to
predict; of one node U queries and X keys.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from absolute_zero.policy.attention import BLOCK
from absolute_zero.policy.batches import Group, Stem, rounded, stems
from absolute_zero.policy.transformer import Weights, forward


@final
@dataclass(frozen=True, slots=True)
class Node:
    """A run of tokens of the flat list, and those above it, from the root down."""

    own: slice
    above: tuple[slice, ...]


@final
class Forest:
    """A micro-batch laid out: tokens, positions, nodes, and the token before each target, in the order of its items."""

    def __init__(self, groups: Sequence[Group], w: Weights) -> None:
        self.groups, self.w = groups, w
        self.nodes: list[Node] = []
        self._ids: list[int] = []
        self._positions: list[int] = []
        self._sources: list[list[int]] = [[] for _ in self.groups]
        for stem in stems([group.prompt for group in self.groups]):
            self._grow(stem, ())

    def _append(self, tokens: Sequence[int], first: int, above: tuple[slice, ...]) -> slice:
        own = slice(len(self._ids), len(self._ids) + len(tokens))
        if tokens:
            self._ids += tokens
            self._positions += range(first, first + len(tokens))
            self.nodes.append(Node(own, above))
        return own

    def _grow(self, stem: Stem, above: tuple[slice, ...]) -> None:
        """Lay out what some prompts have in common, and all that comes after it."""
        prompt = self.groups[stem.prompts[0]].prompt
        own = self._append(prompt[stem.start : stem.stop], stem.start, above)
        path = (*above, own)
        for branch in stem.branches:
            self._grow(branch, path)
        if stem.branches:
            return
        for index in stem.prompts:
            for item in self.groups[index].items:
                inputs = item.completion[:-1]  # nothing is predicted after the last token
                rest = self._append(inputs, stem.stop, path)
                self._sources[index] += [own.stop - 1, *range(rest.start, rest.stop)]

    def _padded(self, values: Sequence[int]) -> Tensor:
        filler = [0] * (rounded(len(values)) - len(values))
        return torch.tensor([*values, *filler], device=self.w.embedding_VE.device)

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return token ids and positions of the flat list, N each, and where each target's predecessor is, M."""
        sources = [source for row in self._sources for source in row]
        return self._padded(self._ids), self._padded(self._positions), self._padded(sources)

    def attend(self, n: int, q_NHD: Tensor, k_NKD: Tensor, v_NKD: Tensor) -> Tensor:
        """Let every token see those before it in its node, and all above."""
        q_KNGD = q_NHD.unflatten(1, (self.w.kv_heads, -1)).transpose(0, 1).contiguous()
        k_KND, v_KND = (x_NKD.transpose(0, 1).contiguous() for x_NKD in (k_NKD, v_NKD))
        out_KNGD: Tensor = _NodeAttention.apply(q_KNGD, k_KND, v_KND, self.nodes)  # type: ignore[assignment]
        return out_KNGD.transpose(0, 1).flatten(1, 2)


class _NodeAttention(torch.autograd.Function):
    """softmax(q k^T) v for each node, by blocks of queries; kept are queries, keys and values alone."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, nodes: Sequence[Node]) -> Tensor:
        ctx.save_for_backward(q, k, v)
        ctx.nodes = nodes
        out = torch.zeros_like(q)  # rows of padding stay so
        for node in nodes:
            keys, values = _along(k, node), _along(v, node)
            for block, seen in _blocks(node, keys):
                share = _share(q, keys, block, seen)
                out[:, block] = (share @ values[:, :seen]).view(out[:, block].shape)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # type: ignore[override]
        q, k, v = ctx.saved_tensors
        d_out = grads[0].contiguous()
        # Sums over many nodes: float32 whatever the products are in.
        dq = torch.zeros_like(q)
        dk, dv = (torch.zeros_like(x, dtype=torch.float32) for x in (k, v))
        for node in ctx.nodes:
            keys, values = _along(k, node), _along(v, node)
            d_keys, d_values = torch.zeros_like(keys), torch.zeros_like(values)
            for block, seen in _blocks(node, keys):
                share = _share(q, keys, block, seen)
                d_rows = d_out[:, block].flatten(1, 2)
                d_values[:, :seen].baddbmm_(share.transpose(1, 2), d_rows)
                d_share = d_rows @ values[:, :seen].transpose(1, 2)
                d_score = torch.ops.aten._softmax_backward_data(d_share, share, -1, share.dtype)
                d_keys[:, :seen].baddbmm_(d_score.transpose(1, 2), q[:, block].flatten(1, 2))
                dq[:, block] = (d_score @ keys[:, :seen]).view(q[:, block].shape)
            first = 0
            for piece in (*node.above, node.own):
                size = piece.stop - piece.start
                dk[:, piece] += d_keys[:, first : first + size]
                dv[:, piece] += d_values[:, first : first + size]
                first += size
        return dq, dk.to(k.dtype), dv.to(v.dtype), None


def _along(x_KND: Tensor, node: Node) -> Tensor:
    """Return the keys or values that a node's last token sees, KXD."""
    own = x_KND[:, node.own]
    return torch.cat([*(x_KND[:, piece] for piece in node.above), own], 1) if node.above else own


def _blocks(node: Node, keys_KXD: Tensor) -> Iterator[tuple[slice, int]]:
    """Yield the tokens of each block of queries, and how many keys the last of them sees."""
    size = node.own.stop - node.own.start
    before = keys_KXD.shape[1] - size
    count = max(1, round(size / BLOCK)) if keys_KXD.device.type == "cpu" else 1
    step = -(-size // (8 * count)) * 8
    for first in range(0, size, step):
        last = min(first + step, size)
        yield slice(node.own.start + first, node.own.start + last), before + last


def _share(q_KNGD: Tensor, keys_KXD: Tensor, block: slice, seen: int) -> Tensor:
    """Return what each query of a block takes of each key that its last one sees: K, U G, X."""
    queries = block.stop - block.start
    score = q_KNGD[:, block].flatten(1, 2) @ keys_KXD[:, :seen].transpose(1, 2)
    square = score.view(len(score), queries, -1, seen)[..., seen - queries :]
    later_U1U = torch.ones(queries, queries, dtype=torch.bool, device=score.device).triu_(1)[:, None]
    square.masked_fill_(later_U1U, float("-inf"))
    return score.softmax(-1)


def hidden(groups: Sequence[Group], w: Weights, recompute: bool = False) -> Tensor:
    """Return hidden states before every token of every completion, group by group and item by item: ME, and padding.

    Differentiable. With `recompute`, activations are not kept for the backward pass but computed again.
    """
    batch = Forest(groups, w)
    ids_N, positions_N, sources_M = batch.tensors()
    return F.embedding(sources_M, forward(w, ids_N, positions_N, batch.attend, recompute))
