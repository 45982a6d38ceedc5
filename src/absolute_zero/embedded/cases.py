"""A program with arguments on which it says something: what documents are made of.

Promises: every argument list of a case gives a value, and the outputs are not all the same; a case is a function of
its dice alone. Standard library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from absolute_zero.embedded.author import write_program
from absolute_zero.embedded.dice import Dice
from absolute_zero.embedded.inputs import ARGUMENTS
from absolute_zero.embedded.operations import Sort
from absolute_zero.embedded.program import Program
from absolute_zero.embedded.trees import text_of

DULL: Final = frozenset(("0", "1", "-1", "''", "[]", "{}", "set()", "True", "False", "()"))
"""Outputs that are guessed too easily."""


@final
@dataclass(frozen=True, slots=True)
class Pair:
    """Arguments, the value they give, and both as text."""

    arguments: tuple[Any, ...]
    value: Any
    given: str
    output: str


@final
@dataclass(frozen=True, slots=True)
class Case:
    """A program and what it does on some arguments, all different."""

    program: Program
    text: str
    pairs: Sequence[Pair]


def arguments_of(sorts: Sequence[Sort], dice: Dice) -> tuple[Any, ...]:
    """Arguments of these sorts."""
    return tuple([ARGUMENTS[sort](dice) for sort in sorts])


def written(arguments: Sequence[Any]) -> str:
    """An argument list as text: what `absolute_zero.novelty.written` makes of it."""
    return ", ".join(map(text_of, arguments))


def pair(program: Program, arguments: tuple[Any, ...]) -> Pair | None:
    """What a program gives on arguments; None where it gives nothing fit."""
    done = program.run(arguments)
    if done is None:
        return None
    return Pair(arguments, done[0], written(arguments), text_of(done[0]))


def find_case(dice: Dice, wanted: int = 5, distinct: int = 2) -> Case:
    """A case of at least so many pairs, with so many different outputs at least."""
    while True:
        program = write_program(dice)
        found: dict[str, Pair] = {}
        sorts = program.sorts
        for tried in range(wanted * 2):
            one = pair(program, arguments_of(sorts, dice))
            if one is not None:
                found.setdefault(one.given, one)
            if len(found) == wanted or len(found) + wanted < tried:
                break
        if len(found) == wanted and len({one.output for one in found.values()}) >= distinct:
            return Case(program, program.write(), tuple(found.values()))


def telling(case: Case, dice: Dice) -> Pair:
    """One of its pairs, rather one whose output is not dull."""
    one = dice.pick(case.pairs)
    for _ in range(2):
        if one.output not in DULL:
            break
        one = dice.pick(case.pairs)
    return one
