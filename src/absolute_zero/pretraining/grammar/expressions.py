"""Typed random expressions over the rows of `operations`: the lower half of the grammar (`composer` is the upper).

Promises: an expression is a function of its dice and scope alone, and reads at least one variable. Does not promise
that it has a value on every input. Standard library.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, final

from absolute_zero.pretraining.grammar.dice import Dice, Table
from absolute_zero.pretraining.grammar.inputs import CONSTANTS
from absolute_zero.pretraining.grammar.items import Each, Source
from absolute_zero.pretraining.grammar.operations import BY_OPERAND, BY_RESULT, SOURCES, Operation, Sort
from absolute_zero.pretraining.grammar.trees import Apply, Both, Call, Choice, Expr, Literal, Name, names_in

HOLDERS: Final = frozenset(("ints", "strs", "pair", "table", "set"))
"""Sorts of which a program hardly ever has constants."""

NAMES: Final[dict[Sort, tuple[str, ...]]] = {
    "int": ("a", "b", "c", "x", "y", "z"),
    "size": ("n", "k", "m"),
    "index": ("i", "j"),
    "float": ("r", "u", "v"),
    "bool": ("flag", "ok"),
    "str": ("s", "t", "w"),
    "char": ("ch", "e"),
    "ints": ("xs", "ys", "zs", "nums"),
    "strs": ("words", "names", "parts"),
    "pair": ("p", "q"),
    "table": ("d", "counts"),
    "set": ("seen", "found"),
    "rows": ("rows",),
    "mixed": ("both",),
    "letters": ("letters",),
}
"""What variables of each sort are called: a reader can tell a sort by its names."""

KINSHIP: Final[dict[Sort, tuple[Sort, ...]]] = {
    "int": ("int", "size", "index"),
    "size": ("size",),
    "index": ("index", "size"),
    "times": ("size",),
    "divisor": ("size",),
    "factor": ("int", "size"),
    "half": ("float",),
    "char": ("char",),
    "str": ("str", "char"),
}
"""Variables of which sorts may stand where one of this sort is wanted."""

_VARIABLE: Final[dict[Sort, float]] = {
    "index": 0.3, "size": 0.45, "times": 0.5, "factor": 0.25, "divisor": 0.12, "half": 0.2, "char": 0.5, "bit": 0,
    "separator": 0, "bool": 0.95, "int": 0.72, "float": 0.75, "str": 0.8,
}  # fmt: skip
"""How often a leaf is a variable where there is one."""

BARE: Final = frozenset(("sum({0})", "max({0})", "min({0})", "any({0})", "all({0})", "{0}.join({1})"))
"""Operations in which a generator may stand without brackets."""
_REPEATING: Final = frozenset(("{0} + {1}", "{0} * {1}", "({0}, {1})", "[{0}, {1}]"))
"""Operations that mean something on one operand twice."""
_TABLES: Final = {result: Table([(row, row.weight) for row in rows]) for result, rows in BY_RESULT.items()}
_USES: Final = {sort: Table([(use, use[0].weight) for use in uses]) for sort, uses in BY_OPERAND.items()}
_SOURCES: Final = Table([((sorts, row), row.weight) for sorts, row in SOURCES])
_FORMS: Final[dict[Sort, str]] = {"ints": "list", "strs": "list", "flags": "list", "set": "set", "table": "dict"}
_ITEMS: Final[dict[Sort, Sort]] = {"ints": "int", "strs": "str", "flags": "bool", "set": "int", "table": "int"}


@final
class Scope:
    """The variables that can be read at a point of the program, and which of them nobody has read yet."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.names: list[Name] = []
        self.unread: set[str] = set()
        self.taken: set[str] = set()
        self.helper: tuple[str, Sequence[Sort], Sort] | None = None
        """A function that may be called: its name, what it takes, what it gives."""

    def fresh(self, sort: Sort, item: bool = False) -> Name:
        """Return a name that is not taken yet, for a variable of this sort."""
        free = [name for name in NAMES[sort] if name not in self.taken]
        count = 1
        while not free:
            count += 1
            free = [f"{name}{count}" for name in NAMES[sort] if f"{name}{count}" not in self.taken]
        name = Name(self.dice.pick(free), sort, item)
        self.taken.add(name.name)
        return name

    def add(self, name: Name) -> None:
        """Let it be read from here on."""
        self.names.append(name)
        self.unread.add(name.name)

    def of(self, sort: Sort) -> list[Name]:
        """Return the variables that may stand for this sort."""
        sorts = KINSHIP.get(sort, (sort,))
        return [name for name in self.names if name.sort in sorts]


