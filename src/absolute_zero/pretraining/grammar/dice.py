"""Choices from one address of randomness, by the same rule on every Python.

Promises: the choices depend on the address and on nothing else (`random.random` alone is stable over versions).
Standard library.
"""

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar, final

from absolute_zero.keys import Key

T = TypeVar("T")


@final
class Table(Generic[T]):
    """Values with their weights, to be drawn from."""

    __slots__ = ("_bounds", "_values")

    def __init__(self, weights: Sequence[tuple[T, float]]) -> None:
        self._values = [value for value, _ in weights]
        self._bounds = list(accumulate(weight for _, weight in weights))

    def at(self, share: float) -> T:
        """Return the value that holds this share of [0, 1)."""
        return self._values[bisect(self._bounds, share * self._bounds[-1])]


@final
class Dice:
    """One stream of choices, for one document."""

    __slots__ = ("_random",)

    def __init__(self, key: Key) -> None:
        self._random = key.draw().random

    def below(self, size: int) -> int:
        """Return a number from 0 up to but without `size`."""
        return int(self._random() * size)

    def between(self, low: int, high: int) -> int:
        """Return a number from `low` up to and with `high`."""
        return low + int(self._random() * (high - low + 1))

    def often(self, probability: float) -> bool:
        """Return True with this probability."""
        return self._random() < probability

    def pick(self, values: Sequence[T]) -> T:
        """Return one of these, each as likely as the others."""
        return values[int(self._random() * len(values))]

    def weighed(self, table: Table[T]) -> T:
        """Return one value of a table, by weight."""
        return table.at(self._random())

    def several(self, values: Sequence[T], count: int) -> list[T]:
        """Return `count` of these in random order, none of them twice; all of them if there are fewer."""
        left = list(values)
        return [left.pop(int(self._random() * len(left))) for _ in range(min(count, len(left)))]
