"""One differentiable forward over prompts and all of their completions, each prompt once.

The tries of a prompt share its tokens, so their hidden states and the gradients through them are shared too: eight
tries of 64 tokens after a prompt of 100 are 612 tokens instead of 1312. Tokens lie in one flat list without padding;
only attention sees a grid, in which every prompt has a row and every completion another.

Promises: log-probabilities and gradients of the model's own forward on each sequence by itself, to rounding.
Attention is by plain products (faster than the fused kernel on a CPU in the backward pass, 2.2 times at 164 tokens in
bfloat16), whose memory grows with the square of the length: `LONGEST` says up to where.

Shapes: N flat tokens, P prompts, R room for completions of a prompt, T longest prompt, U longest completion, K
key/value heads, G query heads that share one, H = K G, D head size, X = T + U, M tokens to predict, V vocabulary.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from absolute_zero.policy.batches import Group, rounded
from absolute_zero.policy.transformer import Weights, forward

LONGEST = 1024
"""Tokens of a prompt and its longest completion, up to which samples are computed this way."""


class _Placed(torch.autograd.Function):
    """Rows of x put in other places: out[i] = x[there[i]], and back again for the gradient.

    Where `there` and `back` do not undo each other there is padding: of the flat list only the first `real` rows
    count. Rows beyond them are zero, in the result and in the gradient.
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
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        grad = grads[0].index_select(0, ctx.saved_tensors[0])
        if not ctx.flat:
            grad[ctx.real :] = 0
        return grad, None, None, None, None