@final
class Expressions:
    """Draws expressions over a scope."""

    def __init__(self, dice: Dice, scope: Scope) -> None:
        self.dice = dice
        self.scope = scope
        self.inside = False
        """What is drawn stands in a comprehension."""

    # --- leaves ---

    def variable(self, sort: Sort) -> Name | None:
        """Return a variable of this sort, rather one that was not read yet; None where there is none."""
        fit = self.scope.of(sort)
        if not fit:
            return None
        unread = [name for name in fit if name.name in self.scope.unread or name.item]
        name = self.dice.pick(unread if unread and self.dice.often(0.75) else fit)
        self.scope.unread.discard(name.name)
        return name

    def leaf(self, sort: Sort) -> Expr:
        """Return a variable or a constant."""
        if sort in HOLDERS or self.dice.often(_VARIABLE.get(sort, 0.9)):
            name = self.variable(sort)
            if name is not None:
                return name
        return Literal(CONSTANTS[sort](self.dice), sort)

    # --- expressions ---

    def expression(self, sort: Sort, depth: int) -> Expr | None:
        """Return an expression that reads a variable; None where there is no way to one."""
        dice = self.dice
        for _ in range(8):
            unread = set(self.scope.unread)
            drawn = self._attempt(sort, depth)
            if drawn is not None and names_in(drawn):
                return drawn
            self.scope.unread = unread
            if dice.often(0.3):
                break
        return self.variable(sort)

    def _attempt(self, sort: Sort, depth: int) -> Expr | None:
        dice = self.dice
        if depth <= 0:
            return self.variable(sort)
        if depth > 1 and dice.often(0.05) and sort not in ("flags", "rows", "mixed", "letters"):
            return self._choice(sort, depth - 1)
        if sort == "bool" and dice.often(0.12):
            return self._both(depth)
        if sort == "flags" or (sort in _FORMS and dice.often(0.8 if sort == "table" else 0.3)):
            return self.comprehension(sort)
        return self.operation(sort, depth)

    def operation(self, sort: Sort, depth: int) -> Expr | None:
        """Return an operation that gives this sort; None where its operands cannot be had."""
        if self.scope.helper is not None and self.scope.helper[2] == sort and self.dice.often(0.5):
            return self.call(depth - 1)
        return self._apply(self.dice.weighed(_TABLES[sort]), depth)

    def use(self, name: Name, depth: int) -> Expr | None:
        """Return an operation on this variable; None where its other operands cannot be had."""
        row, index = self.dice.weighed(_USES[name.sort])
        applied = self._apply(row, depth, name, index)
        if applied is not None:
            self.scope.unread.discard(name.name)
        return applied

    def _apply(self, row: Operation, depth: int, fixed: Name | None = None, at: int = 0) -> Expr | None:
        """Return an operation, the operand with index `at` fixed; None where the others cannot be had."""
        parts: list[Expr] = []
        for index, sort in enumerate(row.operands):
            part = fixed if fixed is not None and index == at else self._operand(sort, depth - 1)
            if part is not None and index and self._repeats(part, parts[-1]) and part is not fixed:
                part = self._operand(sort, depth - 1)
            if part is None or (index and self._repeats(part, parts[-1]) and row.text not in _REPEATING):
                return None
            if row.text in BARE and isinstance(part, Each) and part.form == "list":
                part = replace(part, form="bare")
            parts.append(part)
        if all(type(part) is Literal for part in parts):
            first = self.variable(row.operands[0])
            if first is None:
                return None
            parts[0] = first
        return Apply(row, parts)

    def _repeats(self, part: Expr, before: Expr) -> bool:
        if type(part) is Name:
            return type(before) is Name and part.name == before.name
        return type(part) is Literal and type(before) is Literal and part.constant == before.constant

    def _operand(self, sort: Sort, depth: int) -> Expr | None:
        dice = self.dice
        if sort == "flags":
            return self.comprehension(sort)
        if sort in HOLDERS:
            variable = None if depth > 0 and dice.often(0.35) else self.variable(sort)
            return variable or (self._attempt(sort, depth) if depth > 0 else None)
        if sort in ("int", "str", "float", "bool") and depth > 0 and dice.often(0.5):
            return self._attempt(sort, depth)
        return self.leaf(sort)

    def call(self, depth: int) -> Expr | None:
        """Return a call of the helper; None where its arguments cannot be had."""
        assert self.scope.helper is not None
        name, sorts, result = self.scope.helper
        helper, self.scope.helper = self.scope.helper, None
        parts = [self._operand(sort, depth) for sort in sorts]
        self.scope.helper = helper
        arguments = [part for part in parts if part is not None]
        return Call(name, arguments, result) if len(arguments) == len(parts) else None

    def _choice(self, sort: Sort, depth: int) -> Expr | None:
        test = self.test()
        first, second = self._attempt(sort, depth), self.leaf(sort)
        if test is None or first is None or (type(second) is Literal and sort in HOLDERS):
            return None
        return Choice((test, first, second) if self.dice.often(0.7) else (test, second, first))

    def _both(self, depth: int) -> Expr | None:
        left, right = self._attempt("bool", min(depth, 1)), self._attempt("bool", 1)
        if left is None or right is None:
            return None
        return Both(self.dice.pick(("and", "and", "or")), (left, right))

    def test(self) -> Expr | None:
        """Return a condition that reads a variable; None where there is no way to one."""
        return self.expression("bool", 2 if self.dice.often(0.3) else 1)

    # --- over items ---

    def source(self, depth: int = 0, wanted: Sequence[Sort] = ()) -> tuple[Sequence[Name], Source] | None:
        """Return names for the items of a loop and what it can run over here; None where there is nothing."""
        for _ in range(12):
            sorts, row = self.dice.weighed(_SOURCES)
            if wanted and not set(sorts) & set(wanted):
                continue
            if not all(self.scope.of(sort) for sort in row.operands):
                continue
            parts: list[Expr] = []
            for sort in row.operands:
                deep = self._attempt(sort, 1) if depth and sort in _TABLES and self.dice.often(0.12) else None
                part = deep if deep is not None and names_in(deep) else self.variable(sort)
                if part is not None:
                    parts.append(part)
            if len(parts) == len(row.operands) and (len(parts) < 2 or parts[0].write() != parts[1].write()):
                return [self.scope.fresh(sort, item=True) for sort in sorts], Source(row, parts)
        return None

    def comprehension(self, sort: Sort) -> Expr | None:
        """Return a list, set or dict of items, each made from an item of a source; None where that did not work."""
        dice, scope = self.dice, self.scope
        if self.inside:  # one within another is too much for a small reader
            return None
        drawn = self.source(wanted=("char", "str") if sort == "table" else ())
        if drawn is None:
            return None
        names, source = drawn
        self.inside = True
        scope.names.extend(names)
        item_sort = _ITEMS[sort]
        parts: list[Expr | None] = []
        if sort == "table":
            parts.append(names[0] if names[0].sort in ("char", "str") else names[-1])
        kin = [name for name in names if name.sort in KINSHIP.get(item_sort, (item_sort,))]
        tested = sort != "flags" and dice.often(0.4)
        plain = tested and kin and dice.often(0.6)
        parts.append(dice.pick(kin) if plain else self._about(names, item_sort))
        if tested:
            parts.append(self._about(names, "bool"))
        self.inside = False
        del scope.names[-len(names) :]
        scope.taken.difference_update(name.name for name in names)
        whole = [part for part in parts if part is not None]
        if len(whole) < len(parts):
            return None
        return Each(sort, _FORMS[sort], names, source.operation, [*source.parts, *whole])

    def _about(self, names: Sequence[Name], sort: Sort) -> Expr | None:
        """Return a short expression that reads one of these names; None where none was drawn soon."""
        wanted = {name.name for name in names}
        for _ in range(6):
            drawn = self.operation(sort, 2 if self.dice.often(0.15) else 1)
            if drawn is not None and names_in(drawn) & wanted:
                return drawn
        return None
