"""What prompts begin with in common: computed once, held once, and attended to by all rows that begin with it.

Worked examples make the prompts of a kind and role begin with the same hundreds of tokens. `shared_prefixes` finds
which beginnings are worth it, in plain lists of token ids; `Prefixes` holds their keys and values, and adds what rows
gather from them to what they gather from the rest: with s the logarithm of a softmax's denominator, two softmaxes over
disjoint keys are one over all, weighted by exp(s).

Does not compute keys and values. Which beginnings there are depends on the prompts alone, not on their order.

Shapes: N rows, M of them with a prefix, T tokens of a prefix, K key/value heads, G query heads that share one, D head
size, L layers. A prefix's cache is (L, keys and values, K, T, D).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from absolute_zero.policy.batches import PREFIX, common_beginning

NONE = -1
"""In the place of a prefix's number: no prefix."""


class _Run(NamedTuple):
    """Neighbours in the sorted order of the prompts, and the best way to share what they begin with."""

    first: int
    last: int
    saved: int = 0
    """Tokens that need not be computed."""
    shared: tuple[tuple[int, int], ...] = ()
    """Of each prefix, a prompt that begins with it, and its length."""


def shared_prefixes(prompts: Sequence[Sequence[int]], least: int = PREFIX) -> list[tuple[int, ...]]:
    """Return the beginnings, of `least` tokens or more and of two prompts or more, that spare the most tokens.

    A prompt shares one beginning: where a long one lies inside a shorter one that more prompts have, whichever spares
    more counts. Neighbours in sorted order are joined, those with the longest common beginning first, and each time
    the better is kept: one prefix for all of them, or what both sides had.
    """
    ranked = sorted(map(tuple, prompts))
    common = [common_beginning(a, b) for a, b in pairwise(ranked)]
    starting = {index: _Run(index, index) for index in range(len(ranked))}
    ending = dict(starting)
    for index in sorted(range(len(common)), key=lambda index: -common[index]):
        if common[index] < max(1, least):
            break
        left, right = ending.pop(index), starting.pop(index + 1)
        saved = (right.last - left.first) * common[index]
        if saved > left.saved + right.saved:
            run = _Run(left.first, right.last, saved, ((left.first, common[index]),))
        else:
            run = _Run(left.first, right.last, left.saved + right.saved, left.shared + right.shared)
        starting[run.first] = ending[run.last] = run
    return sorted({ranked[prompt][:length] for run in starting.values() for prompt, length in run.shared})


def matching(prompt: Sequence[int], prefixes: Sequence[Sequence[int]]) -> int:
    """Return the number of the longest prefix that the prompt begins with and goes on after, or NONE."""
    lengths = {
        len(prefix): number
        for number, prefix in enumerate(prefixes)
        if len(prefix) < len(prompt) and tuple(prompt[: len(prefix)]) == tuple(prefix)
    }
    return lengths[max(lengths)] if lengths else NONE


def softmax_parts(scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return a softmax over the last axis in parts: numerators, denominators and the denominators' logarithm.

    Numerators are relative to the largest score; denominators and logarithm are in float32, with a last axis of 1.
    """
    top = scores.amax(-1, keepdim=True)
    mass = (scores - top).exp_()
    total = mass.sum(-1, keepdim=True, dtype=torch.float32)
    return mass, total, top.float() + total.log()


def _fused(device: torch.device) -> bool:
    """Return whether `_attend` has a kernel there that gives the logarithm of the denominators too."""
    return device.type == "cpu"


def _attend(q_KMD: Tensor, k_KTD: Tensor, v_KTD: Tensor) -> tuple[Tensor, Tensor]:
    """Return what queries gather from keys that they all see, KMD, and the logarithm of the denominators, KM1."""
    if _fused(q_KMD.device):
        # The kernel behind scaled_dot_product_attention, which keeps the logarithm to itself: 7 ms against 12 for 96
        # rows of 14 heads and 900 keys, since no scores are written to memory.
        fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        out, log = fused(q_KMD[None], k_KTD[None], v_KTD[None], 0.0, False, attn_mask=None, scale=1.0)
        return out[0], log[0, ..., None]
    mass, total, log = softmax_parts(q_KMD @ k_KTD.transpose(1, 2))
    return ((mass @ v_KTD) / total).to(q_KMD.dtype), log


class Prefixes:
    """Beginnings of prompts, their keys and values where they are known, and the rows in flight that begin so."""

    def __init__(self, tokens: Sequence[Sequence[int]]) -> None:
        self.tokens = tokens
        self.caches: dict[int, Tensor] = {}
        self._rows: list[tuple[int, slice | Tensor]] = []

    def arrange(self, prefix_N: Tensor) -> None:
        """Set which prefix each row has (NONE: none)."""
        self._rows = []
        for number in prefix_N.unique().tolist():
            if number != NONE:
                rows = (prefix_N == number).nonzero()[:, 0]
                first, last = int(rows[0]), int(rows[-1])
                whole = last - first + 1 == len(rows)
                self._rows.append((number, slice(first, last + 1) if whole else rows))

    @property
    def used(self) -> bool:
        """Whether any row has a prefix."""
        return bool(self._rows)

    def add(self, n: int, q_KNGD: Tensor, rest_KNGD: Tensor, log_KNG1: Tensor) -> Tensor:
        """Return what rows gather in a layer from all their keys: those of their prefixes, and the rest.

        `rest_KNGD` is what they gather from the rest, and is overwritten; `log_KNG1` the logarithm of that softmax's
        denominators. What is of rows without prefix stays as it is.
        """
        kv_heads, _, group, size = q_KNGD.shape
        for number, rows in self._rows:
            seen, log = _attend(q_KNGD[:, rows].reshape(kv_heads, -1, size), *self.caches[number][n])
            seen, log = seen.view(kv_heads, -1, group, size), log.view(kv_heads, -1, group, 1)
            share = torch.sigmoid(log - log_KNG1[:, rows]).to(seen.dtype)
            rest_KNGD[:, rows] = torch.lerp(rest_KNGD[:, rows], seen, share)
        return rest_KNGD
