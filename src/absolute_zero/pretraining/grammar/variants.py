"""Near misses: a program or an argument list that is a little different. What a thought tries before the right one.

Promises: a function of the dice alone. Does not promise that a variant behaves differently; who needs that runs it.
Standard library.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from absolute_zero.pretraining.grammar.dice import Dice
from absolute_zero.pretraining.grammar.expressions import BARE
from absolute_zero.pretraining.grammar.inputs import ARGUMENTS, CONSTANTS, word
from absolute_zero.pretraining.grammar.items import Each
from absolute_zero.pretraining.grammar.operations import OPERATIONS, Operation, Sort
from absolute_zero.pretraining.grammar.program import Function, Program
from absolute_zero.pretraining.grammar.statements import Block, Statement, Update
from absolute_zero.pretraining.grammar.trees import Apply, Expr, Literal, kind_of

_LIKE: Final[dict[tuple[Sort, tuple[Sort, ...]], list[Operation]]] = {}
for _row in OPERATIONS:
    _LIKE.setdefault((_row.result, _row.operands), []).append(_row)


def near_program(program: Program, dice: Dice) -> Program | None:
    """Return the program with a constant or an operation exchanged; None where there is nothing to exchange."""
    f = program.f
    count = sum(_count_in(statement) for statement in f.body)
    if not count:
        return None
    change = _Change(dice.below(count), dice)
    body = change.block(f.body)
    return Program([*program.functions[:-1], Function(f.name, f.parameters, body)])


def near_arguments(arguments: Sequence[Any], sorts: Sequence[Sort], dice: Dice) -> tuple[Any, ...]:
    """Return the arguments with one of them moved a little, or drawn anew."""
    chosen = dice.below(len(arguments))
    old = arguments[chosen]
    new = ARGUMENTS[sorts[chosen]](dice) if dice.often(0.4) else _near(old, dice)
    return tuple([new if index == chosen else argument for index, argument in enumerate(arguments)])


def _near(value: Any, dice: Dice) -> Any:
    kind = kind_of(value)
    if kind is bool:
        return not value
    if kind is int:
        return value + dice.pick((1, -1, 2, -2, 3, 5))
    if kind is float:
        return value + dice.pick((0.5, -0.5, 1.0))
    if kind is str:
        at = dice.below(len(value) + 1)
        return value[:at] + word(dice, 1) + value[at + dice.below(2) :]
    if kind is tuple:
        return (_near(value[0], dice), value[1]) if dice.often(0.5) else (value[0], _near(value[1], dice))
    if kind is list and value:
        at = dice.below(len(value))
        if dice.often(0.2):
            return value[:at] + value[at + 1 :]
        return [_near(item, dice) if index == at else item for index, item in enumerate(value)]
    if kind is dict and value:
        key = dice.pick(list(value))
        return {**value, key: _near(value[key], dice)}
    return value


def _exchangeable(node: Expr) -> bool:
    if type(node) is Literal:
        return node.sort in CONSTANTS and node.constant not in ("", [], {})
    return isinstance(node, Apply) and len(_LIKE[node.operation.result, node.operation.operands]) > 1


def _count(node: Expr) -> int:
    return _exchangeable(node) + sum(map(_count, node.parts))


def _count_in(statement: Statement) -> int:
    own = sum(map(_count, _open(statement)))
    return own + sum(_count_in(inner) for block in statement.blocks for inner in block)


def _open(statement: Statement) -> Sequence[Expr]:
    """Return the parts of a statement in which a node can be exchanged: of `s += x` only what is added."""
    return statement.parts[0].parts[1:] if isinstance(statement, Update) else statement.parts


class _Change:
    """Goes through a program, and exchanges one of its exchangeable nodes."""

    def __init__(self, index: int, dice: Dice) -> None:
        self.left = index
        self.dice = dice

    def block(self, block: Block) -> list[Statement]:
        """Return the statements, with the exchange if its node is in them."""
        return [self._statement(statement) for statement in block]

    def _statement(self, statement: Statement) -> Statement:
        if self.left < 0:
            return statement
        parts = [self._node(part) for part in _open(statement)]
        if isinstance(statement, Update):
            whole = statement.parts[0]
            parts = [whole.rebuilt([whole.parts[0], *parts])]
        return statement.rebuilt(parts, [self.block(block) for block in statement.blocks])

    def _node(self, node: Expr) -> Expr:
        if self.left < 0:
            return node
        here = _exchangeable(node)
        if here and self.left == 0:
            self.left = -1
            return self._exchanged(node)
        self.left -= here
        return node.rebuilt([self._node(part) for part in node.parts])

    def _exchanged(self, node: Expr) -> Expr:
        dice = self.dice
        if type(node) is Literal:
            fresh = CONSTANTS[node.sort](dice)
            return Literal(fresh if fresh != node.constant else CONSTANTS[node.sort](dice), node.sort)
        assert isinstance(node, Apply)
        like = [row for row in _LIKE[node.operation.result, node.operation.operands] if row is not node.operation]
        row = dice.pick(like)
        parts = node.parts if row.text in BARE else [_bracketed(part) for part in node.parts]
        return Apply(row, parts)


def _bracketed(node: Expr) -> Expr:
    """Return the node with the brackets that a generator needs, but as the sole argument of some calls."""
    return replace(node, form="list") if isinstance(node, Each) and node.form == "bare" else node
