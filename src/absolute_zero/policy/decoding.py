"""Decoding with prompts computed once: the fast engine of the sampler, for models that `transformer` computes.

A row is one rollout of a prompt. Its keys and values lie apart: those of its prompt, held once for all of its rollouts,
and its own. One decoding step scores all rollouts of a prompt against the prompt in one product, and each row against
its own in another; one softmax spans both. All rows write their own keys into the same column of the cache, whenever
they joined: what a row's cache holds before its first column is masked. Finished rows are dropped and others join.

What prompts begin with in common may be handed in (`prefixes`): it is computed and held once, scored in one product
for all rows that begin with it, and a prompt is then only what follows.

Promises: a row's logits do not depend on the other rows, to rounding. Does not sample, stop or know text.

Shapes: N rows, P prompts, R most rows of one prompt, T longest prompt, W own columns, K key/value heads, G query heads
that share one, D head size, V vocabulary, L layers. Caches are (L, keys and values, K, P or N, T or W, D): with K in
front, grouping rows by prompt is a view, and so is one product for both.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional as F

from absolute_zero.policy.prefixes import NONE, Prefixes, matching, softmax_parts
from absolute_zero.policy.transformer import Weights, forward

EAGER_LONGEST = 256
"""Prompts up to so many tokens are attended to by plain products: on a CPU that beats the fused kernel (4.5 ms against
7.3 at 100 tokens, 13 against 14 at 300, 54 against 25 at 800; bfloat16)."""
PREFILL_TOKENS = 8192
"""Padded tokens of prompts that are computed together."""
COLUMNS = 16
"""The own cache grows by at least so many columns, or by a quarter."""


class Decoder:
    """The rows in flight, and their caches."""

    joins = True
    """Rows may join while others are under way."""
    prompt_tokens = 1 << 40
    """Prompts are computed in pieces here, so that any number of them may join."""

    def __init__(self, weights: Weights, prefixes: Sequence[Sequence[int]] = ()) -> None:
        self.w = weights
        self._prefixes = Prefixes(prefixes)
        self.device = weights.embedding_VE.device
        self.group = weights.heads // weights.kv_heads
        shape = (len(weights.layers), 2, weights.kv_heads)
        self._prompt = torch.empty(*shape, 0, 0, weights.head_size, dtype=weights.dtype, device=self.device)
        self._own = torch.empty(*shape, 0, 0, weights.head_size, dtype=weights.dtype, device=self.device)
        self._used = 0
        self._lengths_P = torch.empty(0, dtype=torch.int64, device=self.device)  # without their prefixes
        self._prefix_P = torch.empty(0, dtype=torch.int64, device=self.device)
        self._skipped_P = torch.empty(0, dtype=torch.int64, device=self.device)  # tokens of their prefixes
        self._prompt_of_N = torch.empty(0, dtype=torch.int64, device=self.device)
        self._start_N = torch.empty(0, dtype=torch.int64, device=self.device)
        self._arrange()

    @property
    def bytes_per_token(self) -> int:
        """What one token of a row's cache takes, in bytes."""
        return 2 * len(self.w.layers) * self.w.kv_heads * self.w.head_size * self.w.dtype.itemsize

    def admit(self, prompts: Sequence[Sequence[int]], counts: Sequence[int]) -> Tensor:
        """Compute prompts, add `counts[i]` rows after the i-th, and return the logits of their first tokens, NV."""
        prefixes = [matching(prompt, self._prefixes.tokens) for prompt in prompts]
        skipped = [len(self._prefixes.tokens[prefix]) if prefix != NONE else 0 for prefix in prefixes]
        order = sorted(range(len(prompts)), key=lambda index: prefixes[index])
        pieces: list[tuple[Tensor, Tensor]] = []
        for prefix, alike in groupby(order, key=lambda index: prefixes[index]):
            rests = [prompts[index][skipped[index] :] for index in alike]
            pieces += [self._prefill(chunk, prefix) for chunk in self._chunks(rests)]
        logits, caches = zip(*pieces, strict=True)
        longest = max(self._prompt.shape[4], *(cache.shape[4] for cache in caches))
        padded = [F.pad(cache, (0, 0, 0, longest - cache.shape[4])) for cache in (self._prompt, *caches)]
        first = len(self._lengths_P)
        self._prompt = torch.cat(padded, 3)
        first_PV = torch.cat(logits)
        if order != sorted(order):
            back_P = torch.tensor(order, device=self.device).argsort()
            first_PV = first_PV[back_P]
            self._prompt[:, :, :, first:] = self._prompt[:, :, :, first:].index_select(3, back_P)
        lengths = [len(prompt) - skip for prompt, skip in zip(prompts, skipped, strict=True)]
        self._lengths_P = torch.cat((self._lengths_P, torch.tensor(lengths, device=self.device)))
        self._prefix_P = torch.cat((self._prefix_P, torch.tensor(prefixes, device=self.device)))
        self._skipped_P = torch.cat((self._skipped_P, torch.tensor(skipped, device=self.device)))
        counts_P = torch.tensor(counts, device=self.device)
        prompt_N = torch.arange(len(prompts), device=self.device).repeat_interleave(counts_P)
        self._prompt_of_N = torch.cat((self._prompt_of_N, prompt_N + first))
        self._start_N = torch.cat((self._start_N, torch.full_like(prompt_N, self._used)))
        empty = self._own.new_zeros(*self._own.shape[:3], len(prompt_N), *self._own.shape[4:])
        self._own = torch.cat((self._own, empty), 3)
        self._arrange()
        return first_PV[prompt_N]

    def advance(self, tokens_N: Tensor) -> Tensor:
        """Append a token to every row, and return the logits of the next ones, NV."""
        column = self._used
        if column == self._own.shape[4]:
            self._own = F.pad(self._own, (0, 0, 0, max(COLUMNS, column // 4)))
        self._used += 1
        positions_N = (self._skipped_P + self._lengths_P)[self._prompt_of_N] + column - self._start_N
        # The whole cache takes part, columns to come included: products copy what is a slice of a larger tensor.
        columns = torch.arange(self._own.shape[4], device=self.device)
        hidden = columns > column
        if self._ragged_starts:
            hidden = hidden | (columns < self._start_N[:, None])
        own_bias = self._bias(hidden.expand(1 if not self._ragged_starts else -1, -1)).unsqueeze(1)

        def attend(n: int, q_NHD: Tensor, k_NKD: Tensor, v_NKD: Tensor) -> Tensor:
            self._own[n, 0, :, :, column] = k_NKD.transpose(0, 1)
            self._own[n, 1, :, :, column] = v_NKD.transpose(0, 1)
            return self._gather(n, q_NHD, own_bias)

        return self.w.head(forward(self.w, tokens_N, positions_N, attend))

    def keep(self, rows_N: Tensor) -> None:
        """Drop all rows but these (ascending), and what only the others needed."""
        self._start_N = self._start_N[rows_N]
        low = int(self._start_N.min()) if len(rows_N) else self._used
        self._own = self._own[:, :, :, :, low : self._used].index_select(3, rows_N)
        self._start_N = self._start_N - low
        self._used -= low
        prompts_P, self._prompt_of_N = self._prompt_of_N[rows_N].unique(return_inverse=True)
        if len(prompts_P) < len(self._lengths_P):
            self._lengths_P = self._lengths_P[prompts_P]
            self._prefix_P, self._skipped_P = self._prefix_P[prompts_P], self._skipped_P[prompts_P]
            longest = int(self._lengths_P.max()) if len(prompts_P) else 0
            self._prompt = self._prompt[:, :, :, :, :longest].index_select(3, prompts_P)
        self._arrange()

    def _bias(self, hidden: Tensor) -> Tensor:
        """Return 0 where a key is seen, minus infinity where it is hidden, in the precision of the scores."""
        zeros = torch.zeros(hidden.shape, dtype=self.w.dtype, device=self.device)
        return zeros.masked_fill_(hidden, float("-inf"))

    def _arrange(self) -> None:
        """Set what follows from which rows there are: their cells in the grid of P x R, prefixes, and what is masked.

        Rows stand in the order of their prompts. Where every prompt has R rows, the grid is the rows themselves.
        """
        prompts, rows = len(self._lengths_P), len(self._prompt_of_N)
        counts_P = self._prompt_of_N.bincount(minlength=prompts)
        self._width = int(counts_P.max()) if rows else 0
        self._cell_of_N: Tensor | None = None
        self._row_of_cell: Tensor | None = None
        if prompts * self._width != rows:
            first_P = counts_P.cumsum(0) - counts_P
            rank_N = torch.arange(rows, device=self.device) - first_P[self._prompt_of_N]
            self._cell_of_N = self._prompt_of_N * self._width + rank_N
            self._row_of_cell = torch.zeros(prompts * self._width, dtype=torch.int64, device=self.device)
            self._row_of_cell[self._cell_of_N] = torch.arange(rows, device=self.device)
        self._prefixes.arrange(self._prefix_P[self._prompt_of_N])
        self._ragged_starts = rows > 0 and int(self._start_N.max()) > 0
        longest = self._prompt.shape[4]
        self._prompt_bias = None
        if prompts and int(self._lengths_P.min()) < longest:
            hidden = torch.arange(longest, device=self.device) >= self._lengths_P[:, None]
            bias = self._bias(hidden)[None, :, None].expand(self.w.kv_heads, -1, -1, -1)
            self._prompt_bias = bias.reshape(-1, 1, longest)

    def _gather(self, n: int, q_NHD: Tensor, own_bias_N1W: Tensor) -> Tensor:
        """Return what each row's query gathers from its prefix, its prompt and its own tokens, NHD."""
        w, rows, prompts, longest = self.w, len(q_NHD), len(self._lengths_P), self._prompt.shape[4]
        own_k, own_v = (self._own[n, part].flatten(0, 1) for part in (0, 1))
        prompt_k, prompt_v = (self._prompt[n, part].flatten(0, 1) for part in (0, 1))
        q_KNGD = queries_KNGD = q_NHD.reshape(rows, w.kv_heads, self.group, -1).transpose(0, 1)
        grid = q_KNGD if self._row_of_cell is None else q_KNGD[:, self._row_of_cell]
        grid = grid.reshape(w.kv_heads * prompts, self._width * self.group, -1)
        q_KNGD = q_KNGD.reshape(w.kv_heads * rows, self.group, -1)
        if self._prompt_bias is None:
            far = grid @ prompt_k.transpose(1, 2)
        else:
            far = torch.baddbmm(self._prompt_bias, grid, prompt_k.transpose(1, 2))
        far = far.view(w.kv_heads, -1, self.group, longest)
        if self._cell_of_N is not None:
            far = far[:, self._cell_of_N]
        near = (q_KNGD @ own_k.transpose(1, 2)).view(w.kv_heads, rows, self.group, -1)
        scores = torch.cat((far, near.add_(own_bias_N1W)), -1)
        with_prefixes = self._prefixes.used
        share, total, log = softmax_parts(scores) if with_prefixes else (scores.softmax(-1), scores, scores)
        far, near = share.split((longest, near.shape[-1]), -1)
        near = near.reshape(w.kv_heads * rows, self.group, -1) @ own_v
        if self._row_of_cell is not None:
            far = far[:, self._row_of_cell]
        far = far.reshape(w.kv_heads * prompts, -1, longest) @ prompt_v
        far = far.view(w.kv_heads, -1, self.group, w.head_size)
        if self._cell_of_N is not None:
            far = far[:, self._cell_of_N]
        both_KNGD = far + near.view(w.kv_heads, rows, self.group, -1)
        if with_prefixes:
            both_KNGD = self._prefixes.add(n, queries_KNGD, (both_KNGD / total).to(w.dtype), log)
        return both_KNGD.transpose(0, 1).reshape(rows, w.heads, -1)

    def _chunks(self, prompts: Sequence[Sequence[int]]) -> list[list[Sequence[int]]]:
        """Return the prompts in chunks of neighbours, up to PREFILL_TOKENS padded tokens each."""
        chunks: list[list[Sequence[int]]] = []
        longest = 0
        for prompt in prompts:
            longest = max(longest, len(prompt))
            if not chunks or longest * (len(chunks[-1]) + 1) > PREFILL_TOKENS:
                chunks.append([])
                longest = len(prompt)
            chunks[-1].append(prompt)
        return chunks

    def _prefix(self, number: int) -> Tensor:
        """Return the keys and values of a prefix, (L, 2, K, T, D), computed when they are first asked for."""
        if number not in self._prefixes.caches:
            _, cache = self._prefill([self._prefixes.tokens[number]], NONE)
            self._prefixes.caches[number] = cache[:, :, :, 0]
        return self._prefixes.caches[number]

    def _prefill(self, prompts: Sequence[Sequence[int]], prefix: int) -> tuple[Tensor, Tensor]:
        """Return logits after each prompt, PV, and their keys and values as the cache holds them.

        `prompts` are what follows the prefix. Padded on the right: no token sees what comes after it, so the padding
        needs no mask.
        """
        w, count, longest = self.w, len(prompts), max(map(len, prompts))
        before = None if prefix == NONE else self._prefix(prefix)
        ids = torch.tensor([[*prompt, *([0] * (longest - len(prompt)))] for prompt in prompts], device=self.device)
        skipped = 0 if before is None else before.shape[3]
        positions = torch.arange(skipped, skipped + longest, device=self.device).repeat(count)
        cache = self._prompt.new_empty(*self._prompt.shape[:3], count, longest, w.head_size)
        future = None
        if before is not None or longest <= EAGER_LONGEST:
            hidden = torch.ones(longest, skipped + longest, dtype=torch.bool, device=self.device).triu(skipped + 1)
            future = self._bias(hidden)

        def attend(n: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            cache[n, 0] = k.reshape(count, longest, w.kv_heads, -1).permute(2, 0, 1, 3)
            cache[n, 1] = v.reshape(count, longest, w.kv_heads, -1).permute(2, 0, 1, 3)
            q = q.reshape(count, longest, w.kv_heads, self.group, -1).permute(2, 0, 3, 1, 4)  # K count G longest D
            if future is None or before is not None:
                k, v = (part.transpose(0, 1) for part in cache[n])
                if before is not None:
                    shared_k, shared_v = (part.expand(count, -1, -1, -1) for part in before[n])
                    k, v = torch.cat((shared_k, k), 2), torch.cat((shared_v, v), 2)
                q = q.permute(1, 0, 2, 3, 4).flatten(1, 2)
                causal = future is None
                seen = F.scaled_dot_product_attention(q, k, v, future, is_causal=causal, enable_gqa=True, scale=1.0)
                return seen.transpose(1, 2).reshape(count * longest, w.heads, -1)
            k, v = cache[n].flatten(1, 2)
            q = q.reshape(len(k), self.group * longest, -1)
            share = (q @ k.transpose(1, 2)).view(-1, longest, longest).add_(future).softmax(-1)
            seen = (share.view(len(k), -1, longest) @ v).view(w.kv_heads, count, self.group, longest, -1)
            return seen.permute(1, 3, 0, 2, 4).reshape(count * longest, w.heads, -1)

        hidden = forward(w, ids.flatten(), positions, attend)
        last = torch.tensor([row * longest + len(prompt) - 1 for row, prompt in enumerate(prompts)], device=self.device)
        return w.head(hidden[last]), cache
