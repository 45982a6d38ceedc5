"""Keys of a random generator by address: every random choice of a run has a name, and none depends on another one.

Promises: the same seed and address give the same bits on every machine and Python, whatever was drawn before, so
resume is exact and shards draw the same numbers. Does not hold state; there is no stream to save. Floor 0.
"""

import hashlib
import random
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Key:
    """A key of the tree of a run's random choices, split by `at`.

    >>> step = Key(seed=1).at(7)
    >>> step.at("solve", "deduction", 3).bits == step.at("solve").at("deduction", 3).bits
    True
    """

    seed: int
    address: tuple[str | int, ...] = ()

    def at(self, *more: str | int) -> "Key":
        """Return the key further down that these words and numbers name."""
        return Key(self.seed, (*self.address, *more))

    @property
    def bits(self) -> int:
        """64 bits that belong to this key alone, as an integer from 0 up."""
        # A word and a number that print alike are different keys, and no word can run into its neighbour.
        name = repr([int(self.seed), *(int(part) if isinstance(part, int) else str(part) for part in self.address)])
        return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")

    def draw(self) -> random.Random:
        """Return a generator of this key's own. Python keeps `Random(int)` and `random()` fixed over versions, but not
        the other methods: use `draw().random()` and `choose`."""
        return random.Random(self.bits)

    def choose(self, size: int, count: int) -> list[int]:
        """Return `count` different indices of range(size), uniform and in random order; all of them if there are fewer.

        Work grows with `count`, not with `size` (Floyd 1987, shuffled).
        """
        uniform = self.draw().random
        count = min(count, size)
        chosen: dict[int, None] = {}
        for top in range(size - count, size):
            index = int(uniform() * (top + 1))
            chosen[top if index in chosen else index] = None
        indices = list(chosen)
        for last in range(count - 1, 0, -1):
            other = int(uniform() * (last + 1))
            indices[last], indices[other] = indices[other], indices[last]
        return indices
