"""How a step's samples are cut into micro-batches: by prompt, by length, and within a budget of tokens.

Promises: every token is in exactly one micro-batch; the same samples give the same cut; sizes are from a small fixed
set (`rounded`). The cut decides memory and speed, never the result. Knows no tensors.
"""

from collections.abc import Sequence
from dataclasses import dataclass


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
        return max(len(item.completion) for item in self.items)


def rounded(size: int) -> int:
    """The next size of a small set: multiples of 8 up to 128, then eight sizes for every doubling.

    oneDNN compiles and keeps a kernel of half a megabyte for every shape it meets, and self-play would bring new
    shapes for ever.

    >>> [rounded(size) for size in (1, 8, 100, 129, 150, 1000, 1025)]
    [8, 8, 104, 144, 160, 1024, 1152]
    """
    step = max(8, 1 << max(0, (size - 1).bit_length() - 4))
    return -(-size // step) * step


def micro_batches(items: Sequence[Item], budget: int) -> list[list[Group]]:
    """The samples in micro-batches of at most `budget` padded tokens (or a single sample that is longer alone).

    All completions of a prompt are one group, so that the prompt is computed once; in a micro-batch, every prompt has
    room for as many completions as the one with most. Groups of like shape are neighbours.
    """
    by_prompt: dict[tuple[int, ...], list[Item]] = {}
    for item in items:
        by_prompt.setdefault(item.prompt, []).append(item)
    groups = [part for prompt, tries in by_prompt.items() for part in _parts(prompt, tries, budget)]
    groups.sort(key=lambda group: (len(group.items), rounded(group.longest), len(group.prompt)), reverse=True)
    cut: list[list[Group]] = []
    for group in groups:
        if not cut or padded([*cut[-1], group]) > budget:
            cut.append([])
        cut[-1].append(group)
    return cut


def padded(groups: Sequence[Group]) -> int:
    """Tokens of a micro-batch with its padding."""
    prompt = rounded(max(len(group.prompt) for group in groups))
    tries = max(len(group.items) for group in groups)
    return len(groups) * (prompt + tries * rounded(max(group.longest for group in groups)))


def _parts(prompt: tuple[int, ...], tries: Sequence[Item], budget: int) -> list[Group]:
    """The completions of one prompt, longest first, in as few groups as fit the budget."""
    ordered = sorted(tries, key=lambda item: -len(item.completion))
    parts: list[Group] = []
    while ordered:
        fit = max(1, (budget - rounded(len(prompt))) // rounded(len(ordered[0].completion)))
        parts.append(Group(prompt, tuple(ordered[:fit])))
        ordered = ordered[fit:]
    return parts
