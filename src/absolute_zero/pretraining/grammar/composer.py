"""Typed random programs: statements around the expressions of `grammar`.

Programs take one to three arguments and have one to a dozen lines: assignments, conditions, loops with accumulators,
bounded `while` loops, early returns, a helper function, simple recursion. Most are short.

Promises: a program is a function of its dice alone; every variable that is assigned and every parameter is read, and
what a loop gathers is used. Does not promise that a program runs on an input, or that its output depends on it:
`cases` sees to that. Standard library.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, final

from absolute_zero.pretraining.grammar.dice import Dice, Table
from absolute_zero.pretraining.grammar.expressions import HOLDERS, KINSHIP, Expressions, Scope
from absolute_zero.pretraining.grammar.items import Each
from absolute_zero.pretraining.grammar.operations import OPERATIONS, Operation, Sort
from absolute_zero.pretraining.grammar.pruning import pruned, written_by
from absolute_zero.pretraining.grammar.statements import (
    Assign,
    Block,
    Change,
    For,
    If,
    Leave,
    Return,
    Statement,
    Unpack,
    Update,
    While,
    statements_in,
)  # fmt: skip
from absolute_zero.pretraining.grammar.trees import Apply, Call, Choice, Expr, Literal, Name, names_in

PARAMETERS: Final[Table[Sort]] = Table([
    ("int", 30), ("ints", 27), ("str", 21), ("strs", 7), ("table", 5), ("pair", 4), ("float", 4), ("set", 2),
])  # fmt: skip
MORE: Final[Table[Sort]] = Table([
    ("int", 34), ("size", 24), ("ints", 14), ("str", 13), ("char", 5), ("strs", 3), ("table", 2), ("float", 3),
    ("pair", 2), ("bool", 3), ("set", 2),
])  # fmt: skip
COUNTS: Final = Table([(1, 50.0), (2, 40.0), (3, 10.0)])
LINES: Final = Table([(1, 20.0), (2, 20.0), (3, 19.0), (4, 15.0), (5, 11.0), (6, 8.0), (7, 4.0), (8, 3.0)])
_RESULTS: Final[Table[Sort]] = Table([
    ("int", 30), ("ints", 24), ("str", 20), ("strs", 7), ("bool", 4), ("pair", 4), ("table", 5), ("set", 3),
    ("float", 4), ("rows", 2), ("mixed", 3), ("letters", 0.5),
])  # fmt: skip
_LOCALS: Final[Table[Sort]] = Table([
    ("int", 40), ("ints", 22), ("str", 18), ("strs", 6), ("bool", 4), ("pair", 3), ("table", 3), ("set", 3),
    ("float", 4),
])  # fmt: skip
_GATHERED: Final[Table[Sort]] = Table([("int", 40), ("ints", 22), ("str", 18), ("strs", 7), ("table", 9), ("set", 4)])
USED: Final = frozenset(("int", "size", "float", "bool", "str", "ints", "strs", "pair", "table", "set"))
"""Sorts of variables from which something can be made."""
_BASE: Final[dict[Sort, Sort]] = {"size": "int", "index": "int", "char": "str"}
_EMPTY: Final[dict[Sort, Any]] = {"int": 0, "ints": [], "str": "", "strs": [], "table": {}, "set": set[int]()}
ROWS: Final = {(row.text, row.operands): row for row in OPERATIONS}
_PLUS, _MINUS, _TIMES = (ROWS["{0} + {1}", ("int", "int")], ROWS["{0} - {1}", ("int", "int")],
                         ROWS["{0} * {1}", ("int", "int")])  # fmt: skip
_HALVED, _LAST, _MORE_THAN = (ROWS["{0} // {1}", ("int", "divisor")], ROWS["{0} % {1}", ("int", "divisor")],
                              ROWS["{0} > {1}", ("int", "int")])  # fmt: skip
_LESS_THAN, _JOIN = ROWS["{0} < {1}", ("int", "int")], ROWS["{0} + {1}", ("str", "str")]
_ABSENT: Final[dict[Sort, Operation]] = {
    "ints": ROWS["{0} not in {1}", ("int", "ints")], "strs": ROWS["{0} not in {1}", ("char", "strs")],
}  # fmt: skip
_GET = ROWS["{0}.get({1}, 0)", ("table", "char")]


def _int(number: int) -> Literal:
    return Literal(number, "int")


@final
class Composer:
    """Draws the body of one function."""

    def __init__(self, dice: Dice, scope: Scope) -> None:
        self.dice = dice
        self.scope = scope
        self.sort: Sort = dice.weighed(_RESULTS)
        """What is returned, mostly."""
        self.local: set[str] = set()
        """Variables that were assigned."""
        self.built: set[str] = set()
        """Variables that a loop or a condition gave their values: worth returning as they are."""
        self.over = Expressions(dice, scope)

    def body(self, lines: int) -> list[Statement] | None:
        """Return statements of about this many lines, the last of which is a `return`; None where that did not work."""
        body: list[Statement] = []
        left = lines
        if self.scope.helper is not None and self.dice.often(0.7):
            body += self._help()
            left -= 1
        while left > 1:
            drawn = self.dice.weighed(_STATEMENTS)(self, left - 1)
            if drawn is None:
                left -= 0.1
                continue
            statements, used = drawn
            body += statements
            left -= used
        last = self.result()
        return None if last is None else pruned([*body, Return([last])])

    def _help(self) -> list[Statement]:
        """Return a statement that gives a variable what the helper gives; none where the helper cannot be called."""
        call = self.over.call(1)
        if not isinstance(call, Call) or not names_in(call):
            return []
        name = self.scope.fresh(call.sort)
        self.scope.add(name)
        self.local.add(name.name)
        return [Assign(name.name, [call])]

    def result(self) -> Expr | None:
        """Return an expression to end with: rather one that uses what was computed. None where there is none."""
        scope = self.scope
        computed = [name for name in scope.names if name.name in scope.unread]
        unread = set(scope.unread)
        best: tuple[int, Expr, set[str]] | None = None
        for _ in range(4):
            scope.unread = set(unread)
            drawn = self._one_result(computed)
            if drawn is None:
                continue
            if best is None or len(scope.unread) < best[0]:
                best = (len(scope.unread), drawn, scope.unread)
            if not scope.unread:
                break
        if best is None:
            return None
        scope.unread = best[2]
        return best[1]

    def _one_result(self, computed: Sequence[Name]) -> Expr | None:
        dice = self.dice
        built = [name for name in computed if name.name in self.built]
        if built and dice.often(0.5):
            name = dice.pick(built)
            self.scope.unread.discard(name.name)
            return name
        local = [name for name in computed if name.name in self.local and name.sort in USED]
        if local and dice.often(0.7):
            used = self.over.use(dice.pick(local), 1 if dice.often(0.75) else 2)
            if used is not None:
                return used
        depth = 1 if dice.often(0.6 if self.built else 0.35) else 2 if dice.often(0.8) else 3
        return self.over.expression(self.sort if dice.often(0.85) else dice.weighed(_RESULTS), depth)

    # --- statements, each with the lines it takes; None where it cannot be had here ---

    def assign(self, lines: float) -> tuple[list[Statement], int] | None:
        """Give a new variable the value of an expression."""
        unread = [name for name in self.scope.names if name.name in self.scope.unread and name.sort in USED]
        depth = 1 if self.dice.often(0.75) else 2
        if unread and self.dice.often(0.5):
            expression = self.over.use(self.dice.pick(unread), depth)
        else:
            expression = self.over.expression(self.dice.weighed(_LOCALS), depth)
        if not isinstance(expression, Apply | Each | Choice | Call):
            return None
        sort = _BASE.get(expression.sort, expression.sort)
        if sort not in USED:
            return None
        name = self.scope.fresh(sort)
        self.scope.add(name)
        self.local.add(name.name)
        return [Assign(name.name, [expression])], 1

    def update(self, lines: float) -> tuple[list[Statement], int] | None:
        """Give a variable a new value made from its old one."""
        sort: Sort = self.dice.pick(("int", "int", "int", "str", "ints"))
        name = self.over.variable(sort)
        if name is None or name.item or name.sort != sort:
            return None
        if sort == "ints":
            expression = self.over.operation(sort, 1)
            if expression is None or names_in(expression) != {name.name}:
                return None
            self.scope.unread.add(name.name)
            return [Assign(name.name, [expression])], 1
        row = _JOIN if sort == "str" else self.dice.pick((_PLUS, _PLUS, _MINUS, _TIMES))
        self.scope.unread.add(name.name)
        return [Update(name.name, [Apply(row, [name, self._short(sort)])])], 1

    def _short(self, sort: Sort) -> Expr:
        drawn = self.over.operation(sort, 1) if self.dice.often(0.25) else None
        return drawn if drawn is not None and names_in(drawn) else self.over.leaf(sort)

    def change(self, lines: float) -> tuple[list[Statement], int] | None:
        """Change in place a variable that holds items."""
        sort: Sort = self.dice.pick(("ints", "ints", "ints", "strs", "table", "set"))
        name = self.over.variable(sort)
        if name is None or name.item:
            return None
        self.scope.unread.add(name.name)
        if sort == "table":
            return [Change("put", name.name, [self.over.leaf("char"), self._short("int")])], 1
        item: Sort = "str" if sort == "strs" else "int"
        form = "add" if sort == "set" else self.dice.pick(("append", "append", "append", "insert", "pop", "sort",
                                                           "reverse", "extend"))  # fmt: skip
        if form == "extend":
            return [Change(form, name.name, [self.over.leaf(sort)])], 1
        return [Change(form, name.name, [] if form in ("pop", "sort", "reverse") else [self._short(item)])], 1

    def unpack(self, lines: float) -> tuple[list[Statement], int] | None:
        """Give two variables the items of a pair, or new values from both of them."""
        ints = [name for name in self.scope.names if name.sort == "int" and not name.item]
        if len(ints) >= 2 and self.dice.often(0.5):
            first, second = self.dice.several(ints, 2)
            self.scope.unread.update((first.name, second.name))
            if self.dice.often(0.4):
                return [Unpack((first.name, second.name), [second, first])], 1
            whole = Apply(self.dice.pick((_PLUS, _MINUS)), [first, second])
            return [Unpack((first.name, second.name), [second, whole])], 1
        pair = self.over.expression("pair", 1)
        if pair is None:
            return None
        names = [self.scope.fresh("int") for _ in range(2)]
        for name in names:
            self.scope.add(name)
        return [Unpack((names[0].name, names[1].name), [pair])], 1

    def leave_early(self, lines: float) -> tuple[list[Statement], int] | None:
        """Write `if test:` and a return."""
        if lines < 2:
            return None
        test = self.over.test()
        unread = set(self.scope.unread)
        result = self.result() if self.dice.often(0.7) else self.over.leaf(self.dice.pick(("int", "str")))
        self.scope.unread = unread
        if test is None or result is None:
            return None
        return [If([test], [[Return([result])]])], 2

    def branch(self, lines: float) -> tuple[list[Statement], int] | None:
        """Write `if test:` and a change of a variable, perhaps `else:` and another change of it."""
        if lines < 2:
            return None
        test = self.over.test()
        change = self.dice.pick((self.update, self.update, self.change))(1)
        if test is None or change is None:
            return None
        [statement] = change[0]
        if not isinstance(statement, Assign | Update | Change):
            return None
        name = statement.name
        self.built.add(name)
        if self.dice.often(0.5) and lines >= 4:
            for _ in range(4):
                other = self.dice.pick((self.update, self.change))(1)
                if other is not None and written_by(other[0][0]) == {name}:
                    return [If([test], [[statement], other[0]])], 4
        return [If([test], [[statement]])], 2

    def gather(self, lines: float) -> tuple[list[Statement], int] | None:
        """Write a loop that builds a value up, item by item."""
        if lines < 3:
            return None
        dice, scope = self.dice, self.scope
        drawn = self.over.source(depth=1)
        if drawn is None:
            return None
        names, source = drawn
        items = [Name(name.name, name.sort) for name in names]
        sort = dice.weighed(_GATHERED)
        over = {read for part in source.parts for read in names_in(part)}
        old = [name for name in scope.of(sort) if name.sort == sort and name.name not in over]
        start: list[Statement] = []
        if old and dice.often(0.2) and sort in ("int", "str"):
            name = dice.pick(old)
        else:
            name = scope.fresh(sort)
            start = [Assign(name.name, [Literal(1 if sort == "int" and dice.often(0.12) else _EMPTY[sort], sort)])]
        outside = len(scope.names)
        scope.names.extend(items)
        block = self._round(name, items, lines - 3 > 0)
        del scope.names[outside:]
        if block is None:
            scope.taken.difference_update(item.name for item in items)
            return None
        if name not in scope.names:
            scope.add(name)
        scope.unread.add(name.name)
        self.built.add(name.name)
        inside = list(statements_in(block))
        return [*start, For(items, source, [block])], len(start) + 1 + len(inside)

    def _round(self, name: Name, items: Sequence[Name], room: bool) -> list[Statement] | None:
        """Return what a loop does with one item; None where that did not work."""
        dice, over = self.dice, self.over
        wanted = {item.name for item in items}
        test: Expr | None = None
        if room and name.sort in _ABSENT and dice.often(0.2):
            kin = [item for item in items if item.sort == _ABSENT[name.sort].operands[0]]
            if kin:  # what is not yet there
                absent = Apply(_ABSENT[name.sort], [kin[0], name])
                return [If([absent], [[Change("append", name.name, [kin[0]])]])]
        if room and dice.often(0.6):
            test = over.test()
            if test is None or not names_in(test) & wanted:
                test = None
        step = self._step(name, items, about=test is None or dice.often(0.6))
        if step is None:
            return None
        if test is None:
            return [step]
        form = dice.below(10)
        if form == 0:
            return [If([test], [[Leave("continue")]]), step]
        if form == 1:
            return [If([test], [[Leave("break")]]), step]
        if form == 2 and (other := self._step(name, items, about=False)) is not None:
            return [If([test], [[step], [other]])]
        return [If([test], [[step]])]

    def _step(self, name: Name, items: Sequence[Name], about: bool) -> Statement | None:
        """Return how a loop's result takes in an item (which it reads, if `about`); None where that did not work."""
        dice, sort = self.dice, name.sort
        wanted = {item.name for item in items}
        for _ in range(5):
            if sort == "table":
                keys = [item for item in items if item.sort in ("char", "str")]
                if not keys:
                    return None
                key = dice.pick(keys)
                old = Apply(_GET, [name, key])
                put = Apply(_PLUS, [old, _int(1)]) if dice.often(0.6) else self._item("int", items)
                return Change("put", name.name, [key, put])
            item = self._item({"ints": "int", "strs": "str", "set": "int"}.get(sort, sort), items)  # pyright: ignore[reportArgumentType]
            if about and not names_in(item) & wanted:
                continue
            if sort in HOLDERS:
                return Change("add" if sort == "set" else "append", name.name, [item])
            if sort == "str":
                if dice.often(0.25):
                    return Assign(name.name, [Apply(_JOIN, [item, name])])
                return Update(name.name, [Apply(_JOIN, [name, item])])
            if dice.often(0.1):
                return Assign(name.name, [Apply(ROWS[dice.pick(("max({0}, {1})", "min({0}, {1})")), ("int", "int")],
                                                [name, item])])  # fmt: skip
            return Update(name.name, [Apply(dice.pick((_PLUS, _PLUS, _PLUS, _PLUS, _MINUS, _TIMES)), [name, item])])
        return None

    def _item(self, sort: Sort, items: Sequence[Name]) -> Expr:
        kin = [item for item in items if item.sort in KINSHIP.get(sort, (sort,))]
        if kin and self.dice.often(0.45):
            return self.dice.pick(kin)
        drawn = self.over.operation(sort, 1)
        return drawn if drawn is not None and names_in(drawn) else self.over.leaf(sort)

    def count_down(self, lines: float) -> tuple[list[Statement], int] | None:
        """Write a `while` loop that ends."""
        if lines < 3:
            return None
        dice, scope = self.dice, self.scope
        name = self.over.variable("int")
        if name is None or name.item or name.sort == "index":
            return None
        count = scope.fresh("int")
        scope.add(count)
        self.built.add(count.name)
        scope.unread.add(name.name)
        limit = dice.between(0, 5)
        if dice.often(0.7):
            test = Apply(_MORE_THAN, [name, _int(limit)])
            by = dice.pick((2, 2, 3, 10))
            step = Update(name.name, [dice.pick((Apply(_HALVED, [name, Literal(by, "divisor")]),
                                                 Apply(_MINUS, [name, _int(dice.between(2, 5))])))])  # fmt: skip
            taken = dice.pick((_int(1), name, Apply(_LAST, [name, Literal(by, "divisor")])))
        else:
            test = Apply(_LESS_THAN, [name, _int(dice.pick((10, 20, 30, 50)))])
            step = Update(name.name, [dice.pick((Apply(_TIMES, [name, _int(dice.between(2, 3))]),
                                                 Apply(_PLUS, [name, _int(dice.between(3, 9))])))])  # fmt: skip
            taken = dice.pick((_int(1), name))
        more = Update(count.name, [Apply(_PLUS, [count, taken])])
        block: Block = [more, step] if dice.often(0.7) else [step, more]
        return [Assign(count.name, [_int(0)]), While([test], [block])], 4


_STATEMENTS: Final[Table[Callable[[Composer, float], tuple[list[Statement], int] | None]]] = Table([
    (Composer.assign, 34), (Composer.gather, 26), (Composer.leave_early, 12), (Composer.branch, 11),
    (Composer.update, 7), (Composer.change, 7), (Composer.unpack, 3), (Composer.count_down, 3),
])  # fmt: skip
