"""Expressions of the grammar's programs: how they are written, what they give, and how a thought steps through them.

Every node does three things: `write` its Python, give its `value`, and `trace` it: give the value and write down
the steps. A thought's steps are written so that each token follows from little: operations come one at a time, in
the order in which Python does them, with their operands in front of their results. Numbers are shown by value,
variables that hold more by name; after a result the next operation on it follows at once (`3*4=12+2=14`).

Promises: the trees mean what their text means in Python (a test runs both). Values stay small: `Unfit` is raised for
what a small model could not write, and what Python raises comes through. Standard library.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, final

from absolute_zero.pretraining.grammar.operations import AND, NUMBERS, OR, POSTFIX, TERNARY, Operation, Sort
from absolute_zero.values import canonical

MAX_INT: Final = 200
MAX_ITEMS: Final = 8
MAX_LETTERS: Final = 16


class Unfit(Exception):
    """A value is too large to be worth learning, or a program runs for too long."""


kind_of: Any = type
"""`type`, which a type checker lets us ask of anything."""


def text_of(value: Any) -> str:
    """Return the canonical text of a value."""
    # repr of every other type that the grammar has is canonical, and three times as fast.
    return canonical(value) if kind_of(value) is set else repr(value)


def check(value: Any) -> Any:
    """Return the value, if it is small. Raises Unfit otherwise."""
    kind = kind_of(value)
    if kind is int:
        fits = -MAX_INT <= value <= MAX_INT
    elif kind is float:
        fits = -MAX_INT <= value <= MAX_INT and value * 8 % 1 == 0 and (value != 0 or str(value) == "0.0")
    elif kind is str:
        fits = len(value) <= MAX_LETTERS
    elif kind is bool:
        fits = True
    else:
        fits = len(value) <= MAX_ITEMS
    if not fits:
        raise Unfit
    return value


@final
class Run:
    """One run of a program: its variables, and what is written down of it."""

    __slots__ = ("env", "fresh", "functions", "glue", "left", "mark", "out")

    def __init__(self, functions: dict[str, Any], traced: bool, steps: int = 60) -> None:
        self.env: dict[str, Any] = {}
        self.functions = functions
        self.left = steps
        """Statements and items that it may still do."""
        self.out: list[str] = []
        self.fresh = False
        """The text ends with the value of the node that was traced last."""
        self.mark = "="
        """What stands before that value."""
        self.glue = "\n" if traced else ""
        """What parts statements; empty where nothing is written."""

    def spend(self) -> None:
        """Count one step. Raises Unfit where there were too many."""
        self.left -= 1
        if self.left < 0:
            raise Unfit

    def space(self) -> None:
        """Part what follows from what came before."""
        if self.out and self.out[-1] not in ("\n", " "):
            self.out.append(" ")

    def line(self) -> None:
        """Begin a statement."""
        if self.out and self.out[-1] not in ("\n", " "):
            self.out.append(self.glue)

    def give(self, mark: str, value: Any) -> None:
        """Write the value of a node."""
        begun = self.out and self.out[-1] not in ("\n", " ")
        self.out.append(mark if begun else mark.lstrip())
        self.out.append(text_of(value))
        self.fresh = True
        self.mark = mark


class Expr(Protocol):
    """A node of an expression."""

    def write(self, need: int = 0) -> str:
        """Return its Python, in brackets where it binds less tightly than is needed."""
        ...

    def value(self, run: Run) -> Any:
        """Return what it gives. Raises Unfit, and what Python raises."""
        ...

    def trace(self, run: Run, mark: str = "=") -> Any:
        """Return what it gives, and write its steps into the run, with this mark before the value (names: nothing)."""
        ...

    @property
    def sort(self) -> Sort:
        """The sort of what it gives."""
        ...

    @property
    def parts(self) -> "Sequence[Expr]":
        """The nodes right below."""
        ...

    @property
    def operation(self) -> Operation | None:
        """The row of the grammar it stands for, if it is one."""
        ...

    def rebuilt(self, parts: "Sequence[Expr]") -> "Expr":
        """Return the same node over other parts."""
        ...


def names_in(expression: Expr) -> set[str]:
    """Return the variables it reads, those of its own items among them."""
    names: set[str] = set()
    _collect(expression, names)
    return names


def _collect(expression: Expr, names: set[str]) -> None:
    if type(expression) is Name:
        names.add(expression.name)
    for part in expression.parts:
        _collect(part, names)


def operations_in(expression: Expr) -> Iterator[Operation]:
    """Yield its operations, in about the order in which they are done."""
    for part in expression.parts:
        yield from operations_in(part)
    if expression.operation is not None:
        yield expression.operation


def _shown(node: Expr, value: Any) -> str:
    """Return how an operand is written: by name if it is more than a number, else by value."""
    if type(node) is Name and not node.item and node.sort not in NUMBERS:
        return node.name
    return text_of(value)


def _added_up(items: Any) -> str:
    """Return the additions of a sum, without the last result."""
    numbers: list[Any] = sorted(items, key=repr) if kind_of(items) is set else list(items)
    total = numbers[0]
    text = f"={total}"
    for index, number in enumerate(numbers[1:]):
        text += f"={total}+{number}" if index else f"+{number}"
        total += number
    return text


def _bracketed(text: str, level: int, need: int) -> str:
    return f"({text})" if level < need else text


# --- leaves -------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """A variable."""

    name: str
    sort: Sort
    item: bool = False
    """It runs over items inside an expression, where no line of the thought has its value: it is shown by value."""
    parts: Sequence[Expr] = field(default=(), init=False)
    operation: Operation | None = field(default=None, init=False)

    def write(self, need: int = 0) -> str:
        return self.name

    def value(self, run: Run) -> Any:
        return run.env[self.name]

    def trace(self, run: Run, mark: str = "=") -> Any:
        run.fresh = False
        return run.env[self.name]

    def rebuilt(self, parts: Sequence[Expr]) -> Expr:
        return self


@final
@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A constant. Lists and dicts among them are made anew each time, as Python makes them."""

    constant: Any
    sort: Sort
    parts: Sequence[Expr] = field(default=(), init=False)
    operation: Operation | None = field(default=None, init=False)

    def write(self, need: int = 0) -> str:
        text = text_of(self.constant)
        return f"({text})" if text.startswith("-") and need >= POSTFIX else text

    def value(self, run: Run) -> Any:
        constant = self.constant
        return constant.copy() if type(constant) in (list, dict, set) else constant

    def trace(self, run: Run, mark: str = "=") -> Any:
        run.fresh = False
        return self.value(run)

    def rebuilt(self, parts: Sequence[Expr]) -> Expr:
        return self


