"""Whole programs: parameters, body, and now and then a helper function or a recursion.

Promises: as for `composer`. Standard library.
"""

from collections.abc import Callable, Sequence
from typing import Final

from absolute_zero.pretraining.grammar.composer import COUNTS, LINES, MORE, PARAMETERS, ROWS, Composer
from absolute_zero.pretraining.grammar.dice import Dice, Table
from absolute_zero.pretraining.grammar.expressions import NAMES, Expressions, Scope
from absolute_zero.pretraining.grammar.operations import Sort
from absolute_zero.pretraining.grammar.program import Function, Program
from absolute_zero.pretraining.grammar.pruning import read_by
from absolute_zero.pretraining.grammar.statements import If, Return, Statement
from absolute_zero.pretraining.grammar.trees import Apply, Call, Expr, Literal, Name, operations_in

MAX_LINES: Final = 12


def write_program(dice: Dice) -> Program:
    """Return a program, after as many draws as it takes to get one."""
    family = dice.weighed(_FAMILIES)
    while True:
        program = family(dice)
        if program is None or program.write().count("\n") >= MAX_LINES:
            continue
        if _small(program) and dice.often(0.65):
            continue
        return program


def _small(program: Program) -> bool:
    """Return whether it is a line of one or two operations: there are few of these, and little to learn from them."""
    body = program.f.body
    return len(body) == 1 and len(list(operations_in(body[0].parts[0]))) < 3


def _plain(dice: Dice) -> Program | None:
    return _around(dice, Scope(dice))


def _around(dice: Dice, scope: Scope, helper: Function | None = None) -> Program | None:
    """Return a program with parameters in this scope and a body that reads them; None where that did not work."""
    parameters: list[Name] = []
    for index in range(dice.weighed(COUNTS)):
        name = scope.fresh(dice.weighed(MORE if index else PARAMETERS))
        parameters.append(name)
        scope.add(name)
    if dice.often(0.3):
        parameters.reverse()
    composer = Composer(dice, scope)
    body = composer.body(dice.weighed(LINES))
    if body is None:
        return None
    read = read_by(body)
    kept = [name for name in parameters if name.name in read]
    f = Function("f", kept, body)
    if not kept or (len(body) == 1 and type(body[0].parts[0]) is Name and not dice.often(0.1)):
        return None
    if helper is None:
        return Program([f])
    return Program([helper, f]) if f"{helper.name}(" in f.write().split("\n", 1)[1] else None


def _helped(dice: Dice) -> Program | None:
    """Return a program whose `f` calls a function of its own; None where that did not work."""
    inner = Scope(dice)
    sorts: Sequence[Sort] = [dice.pick(("int", "int", "int", "str", "ints"))]
    if dice.often(0.35):
        sorts = [*sorts, "int"]
    parameters = [inner.fresh(sort) for sort in sorts]
    for name in parameters:
        inner.add(name)
    over = Expressions(dice, inner)
    result: Sort = dice.pick(("int", "int", "int", "str", "bool", "ints"))
    last = over.expression(result, 1 if dice.often(0.6) else 2)
    if last is None or type(last) is Name:
        return None
    body: list[Statement] = [Return([last])]
    if dice.often(0.3):
        test, other = over.test(), over.leaf(result)
        if test is None:
            return None
        body.insert(0, If([test], [[Return([other])]]))
    read = read_by(body)
    if not all(name.name in read for name in parameters):
        return None
    name = dice.pick(("g", "g", "h"))
    scope = Scope(dice)
    scope.taken.update(inner.taken)
    scope.helper = (name, sorts, result)
    return _around(dice, scope, Function(name, parameters, body))


# --- recursion ----------------------------------------------------------------------------------------------


def _number(number: int) -> Literal:
    return Literal(number, "int")


