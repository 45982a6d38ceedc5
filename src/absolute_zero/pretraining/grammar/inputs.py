"""Arguments and constants of the grammar's programs: small, and varied where programs differ.

Numbers are mostly below 20, so that a small model can learn to reckon with them. Items of texts and lists mostly
differ, as a reader who goes from one to the next looks for the one it was at; they repeat often enough for counting
and replacing to mean something. Standard library.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from absolute_zero.pretraining.grammar.dice import Dice, Table
from absolute_zero.pretraining.grammar.operations import Sort

_LETTERS: Final = "abcdefghiklmnoprstuwxyz"
_RANGES: Final = Table([
    ((0, 9), 10.0), ((1, 5), 6.0), ((5, 20), 6.0), ((-9, -1), 3.0), ((10, 50), 2.0), ((50, 99), 0.5),
])  # fmt: skip
_CONSTANTS: Final = Table([
    ((1, 3), 10.0), ((2, 5), 8.0), ((4, 10), 7.0), ((0, 0), 1.5), ((11, 20), 1.5), ((-5, -1), 0.8),
])  # fmt: skip
_LENGTHS: Final = Table([(1, 1.0), (2, 4.0), (3, 7.0), (4, 5.0), (5, 2.0)])


def _int(dice: Dice) -> int:
    return dice.between(*dice.weighed(_RANGES))


def _float(dice: Dice) -> float:
    return dice.between(-8, 24) / (2 if dice.often(0.8) else 4)


def word(dice: Dice, longest: int = 5) -> str:
    """Return one to `longest` letters: all different, or a few of them again and again."""
    size = dice.between(1, longest)
    if dice.often(0.55):
        text = "".join(dice.several(_LETTERS, size))
    else:
        letters = dice.several(_LETTERS, dice.between(2, 4)) + list("ab")
        text = "".join(dice.pick(letters) for _ in range(size))
    return text.title() if dice.often(0.08) else text.upper() if dice.often(0.05) else text


def _str(dice: Dice) -> str:
    form = dice.below(20)
    if form == 0:
        return f"{word(dice, 3)}{dice.pick((' ', ',', '-'))}{word(dice, 3)}"
    if form == 1:
        return str(dice.between(0, 999))
    return word(dice, 6)


def _ints(dice: Dice) -> list[int]:
    if dice.often(0.02):
        return []
    low, high = dice.weighed(_RANGES)
    length = dice.weighed(_LENGTHS)
    if dice.often(0.65):
        return dice.several(range(low, high + 1), length)
    if dice.often(0.3):
        high = low + 3
    return [dice.between(low, high) if dice.often(0.8) else dice.between(0, 9) for _ in range(length)]


def _table(dice: Dice) -> dict[str, int]:
    return {dice.pick(_LETTERS): dice.between(0, 12) for _ in range(dice.between(1, 3))}


ARGUMENTS: Final[Mapping[Sort, Callable[[Dice], Any]]] = {
    "int": _int,
    "size": lambda dice: dice.between(1, 4) if dice.often(0.8) else dice.between(0, 6),
    "float": _float,
    "bool": lambda dice: dice.often(0.5),
    "str": _str,
    "char": lambda dice: dice.pick("abcde") if dice.often(0.6) else dice.pick(_LETTERS),
    "ints": _ints,
    "strs": lambda dice: [word(dice, 3) for _ in range(dice.between(1, 4))],
    "pair": lambda dice: (_int(dice), _int(dice)),
    "table": _table,
    "set": lambda dice: set(_ints(dice)),
}
"""How to draw an argument of each sort that parameters have."""

CONSTANTS: Final[Mapping[Sort, Callable[[Dice], Any]]] = {
    "int": lambda dice: dice.between(*dice.weighed(_CONSTANTS)),
    "size": lambda dice: dice.between(1, 3),
    "times": lambda dice: dice.between(2, 3),
    "index": lambda dice: dice.pick((0, 0, 1, 1, 2, -1, -1, -2)),
    "divisor": lambda dice: dice.pick((2, 2, 2, 3, 3, 4, 5, 10)),
    "factor": lambda dice: dice.pick((2, 2, 2, 3, 3, 4, 5, 10, -1)),
    "bit": lambda dice: dice.below(2),
    "half": lambda dice: dice.between(1, 8) / 2,
    "float": lambda dice: dice.between(1, 12) / 2,
    "bool": lambda dice: dice.often(0.5),
    "char": lambda dice: dice.pick("abcde") if dice.often(0.7) else dice.pick(_LETTERS),
    "str": lambda dice: word(dice, 3),
    "separator": lambda dice: dice.pick(("", "", " ", ",", "-")),
    "ints": lambda dice: [dice.between(0, 9) for _ in range(dice.between(1, 3))],
    "strs": lambda dice: [word(dice, 2) for _ in range(2)],
    "pair": lambda dice: (dice.between(0, 9), dice.between(0, 9)),
    "table": lambda dice: {dice.pick("abc"): dice.between(1, 9)},
    "set": lambda dice: {dice.between(0, 9), dice.between(0, 9)},
}
"""How to draw a constant for each sort of operand."""
