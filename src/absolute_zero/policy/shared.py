"""One differentiable forward over prompts and all of their completions, each prompt once.

The tries of a prompt share its tokens, so their hidden states and the gradients through them are shared too: eight
tries of 64 tokens after a prompt of 100 are 612 tokens instead of 1312. Tokens lie in one flat list without padding;
only attention sees a grid, in which every prompt has a row and every completion another.

Promises: log-probabilities and gradients of the model's own forward on each sequence by itself, to rounding.
The memory of attention grows with the square of the length: `LONGEST` says up to where it is done this way.

Shapes: N flat tokens, P prompts, R room for completions of a prompt, T longest prompt, U longest completion, K
key/value heads, G query heads that share one, H = K G, D head size, X = T + U, M tokens to predict, V vocabulary.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from absolute_zero.policy.attention import Places, attention, bias, future
from absolute_zero.policy.batches import Group, rounded
from absolute_zero.policy.transformer import Weights, forward

LONGEST = 1024
"""Tokens of a prompt and its longest completion, up to which samples are computed this way."""


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
        grids = token_C[:split].view(-1, self.longest_prompt), token_C[split:].view(-1, self.longest)
        self._queries = Places(grids, self.real, flat, self.w.kv_heads, self.group)
        self._keys = Places(grids, self.real, flat, self.w.kv_heads, 1)

    def _mask(self, prompt_lengths: Sequence[int], device: torch.device) -> None:
        """Minus infinity where a query must not see a key. Padding comes last, where no token that counts looks."""
        lengths_P = torch.tensor(prompt_lengths, device=device)
        beyond_PT = torch.arange(self.longest_prompt, device=device) >= lengths_P[:, None]
        hidden_PUX = torch.cat(
            (
                beyond_PT[:, None].expand(-1, self.longest, -1),
                future(self.longest, device).expand(self.prompts, -1, -1),
            ),
            -1,
        )
        self._bias_11TT = bias(future(self.longest_prompt, device), self.w.dtype)[None, None]
        self._bias_P1UX = bias(hidden_PUX, self.w.dtype)[:, None]

    def attend(self, n: int, q_NHD: Tensor, k_NKD: Tensor, v_NKD: Tensor) -> Tensor:
        """Every prompt's tokens among themselves; every completion's to their prompt and among themselves."""
        heads, size, pairs = self.w.kv_heads, self.w.head_size, self.w.kv_heads * self.prompts
        in_prompt, in_rest = pairs * self.longest_prompt, pairs * self.room * self.longest

        def keys(x: Tensor) -> tuple[Tensor, Tensor]:
            """Those of the prompts, K P T; and for every completion its prompt's and its own, K P R X."""
            prompt, rest = self._keys.in_grids(x).split((in_prompt, in_rest))
            prompt = prompt.view(heads, self.prompts, 1, self.longest_prompt, size)
            rest = rest.view(heads, self.prompts, self.room, self.longest, size)
            whole = torch.cat((prompt.expand(-1, -1, self.room, -1, -1), rest), -2)
            return prompt.flatten(0, 2), whole.flatten(0, 2)

        def gathered(q: Tensor, k: Tensor, v: Tensor, bias_P1UX: Tensor) -> Tensor:
            queries = q.view(len(k), self.group, -1, size)
            return attention(queries, k, v, bias_P1UX, heads).view(-1, size)

        q_prompt, q_rest = self._queries.in_grids(q_NHD).split((in_prompt * self.group, in_rest * self.group))
        (k_prompt, k_rest), (v_prompt, v_rest) = keys(k_NKD), keys(v_NKD)
        seen_prompt = gathered(q_prompt, k_prompt, v_prompt, self._bias_11TT)
        seen_rest = gathered(q_rest, k_rest, v_rest, self._bias_P1UX)
        return self._queries.in_list(torch.cat((seen_prompt, seen_rest)))


def logits(groups: Sequence[Group], w: Weights, recompute: bool = False) -> Tensor:
    """Logits before every token of every completion, group by group and item by item: MV, and rows of padding.

    Differentiable. With `recompute`, activations are not kept for the backward pass but computed again.
    """
    layout = Layout(groups, w)
    hidden_NE = forward(w, layout.ids_N, layout.positions_N, layout.attend, recompute)
    return w.head(F.embedding(layout.sources_M, hidden_NE))
