"""A program with arguments on which its outputs differ: what documents are made of.

Promises: every argument list of a case gives a value, and the outputs are not all the same; a case is a function of
its dice alone. Standard library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from absolute_zero.pretraining.grammar.author import write_program
from absolute_zero.pretraining.grammar.dice import Dice
from absolute_zero.pretraining.grammar.inputs import ARGUMENTS
from absolute_zero.pretraining.grammar.operations import Sort
from absolute_zero.pretraining.grammar.program import Program
from absolute_zero.pretraining.grammar.trees import text_of

DULL: Final = frozenset(("0", "1", "-1", "''", "[]", "{}", "set()", "True", "False", "()"))
"""Outputs that are guessed too easily."""


@final
@dataclass(frozen=True, slots=True)
class Pair:
    """Arguments, the value they give, and both as text: input and output."""

    arguments: tuple[Any, ...]
    value: Any
    input: str
    output: str


@final
@dataclass(frozen=True, slots=True)
class Case:
    """A program and what it does on some arguments, all different."""

    program: Program
    text: str
    pairs: Sequence[Pair]


def arguments_of(sorts: Sequence[Sort], dice: Dice) -> tuple[Any, ...]:
    """Return drawn arguments of these sorts."""
    return tuple([ARGUMENTS[sort](dice) for sort in sorts])


def written(arguments: Sequence[Any]) -> str:
    """Return an argument list as text: what `absolute_zero.novelty.written` makes of it."""
    return ", ".join(map(text_of, arguments))


def pair(program: Program, arguments: tuple[Any, ...]) -> Pair | None:
    """Return what a program gives on arguments; None where it gives nothing fit."""
    done = program.run(arguments)
    if done is None:
        return None
    return Pair(arguments, done[0], written(arguments), text_of(done[0]))


def find_case(dice: Dice, wanted: int = 5, distinct: int = 2) -> Case:
    """Return a case of this many pairs, with at least this many different outputs."""
    while True:
        program = write_program(dice)
        pairs: dict[str, Pair] = {}
        sorts = program.sorts
        for draws in range(wanted * 2):
            drawn = pair(program, arguments_of(sorts, dice))
            if drawn is not None:
                pairs.setdefault(drawn.input, drawn)
            if len(pairs) == wanted or len(pairs) + wanted < draws:
                break
        if len(pairs) == wanted and len({drawn.output for drawn in pairs.values()}) >= distinct:
            return Case(program, program.write(), tuple(pairs.values()))


def telling(case: Case, dice: Dice) -> Pair:
    """Return one of its pairs, rather one whose output is not dull."""
    drawn = dice.pick(case.pairs)
    for _ in range(2):
        if drawn.output not in DULL:
            break
        drawn = dice.pick(case.pairs)
    return drawn