class Layout:
    """Where the tokens of a micro-batch are: in the flat list, in the grid of attention, and before which targets."""

    def __init__(self, groups: Sequence[Group], w: Weights) -> None:
        device = w.embedding_VE.device
        self.w, self.group = w, w.heads // w.kv_heads
        self.prompts, self.room = len(groups), max(len(group.items) for group in groups)
        self.longest_prompt = rounded(max(len(group.prompt) for group in groups))
        self.longest = rounded(max(group.longest for group in groups))
        ids: list[int] = []
        positions: list[int] = []
        sources: list[int] = []
        cells: list[int] = []
        for p, group in enumerate(groups):
            cells += range(p * self.longest_prompt, p * self.longest_prompt + len(group.prompt))
            positions += range(len(group.prompt))
            ids += group.prompt
        ends = [sum(len(group.prompt) for group in groups[: p + 1]) - 1 for p in range(self.prompts)]
        for p, group in enumerate(groups):
            for r, item in enumerate(group.items):
                inputs = item.completion[:-1]  # nothing is predicted after the last token
                cell = self.prompts * self.longest_prompt + (p * self.room + r) * self.longest
                cells += range(cell, cell + len(inputs))
                positions += range(len(group.prompt), len(group.prompt) + len(inputs))
                sources += [ends[p], *range(len(ids), len(ids) + len(inputs))]
                ids += inputs
        self.real, self.predicted = len(ids), len(sources)
        flat, wanted = rounded(self.real + 1), rounded(self.predicted)  # always a row of padding, for empty cells

        def padded(values: Sequence[int], size: int, filler: int = 0) -> Tensor:
            return torch.tensor([*values, *([filler] * (size - len(values)))], device=device)

        self.ids_N, self.positions_N = padded(ids, flat), padded(positions, flat)
        self.sources_M = padded(sources, wanted, flat - 1)
        self._place_heads(padded(cells, flat), flat)
        self._mask([len(group.prompt) for group in groups], device)

    def _place_heads(self, cell_N: Tensor, flat: int) -> None:
        """For every head, from the flat list (N, H) to the two grids (K, P, G, T) and (K, P, R, G, U), and back."""
        split = self.prompts * self.longest_prompt
        token_C = torch.full((split + self.prompts * self.room * self.longest,), flat - 1, device=cell_N.device)
        token_C[cell_N[: self.real]] = torch.arange(self.real, device=cell_N.device)
        in_prompt, in_rest = (
            token_C[:split].view(1, self.prompts, 1, 1, -1),
            token_C[split:].view(1, self.prompts, self.room, 1, -1),
        )

        def both_ways(group: int) -> tuple[Tensor, Tensor]:
            heads = self.w.kv_heads * group
            head = torch.arange(heads, device=cell_N.device).view(self.w.kv_heads, 1, 1, group, 1)
            there = torch.cat([(cells * heads + head).flatten() for cells in (in_prompt, in_rest)])
            back = torch.zeros(flat * heads, dtype=torch.int64, device=cell_N.device)
            # Empty cells all come from the last, padded row: it alone is not undone, and is zeroed anyway.
            back[there] = torch.arange(len(there), device=cell_N.device)
            return there, back

        self._queries, self._keys = both_ways(self.group), both_ways(1)

    def _mask(self, prompt_lengths: Sequence[int], device: torch.device) -> None:
        """Minus infinity where a query must not see a key. Padding comes last, where no token that counts looks."""

        def future(size: int) -> Tensor:
            return torch.ones(size, size, dtype=torch.bool, device=device).triu(1)

        def bias(hidden: Tensor) -> Tensor:
            return torch.zeros(hidden.shape, dtype=self.w.dtype, device=device).masked_fill_(hidden, float("-inf"))

        lengths_P = torch.tensor(prompt_lengths, device=device)
        beyond_PT = torch.arange(self.longest_prompt, device=device) >= lengths_P[:, None]
        hidden = torch.cat(
            (
                beyond_PT[:, None].expand(-1, self.longest, -1),
                future(self.longest).expand(self.prompts, -1, -1),
            ),
            -1,
        )
        self._bias_TT, self._bias_P1UX = bias(future(self.longest_prompt)), bias(hidden)[:, None]

    def attend(self, n: int, q_NHD: Tensor, k_NKD: Tensor, v_NKD: Tensor) -> Tensor:
        """Every prompt's tokens among themselves; every completion's to their prompt and among themselves."""
        heads, size, pairs = self.w.kv_heads, self.w.head_size, self.w.kv_heads * self.prompts
        in_prompt, in_rest = pairs * self.longest_prompt, pairs * self.room * self.longest

        def placed(x: Tensor, ways: tuple[Tensor, Tensor], group: int) -> tuple[Tensor, Tensor]:
            rows: Any = _Placed.apply(x.reshape(-1, size), *ways, self.real * heads * group, False)
            return rows.split((in_prompt * group, in_rest * group))

        def keys(x: Tensor) -> tuple[Tensor, Tensor]:
            """Those of the prompts, K P T; and for every completion its prompt's and its own, K P R X."""
            prompt, rest = placed(x, self._keys, 1)
            prompt = prompt.view(heads, self.prompts, 1, self.longest_prompt, size)
            rest = rest.view(heads, self.prompts, self.room, self.longest, size)
            whole = torch.cat((prompt.expand(-1, -1, self.room, -1, -1), rest), -2)
            return prompt.flatten(0, 2), whole.flatten(0, 2)

        def gathered(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
            score = q.view(len(k), -1, size) @ k.transpose(1, 2)
            shape = score.shape
            share = score.view(heads, self.prompts, -1, *bias.shape[-2:]).add_(bias).softmax(-1)
            return (share.view(shape) @ v).view(-1, size)

        q_prompt, q_rest = placed(q_NHD, self._queries, self.group)
        (k_prompt, k_rest), (v_prompt, v_rest) = keys(k_NKD), keys(v_NKD)
        seen_prompt = gathered(q_prompt, k_prompt, v_prompt, self._bias_TT)
        seen_rest = gathered(q_rest, k_rest, v_rest, self._bias_P1UX)
        there, back = self._queries
        seen: Any = _Placed.apply(torch.cat((seen_prompt, seen_rest)), back, there, self.real * self.w.heads, True)
        return seen.view(q_NHD.shape)


def logits(groups: Sequence[Group], w: Weights, recompute: bool = False) -> Tensor:
    """Logits before every token of every completion, group by group and item by item: MV, and rows of padding.

    Differentiable. With `recompute`, activations are not kept for the backward pass but computed again.
    """
    layout = Layout(groups, w)
    hidden_NE = forward(w, layout.ids_N, layout.positions_N, layout.attend, recompute)
    return w.head(F.embedding(layout.sources_M, hidden_NE))
