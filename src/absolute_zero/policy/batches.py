"""How a step's samples are packed into micro-batches: by prompt, by length, and within a budget of tokens.

Promises: every token is in exactly one micro-batch; the same samples give the same micro-batches; sizes are from a
small fixed set (`rounded`). They decide memory and speed, never the result. Knows no tensors.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item:
    """One completion to learn from, in tokens."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    sampler: tuple[float, ...]
    """The sampler's log-probability of each token of the completion."""
    advantage: float
    weight: float


@dataclass(frozen=True, slots=True)
class Group:
    """Completions of one prompt."""

    prompt: tuple[int, ...]
    items: tuple[Item, ...]

    @property
    def longest(self) -> int:
        """Tokens of the longest completion."""
        return max(len(item.completion) for item in self.items)


def rounded(size: int) -> int:
    """Return the next size of a small set: multiples of 8 up to 128, then eight sizes for every doubling.

    oneDNN compiles and keeps a kernel of half a megabyte for every shape it meets, and self-play would bring new
    shapes for ever.

    >>> [rounded(size) for size in (1, 8, 100, 129, 150, 1000, 1025)]
    [8, 8, 104, 144, 160, 1024, 1152]
    """
    step = max(8, 1 << max(0, (size - 1).bit_length() - 4))
    return -(-size // step) * step


def pack(items: Iterable[T], cost: Callable[[Sequence[T]], int], budget: int) -> list[list[T]]:
    """Return the items in their order, in batches that cost at most `budget` (or hold one item that costs more).

    >>> pack([3, 4, 1, 9, 2], sum, 8)
    [[3, 4, 1], [9], [2]]
    """
    batches: list[list[T]] = []
    for item in items:
        if not batches or cost([*batches[-1], item]) > budget:
            batches.append([])
        batches[-1].append(item)
    return batches


def micro_batches(items: Iterable[Item], budget: int) -> list[list[Group]]:
    """Return the samples in micro-batches of at most `budget` padded tokens (or of a single one that is longer).

    All completions of a prompt are one group, so that the prompt is computed once; in a micro-batch, every prompt has
    room for as many completions as the one with most. Groups of like shape are neighbours.
    """
    by_prompt: dict[tuple[int, ...], list[Item]] = {}
    for item in items:
        by_prompt.setdefault(item.prompt, []).append(item)
    groups = [group for prompt, rollouts in by_prompt.items() for group in _groups(prompt, rollouts, budget)]
    groups.sort(key=lambda group: (len(group.items), rounded(group.longest), len(group.prompt)), reverse=True)
    return pack(groups, padded, budget)


def padded(groups: Sequence[Group]) -> int:
    """Return the tokens of a micro-batch with its padding."""
    prompt = rounded(max(len(group.prompt) for group in groups))
    rollouts = max(len(group.items) for group in groups)
    return len(groups) * (prompt + rollouts * rounded(max(group.longest for group in groups)))


def _groups(prompt: tuple[int, ...], rollouts: Iterable[Item], budget: int) -> list[Group]:
    """Return the completions of one prompt, longest first, in as few groups as fit the budget."""
    ordered = sorted(rollouts, key=lambda item: -len(item.completion))
    parts = pack(ordered, lambda part: padded([Group(prompt, tuple(part))]), budget)
    return [Group(prompt, tuple(part)) for part in parts]


def unshared_micro_batches(items: Iterable[Item], budget: int) -> list[list[Group]]:
    """Return the samples by length, in micro-batches in which every completion has its prompt to itself."""
    ordered = sorted(items, key=lambda item: -(len(item.prompt) + len(item.completion)))
    groups = [Group(item.prompt, (item,)) for item in ordered]
    return pack(groups, lambda batch: len(batch) * rounded(len(batch[0].prompt) + batch[0].longest), budget)


PREFIX = 64
"""Tokens that a common beginning of prompts has, at the least: a shorter one is cheaper to compute again."""


@dataclass(frozen=True, slots=True)
class Stem:
    """A stretch of tokens that is common to some prompts, and what it branches into; a leaf ends its prompt."""

    start: int
    stop: int
    prompts: tuple[int, ...]
    branches: tuple["Stem", ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens of this stretch and all after it."""
        return self.stop - self.start + sum(branch.tokens for branch in self.branches)


def common_beginning(first: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two prompts begin with alike; each keeps one token for itself: its logits are wanted."""
    most = max(0, min(len(first), len(other)) - 1)
    if first[:most] == other[:most]:
        return most
    return next(index for index in range(most) if first[index] != other[index])


def stems(prompts: Sequence[tuple[int, ...]]) -> list[Stem]:
    """Return the prompts as a forest in which what neighbours begin with, PREFIX tokens or more, is there once.

    Neighbours only: sort the prompts first. The leaves are in the order of the prompts.

    >>> worked = tuple(range(100))
    >>> [root] = stems([(*worked, 1), (*worked, 2, 3)])
    >>> root.stop, [(leaf.start, leaf.stop) for leaf in root.branches], root.tokens
    (100, [(100, 101), (100, 102)], 103)
    """
    alike = [common_beginning(first, other) for first, other in pairwise(prompts)]

    def grow(first: int, last: int, start: int) -> tuple[Stem, ...]:
        """Return the stems of prompts[first:last] from token `start` on."""
        grown: list[Stem] = []
        while first < last:
            end = first + 1
            while end < last and alike[end - 1] - start >= PREFIX:
                end += 1
            indices = tuple(range(first, end))
            if len(indices) == 1:
                grown.append(Stem(start, len(prompts[first]), indices))
            else:
                stop = min(alike[first : end - 1])
                grown.append(Stem(start, stop, indices, grow(first, end, stop)))
            first = end
        return tuple(grown)

    return list(grow(0, len(prompts), 0))


def forest_batches(items: Iterable[Item], budget: int) -> list[list[Group]]:
    """Return the samples in micro-batches of at most `budget` tokens (or of a single one that is longer).

    Tokens as `absolute_zero.policy.forest` computes them: a prompt once for its completions, and what prompts begin
    with alike once for all of them. So prompts that begin alike are neighbours.
    """
    by_prompt: dict[tuple[int, ...], list[Item]] = {}
    for item in items:
        by_prompt.setdefault(item.prompt, []).append(item)
    groups: list[Group] = []
    for prompt in sorted(by_prompt):
        ordered = sorted(by_prompt[prompt], key=lambda item: -len(item.completion))
        parts = pack(ordered, lambda part, prompt=prompt: len(prompt) + _tokens(part), budget)
        groups += [Group(prompt, tuple(part)) for part in parts]
    return pack(groups, forest_tokens, budget)


def forest_tokens(groups: Sequence[Group]) -> int:
    """Return the tokens of a micro-batch of which no two prompts repeat what they begin with."""
    prompts = sum(stem.tokens for stem in stems([group.prompt for group in groups]))
    return prompts + sum(_tokens(group.items) for group in groups)


def _tokens(items: Iterable[Item]) -> int:
    return sum(len(item.completion) for item in items)
