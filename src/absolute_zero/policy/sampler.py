"""Sampling: which rows are in flight, what they draw, when they end.

Promises: every rollout draws noise of its own address (`absolute_zero.policy.draws`), so its tokens depend on its
prompt, its key and the weights, and on nothing else in the call but rounding; finished rows make room for waiting ones.
Does not know models: an engine computes logits (`decoding`, `generic`).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from absolute_zero.policy.draws import sample_token, signed, uniforms
from absolute_zero.policy.prefixes import matching
from absolute_zero.policy.tokens import Stops, Tokens
from absolute_zero.types import AbsoluteZeroError, Completion, Sampling

MAX_ROWS = 512
"""Rows in flight, at most. A step costs much the same for few as for many: 64, 128, 256 and 512 rows of the
benchmark's model give 7.3, 9.0, 11.2 and 12.7 thousand tokens per CPU second."""
DROP_SHARE = 8
"""Finished rows are dropped when they are one in so many: dropping copies the caches of the others."""
JOIN_SHARE = 4
"""Waiting rows join when one in so many slots is free: each time, their prompts are computed together."""


class Engine(Protocol):
    """Rows that grow by a token at a time, and the logits of their next tokens."""

    device: torch.device
    joins: bool
    prompt_tokens: int

    @property
    def bytes_per_token(self) -> int: ...
    def admit(self, prompts: Sequence[Sequence[int]], counts: Sequence[int]) -> Tensor: ...
    def advance(self, tokens_N: Tensor) -> Tensor: ...
    def keep(self, rows_N: Tensor) -> None: ...


Engines = Callable[[], Engine]


@dataclass(slots=True)
class Row:
    """One rollout under way."""

    prompt: int
    key: int
    """64 bits that all of its noise derives from."""
    max_tokens: int
    """Tokens it may have."""
    tokens: list[int] = field(default_factory=list[int])
    logprobs: list[float] = field(default_factory=list[float])
    stopped: bool = False
    done: bool = False


def _chunks(prompts: Sequence[Sequence[int]], rollouts: Sequence[Sequence[Row]], rows: int) -> Iterator[list[Row]]:
    """Yield the rollouts of each prompt, longest prompt first, and no more than `rows` together."""
    for index in sorted(range(len(prompts)), key=lambda index: -len(prompts[index])):
        for first in range(0, len(rollouts[index]), rows):
            yield list(rollouts[index][first : first + rows])


def _joining(
    waiting: list[list[Row]], prompts: Sequence[Sequence[int]], slots: int, prompt_tokens: int
) -> list[list[Row]]:
    """Take from the end of `waiting` what has room; the longest prompt comes first."""
    joining: list[list[Row]] = []
    while waiting and sum(map(len, joining)) + len(waiting[-1]) <= slots:
        longest = len(prompts[(joining or waiting[-1:])[0][0].prompt])
        if joining and longest * (len(joining) + 1) > prompt_tokens:
            break
        joining.append(waiting.pop())
    return joining


def _append(
    rows: Sequence[Row], tokens: Sequence[int], logprobs: Sequence[float], tokenizer: Tokens, stops: Stops
) -> int:
    """Append what was drawn to the rows that are not done, and return how many are done now."""
    done = 0
    for row, token, logprob in zip(rows, tokens, logprobs, strict=True):
        if not row.done:
            row.tokens.append(token)
            row.logprobs.append(logprob)
            row.stopped = token in stops.eos_ids or (token in stops.completing and tokenizer.stopped(row.tokens, stops))
            row.done = row.stopped or len(row.tokens) >= row.max_tokens
        done += row.done
    return done


@torch.inference_mode()
def sample(
    engines: Engines,
    tokenizer: Tokens,
    prompts: Sequence[Sequence[int]],
    keys: Sequence[Sequence[int]],
    sampling: Sampling,
    context: int,
    memory: int,
    prefixes: Sequence[Sequence[int]] = (),
) -> list[list[Completion]]:
    """Return completions of tokenised prompts, one per key: [prompt][rollout].

    `engines` makes one without rows. `keys` are 64 bits for each rollout. Prompt and completion together are at most
    `context` tokens long, of which every prompt has to leave one. `memory` is what the caches of the rows in flight
    may take, in bytes; `prefixes` are the beginnings of prompts that the engine holds only once. Raises
    AbsoluteZeroError if the model's logits are no numbers.
    """
    engine = engines()
    stops = tokenizer.stops(sampling.stop)
    limits = [min(sampling.max_tokens, context - len(prompt)) for prompt in prompts]
    rollouts = [[Row(index, signed(key), limits[index]) for key in group] for index, group in enumerate(keys)]
    beginnings = [*map(len, prefixes), 0]  # the last one is that of prompts without prefix
    lengths = [len(prompt) - beginnings[matching(prompt, prefixes)] for prompt in prompts]
    longest = max(lengths, default=0) + sampling.max_tokens
    memory -= engine.bytes_per_token * sum(beginnings)
    capacity = max(1, min(MAX_ROWS, memory // (engine.bytes_per_token * longest)))
    waiting = list(_chunks(prompts, rollouts, capacity))[::-1]  # taken from the end
    rows: list[Row] = []
    logits_NV = torch.empty(0)
    keys_N = torch.empty(0, dtype=torch.int64, device=engine.device)
    finished = 0
    while waiting or rows:
        if waiting and (not rows or (engine.joins and (capacity - len(rows)) * JOIN_SHARE >= capacity)):
            joining = _joining(waiting, prompts, capacity - len(rows), engine.prompt_tokens)
            if joining:
                first_NV = engine.admit([prompts[group[0].prompt] for group in joining], list(map(len, joining)))
                logits_NV = torch.cat((logits_NV, first_NV)) if rows else first_NV
                rows += [row for group in joining for row in group]
                keys_N = torch.tensor([row.key for row in rows], device=engine.device)
        positions = torch.tensor([len(row.tokens) for row in rows], device=engine.device)
        token_N, logprob_N = sample_token(logits_NV, uniforms(keys_N, positions), sampling.temperature, sampling.top_p)
        tokens: list[int] = token_N.tolist()
        logprobs: list[float] = logprob_N.tolist()
        finished = _append(rows, tokens, logprobs, tokenizer, stops)
        if finished == len(rows) or finished * DROP_SHARE >= len(rows):
            alive = [index for index, row in enumerate(rows) if not row.done]
            alive_N = torch.tensor(alive, dtype=torch.int64, device=engine.device)
            rows, keys_N, token_N = [rows[index] for index in alive], keys_N[alive_N], token_N[alive_N]
            if rows or engine.joins:
                engine.keep(alive_N)
        if rows:
            logits_NV = engine.advance(token_N)
    return [[_completion(row, tokenizer, stops) for row in group] for group in rollouts]


def _completion(row: Row, tokenizer: Tokens, stops: Stops) -> Completion:
    if not all(map(math.isfinite, row.logprobs)):
        raise AbsoluteZeroError("the model's logits are not numbers: its weights are broken; go back to a checkpoint")
    text = tokenizer.text(row.tokens, stops)
    return Completion(text, tuple(row.tokens), tuple(row.logprobs), truncated=not row.stopped)
