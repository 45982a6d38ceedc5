"""Choices from one address of chance, by the same rule on every Python.

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
    """Things with their weights, to be drawn from."""

    __slots__ = ("_bounds", "things")

    def __init__(self, weights: Sequence[tuple[T, float]]) -> None:
        self.things = [thing for thing, _ in weights]
        self._bounds = list(accumulate(weight for _, weight in weights))

    def at(self, share: float) -> T:
        """The thing that holds this place in [0, 1)."""
        return self.things[bisect(self._bounds, share * self._bounds[-1])]


@final
class Dice:
    """One stream of choices, for one document."""

    __slots__ = ("_random",)

    def __init__(self, key: Key) -> None:
        self._random = key.draw().random

    def below(self, size: int) -> int:
        """A number from 0 up to but without `size`."""
        return int(self._random() * size)

    def between(self, low: int, high: int) -> int:
        """A number from `low` up to and with `high`."""
        return low + int(self._random() * (high - low + 1))

    def often(self, share: float) -> bool:
        """True with this probability."""
        return self._random() < share

    def pick(self, things: Sequence[T]) -> T:
        """One of these."""
        return things[int(self._random() * len(things))]

    def weighed(self, table: Table[T]) -> T:
        """One of a table, by weight."""
        return table.at(self._random())

    def several(self, things: Sequence[T], count: int) -> list[T]:
        """`count` different places of these, in random order; all of them if there are fewer."""
        left = list(things)
        return [left.pop(int(self._random() * len(left))) for _ in range(min(count, len(left)))]