def _countdown(dice: Dice) -> Program:
    """Return `f(n)` from `f(n - 1)`, or from `f(n // 2)`."""
    n = Name(dice.pick(NAMES["size"]), "size")
    halved = dice.often(0.2)
    smaller = _on("{0} - {1}", n, _number(dice.pick((1, 1, 2))))
    if halved:
        smaller = _on("{0} // {1}", n, Literal(2, "divisor"), sorts=("int", "divisor"))
    again = Call("f", [smaller], "int")
    other = n if dice.often(0.5) and not halved else _number(dice.between(1, 4))
    combined: Callable[[], Expr] = dice.pick((
        lambda: _on("{0} + {1}", other, again),
        lambda: _on("{0} + {1}", again, other),
        lambda: _on("{0} * {1}", _number(2), again),
        lambda: _on("{0} + {1}", _on("{0} * {1}", _number(2), again), other),
        lambda: _on("{0} - {1}", other, again),
        lambda: _on("{0} + {1}", again, _on("{0} * {1}", n, n)),
    ))  # fmt: skip
    test = _on("{0} <= {1}", n, _number(dice.pick((0, 1, 1)))) if dice.often(0.7) else _on("{0} < {1}", n, _number(2))
    end = Return([_number(dice.between(0, 3))])
    return Program([Function("f", [n], [If([test], [[end]]), Return([combined()])])])


def _unwound(dice: Dice) -> Program:
    """Return `f` of a list or a text, from `f` of its tail."""
    if dice.often(0.5):
        xs = Name(dice.pick(NAMES["ints"]), "ints")
        tail = Call("f", [_on("{0}[{1}:]", xs, Literal(1, "size"), sorts=("ints", "size"))], "int")
        head: Expr = _on("{0}[{1}]", xs, Literal(0, "index"), sorts=("ints", "index"))
        if dice.often(0.3):
            head = _on("{0} * {1}", head, Literal(dice.between(2, 3), "factor"), sorts=("int", "factor"))
        whole = _on(dice.pick(("{0} + {1}", "{0} - {1}", "max({0}, {1})")), head, tail)
        short = _on("{0} < {1}", _on("len({0})", xs, sorts=("ints",)), _number(dice.between(1, 2)))
        end = Return([_number(dice.between(0, 3))])
        return Program([Function("f", [xs], [If([short], [[end]]), Return([whole])])])
    s = Name(dice.pick(NAMES["str"]), "str")
    rest = Call("f", [_on("{0}[{1}:]", s, Literal(1, "size"), sorts=("str", "size"))], "str")
    first: Expr = _on("{0}[{1}]", s, Literal(0, "index"), sorts=("str", "index"))
    if dice.often(0.4):
        first = _on("{0} * {1}", first, Literal(2, "times"), sorts=("str", "times"))
    order = [first, rest] if dice.often(0.5) else [rest, first]
    short = _on("{0} < {1}", _on("len({0})", s, sorts=("str",)), _number(2))
    end = Return([s])
    whole = _on("{0} + {1}", *order, sorts=("str", "str"))
    return Program([Function("f", [s], [If([short], [[end]]), Return([whole])])])


def _euclid(dice: Dice) -> Program:
    """Return `f(a, b)` from `f(b, a % b)` or the like."""
    a, b = (Name(name, "int") for name in dice.several(NAMES["int"], 2))
    step = dice.below(3)
    test = _on("{0} == {1}", b, _number(0)) if step == 0 else _on("{0} < {1}", a, b)
    if step == 0:
        again: Expr = Call("f", [b, Apply(ROWS["{0} % {1}", ("int", "divisor")], [a, b])], "int")
    elif step == 1:
        again = Call("f", [_on("{0} - {1}", a, b), b], "int")
    else:
        again = _on("{0} + {1}", _number(dice.between(1, 3)), Call("f", [_on("{0} - {1}", a, b), b], "int"))
    end: Expr = a if step < 2 else _number(dice.between(0, 2))
    return Program([Function("f", [a, b], [If([test], [[Return([end])]]), Return([again])])])


def _on(text: str, *parts: Expr, sorts: tuple[Sort, ...] = ("int", "int")) -> Apply:
    row = ROWS[text, sorts] if (text, sorts) in ROWS else ROWS[text, sorts[:1]]
    return Apply(row, parts[: len(row.operands)])


_RECURSIVE: Final[Table[Callable[[Dice], Program]]] = Table([(_countdown, 5.0), (_unwound, 4.0), (_euclid, 2.0)])


def _recursive(dice: Dice) -> Program:
    return dice.weighed(_RECURSIVE)(dice)


_FAMILIES: Final[Table[Callable[[Dice], Program | None]]] = Table([(_plain, 90.0), (_helped, 7.0), (_recursive, 2.0)])
