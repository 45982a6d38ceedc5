"""One differentiable forward over prompts and all of their completions, each prompt once.

The rollouts of a prompt share its tokens, so their hidden states and the gradients through them are shared too: eight
rollouts of 64 tokens after a prompt of 100 are 612 tokens instead of 1312. Tokens lie in one flat list without padding;
only attention sees a grid, in which every prompt has a row and every completion another.

Promises: log-probabilities and gradients of the model's own forward on each sequence by itself, to rounding.
For small models and short texts; the memory of attention grows with the square of the length, and `LONGEST` says up to
where it is done this way. The others are computed as a forest (`absolute_zero.policy.forest`).

Shapes: N flat tokens, P prompts, R room for completions of a prompt, T longest prompt, U longest completion, K
key/value heads, G query heads that share one, H = K G, D head size, X = T + U, M tokens to predict, E hidden size.
"""
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F

from absolute_zero.policy.attention import attention, bias, future
from absolute_zero.policy.batches import Group, rounded
from absolute_zero.policy.layout import Grid, Layout
from absolute_zero.policy.transformer import Weights, forward

LONGEST = 1024
"""Tokens of a prompt and its longest completion, up to which samples are computed this way."""


@final
class SharedPrompts:
    """A micro-batch laid out: a grid of prompts, a grid of completions, and the tokens before each target."""

    def __init__(self, groups: Sequence[Group], w: Weights) -> None:
        device = w.embedding_VE.device
        self._heads, self._prompts = w.kv_heads, len(groups)
        self._room = max(len(group.items) for group in groups)
        prompts = [range(len(group.prompt)) for group in groups]
        rests: list[range] = []
        ids = [token for group in groups for token in group.prompt]
        sources: list[int] = []
        end = -1
        for group in groups:
            start = len(group.prompt)
            end += start
            for item in group.items:
                inputs = item.completion[:-1]  # nothing is predicted after the last token
                rests.append(range(start, start + len(inputs)))
                sources += [end, *range(len(ids), len(ids) + len(inputs))]
                ids += inputs
            rests += [range(0)] * (self._room - len(group.items))
        longest_prompt = rounded(max(map(len, prompts)))
        longest = rounded(max(group.longest for group in groups))
        self.layout = Layout([Grid(prompts, longest_prompt), Grid(rests, longest)], w)
        self.ids_N = self.layout.padded(ids)
        filler = [self.layout.flat - 1] * (rounded(len(sources)) - len(sources))
        self.sources_M = torch.tensor(sources + filler, device=device)
        self._bias_11TT = self.layout.causal(longest_prompt)
        # Padding comes last, where no token that counts looks; but completions do not look at their prompt's.
        lengths_P = torch.tensor([len(prompt) for prompt in prompts], device=device)
        beyond_PT = torch.arange(longest_prompt, device=device) >= lengths_P[:, None]
        beyond_PUT = beyond_PT[:, None].expand(-1, longest, -1)
        later_PUU = future(longest, device).expand(self._prompts, -1, -1)
        self._bias_P1UX = bias(torch.cat((beyond_PUT, later_PUU), -1), w.dtype)[:, None]

    def attend(self, n: int, q_NHD: Tensor, k_NKD: Tensor, v_NKD: Tensor) -> Tensor:
        """Let every token see those before it: in a prompt, and in a completion with its prompt."""
        prompt, rest = self.layout.in_grids(q_NHD, k_NKD, v_NKD)
        seen_prompt = attention(prompt.q_BGUD, prompt.k_BUD, prompt.v_BUD, self._bias_11TT, self._heads)
        k, v = self._after(prompt.k_BUD, rest.k_BUD), self._after(prompt.v_BUD, rest.v_BUD)
        seen_rest = attention(rest.q_BGUD, k, v, self._bias_P1UX, self._heads)
        return self.layout.in_list([seen_prompt, seen_rest])

    def _after(self, prompt: Tensor, rest: Tensor) -> Tensor:
        """Put in front of every completion's keys or values those of its prompt: K P T D and K P R U D to K P R X D."""
        prompt = prompt.view(self._heads, self._prompts, 1, *prompt.shape[1:]).expand(-1, -1, self._room, -1, -1)
        rest = rest.view(self._heads, self._prompts, self._room, *rest.shape[1:])
        return torch.cat((prompt, rest), -2).flatten(0, 2)


def hidden(groups: Sequence[Group], w: Weights, recompute: bool = False) -> Tensor:
    """Return hidden states before every token of every completion, group by group and item by item: ME, and padding.

    Differentiable. With `recompute`, activations are not kept for the backward pass but computed again.
    """
    batch = SharedPrompts(groups, w)
    hidden_NE = forward(w, batch.ids_N, batch.layout.positions_N, batch.attend, recompute)
    return F.embedding(batch.sources_M, hidden_NE)