# --- operations ---------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True, eq=False)
class Apply:
    """An operation on its operands."""

    operation: Operation
    parts: Sequence[Expr]

    @property
    def sort(self) -> Sort:
        return self.operation.result

    def write(self, need: int = 0) -> str:
        operation = self.operation
        texts = [part.write(level) for part, level in zip(self.parts, operation.needs, strict=False)]
        return _bracketed(operation.text.format(*texts), operation.level, need)

    def value(self, run: Run) -> Any:
        return check(self.operation.function(*[part.value(run) for part in self.parts]))

    def trace(self, run: Run, mark: str = "=") -> Any:
        out = run.out
        values: list[Any] = []
        last = -1  # the operand whose value the text ends with
        for index, part in enumerate(self.parts):
            before = len(out)
            values.append(part.trace(run))
            if len(out) > before:
                last = index if run.fresh else -1
        operation = self.operation
        shown = [_shown(part, value) for part, value in zip(self.parts, values, strict=True)]
        result = check(operation.function(*values))
        if last == 0 and operation.chained is not None:
            out.append(operation.chained.format(*shown))
        else:
            text = operation.shown.format(*shown)
            run.space()
            if text == text_of(result):  # a display of values is its own result
                run.give(mark if mark != "=" else "", result)
                run.mark = mark
                return result
            out.append(text)
        if operation.sums and len(values[0]) > 1:
            out.append(_added_up(values[0].values() if kind_of(values[0]) is dict else values[0]))
        run.give(mark, result)
        return result

    def rebuilt(self, parts: Sequence[Expr]) -> Expr:
        return Apply(self.operation, parts)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """`and` or `or`. Its value is that of the side that decides, and is written there."""

    word: str
    parts: Sequence[Expr]
    sort: Sort = field(default="bool", init=False)
    operation: Operation | None = field(default=None, init=False)

    def write(self, need: int = 0) -> str:
        level = AND if self.word == "and" else OR
        left, right = self.parts
        return _bracketed(f"{left.write(level)} {self.word} {right.write(level + 1)}", level, need)

    def value(self, run: Run) -> Any:
        left, right = self.parts
        value = left.value(run)
        return right.value(run) if value == (self.word == "and") else value

    def trace(self, run: Run, mark: str = "=") -> Any:
        left, right = self.parts
        value = left.trace(run)
        return right.trace(run, mark) if value == (self.word == "and") else value

    def rebuilt(self, parts: Sequence[Expr]) -> Expr:
        return Both(self.word, parts)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """`first if test else second`: parts in the order in which Python may reach them, the test in front."""

    parts: Sequence[Expr]
    operation: Operation | None = field(default=None, init=False)

    @property
    def sort(self) -> Sort:
        return self.parts[1].sort

    def write(self, need: int = 0) -> str:
        test, first, second = self.parts
        text = f"{first.write(OR)} if {test.write(OR)} else {second.write(TERNARY)}"
        return _bracketed(text, TERNARY, need)

    def value(self, run: Run) -> Any:
        test, first, second = self.parts
        return first.value(run) if test.value(run) else second.value(run)

    def trace(self, run: Run, mark: str = "=") -> Any:
        test, first, second = self.parts
        return first.trace(run, mark) if test.trace(run) else second.trace(run, mark)

    def rebuilt(self, parts: Sequence[Expr]) -> Expr:
        return Choice(parts)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A call of a function of the program's own: the helper, or `f` itself."""

    function: str
    parts: Sequence[Expr]
    sort: Sort
    operation: Operation | None = field(default=None, init=False)

    def write(self, need: int = 0) -> str:
        return f"{self.function}({', '.join(part.write() for part in self.parts)})"

    def value(self, run: Run) -> Any:
        return run.functions[self.function].call([part.value(run) for part in self.parts], run)

    def trace(self, run: Run, mark: str = "=") -> Any:
        return run.functions[self.function].call([part.trace(run) for part in self.parts], run)

    def rebuilt(self, parts: Sequence[Expr]) -> Expr:
        return Call(self.function, parts, self.sort)
