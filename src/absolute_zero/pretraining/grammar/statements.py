"""Statements of the grammar's programs: how they are written, run, and stepped through in a thought.

In a thought every statement that computes something has a line, which ends with `name=value` where it gives a
variable a value; a loop has its body's lines once for every item, after the item's own. Conditions are lines that
end with True or False. What was not reached leaves no line.

Promises: as for `trees`. Standard library.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, final

from absolute_zero.pretraining.grammar.items import Source, bind
from absolute_zero.pretraining.grammar.trees import Expr, Name, Run, check

GO_ON, NEXT, STOP, DONE = range(4)
"""What follows a statement: the next one; the next round of the loop; what comes after the loop; nothing."""


class Statement(Protocol):
    """A statement of a program."""

    def write(self, indent: str) -> str:
        """Return its lines of Python."""
        ...

    def do(self, run: Run) -> int:
        """Run it, write down its steps where the run is traced, and return one of the four above. Raises as `Expr`."""
        ...

    @property
    def parts(self) -> Sequence[Expr]:
        """Its own expressions."""
        ...

    @property
    def blocks(self) -> "Sequence[Block]":
        """Its statements inside."""
        ...

    def rebuilt(self, parts: Sequence[Expr], blocks: "Sequence[Block]") -> "Statement":
        """Return the same statement over other parts and blocks."""
        ...


Block = Sequence[Statement]


def written_block(block: Block, indent: str) -> str:
    """Return the lines of the statements."""
    return "".join(statement.write(indent) for statement in block)


def do_all(block: Block, run: Run) -> int:
    """Run statements one after the other, and return what follows the last that ran."""
    for statement in block:
        run.spend()
        then = statement.do(run)
        if then:
            return then
    return GO_ON


def _assign(name: str, expression: Expr, run: Run) -> Any:
    """Give a name the value of an expression, and return the value."""
    if not run.glue:
        value = expression.value(run)
    else:
        run.line()
        mark = f" {name}="
        value = expression.trace(run, mark)
        if not run.fresh or run.mark != mark:
            run.space()
            run.give(f"{name}=", value)
    run.env[name] = value
    return value


def _test(expression: Expr, run: Run) -> Any:
    if not run.glue:
        return expression.value(run)
    run.line()
    return expression.trace(run)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Assign:
    """`name = expression`."""

    name: str
    parts: Sequence[Expr]
    blocks: Sequence[Block] = ()

    def write(self, indent: str) -> str:
        return f"{indent}{self.name} = {self.parts[0].write()}\n"

    def do(self, run: Run) -> int:
        _assign(self.name, self.parts[0], run)
        return GO_ON

    def rebuilt(self, parts: Sequence[Expr], blocks: Sequence[Block]) -> Statement:
        return Assign(self.name, parts)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """`name += expression`: an operation whose first operand is the variable itself."""

    name: str
    parts: Sequence[Expr]
    """One: the operation on the name and what is added."""
    blocks: Sequence[Block] = ()

    def write(self, indent: str) -> str:
        [whole] = self.parts
        assert whole.operation is not None
        sign = whole.operation.text.split(" ")[1]
        return f"{indent}{self.name} {sign}= {whole.parts[1].write()}\n"

    def do(self, run: Run) -> int:
        _assign(self.name, self.parts[0], run)
        return GO_ON

    def rebuilt(self, parts: Sequence[Expr], blocks: Sequence[Block]) -> Statement:
        return Update(self.name, parts)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Unpack:
    """`first, second = pair`, or a swap of two variables."""

    names: tuple[str, str]
    parts: Sequence[Expr]
    blocks: Sequence[Block] = ()

    def write(self, indent: str) -> str:
        return f"{indent}{self.names[0]}, {self.names[1]} = {', '.join(part.write() for part in self.parts)}\n"

    def do(self, run: Run) -> int:
        if run.glue:
            run.line()
            values = [part.trace(run) for part in self.parts]
        else:
            values = [part.value(run) for part in self.parts]
        for name, value in zip(self.names, values if len(values) == 2 else values[0], strict=True):
            run.env[name] = value
            if run.glue:
                run.space()
                run.give(f"{name}=", value)
        return GO_ON

    def rebuilt(self, parts: Sequence[Expr], blocks: Sequence[Block]) -> Statement:
        return Unpack(self.names, parts)


CHANGES: Final = {
    "append": "{}.append({})",
    "add": "{}.add({})",
    "insert": "{}.insert(0, {})",
    "extend": "{}.extend({})",
    "remove": "{}.remove({})",
    "pop": "{}.pop()",
    "sort": "{}.sort()",
    "reverse": "{}.reverse()",
    "put": "{}[{}] = {}",
}
"""Statements that change what a variable holds."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A statement that changes a list, dict or set in place. A thought writes the whole of it again."""

    form: str
    name: str
    parts: Sequence[Expr]
    blocks: Sequence[Block] = ()

    def write(self, indent: str) -> str:
        return indent + CHANGES[self.form].format(self.name, *[part.write() for part in self.parts]) + "\n"

    def do(self, run: Run) -> int:
        if run.glue:
            run.line()
            values = [part.trace(run) for part in self.parts]
        else:
            values = [part.value(run) for part in self.parts]
        held = run.env[self.name]
        if self.form == "put":
            held[values[0]] = values[1]
        elif self.form == "insert":
            held.insert(0, *values)
        else:
            getattr(held, self.form)(*values)
        check(held)
        if run.glue:
            run.space()
            run.give(f"{self.name}=", held)
        return GO_ON

    def rebuilt(self, parts: Sequence[Expr], blocks: Sequence[Block]) -> Statement:
        return Change(self.form, self.name, parts)


@final
@dataclass(frozen=True, slots=True, eq=False)
class If:
    """`if`, perhaps with `else`."""

    parts: Sequence[Expr]
    blocks: Sequence[Block]

    def write(self, indent: str) -> str:
        text = f"{indent}if {self.parts[0].write()}:\n{written_block(self.blocks[0], indent + '    ')}"
        for block in self.blocks[1:]:
            text += f"{indent}else:\n{written_block(block, indent + '    ')}"
        return text

    def do(self, run: Run) -> int:
        if _test(self.parts[0], run):
            return do_all(self.blocks[0], run)
        return do_all(self.blocks[1], run) if len(self.blocks) > 1 else GO_ON

    def rebuilt(self, parts: Sequence[Expr], blocks: Sequence[Block]) -> Statement:
        return If(parts, blocks)


@final
@dataclass(frozen=True, slots=True, eq=False)
class For:
    """A loop over items."""

    names: Sequence[Name]
    source: Source
    blocks: Sequence[Block]

    @property
    def parts(self) -> Sequence[Expr]:
        return self.source.parts

    def write(self, indent: str) -> str:
        head = f"{indent}for {', '.join(name.name for name in self.names)} in {self.source.write()}:\n"
        return head + written_block(self.blocks[0], indent + "    ")

    def do(self, run: Run) -> int:
        if run.glue:
            run.line()
        for item in self.source.items(run):
            run.spend()
            bind(self.names, item, run)
            if run.glue:
                run.line()
                for name in self.names:
                    run.space()
                    run.give(f"{name.name}=", run.env[name.name])
            then = do_all(self.blocks[0], run)
            if then == DONE:
                return DONE
            if then == STOP:
                break
        return GO_ON

    def rebuilt(self, parts: Sequence[Expr], blocks: Sequence[Block]) -> Statement:
        return For(self.names, Source(self.source.operation, parts), blocks)


@final
@dataclass(frozen=True, slots=True, eq=False)
class While:
    """A loop on a condition."""

    parts: Sequence[Expr]
    blocks: Sequence[Block]

    def write(self, indent: str) -> str:
        return f"{indent}while {self.parts[0].write()}:\n{written_block(self.blocks[0], indent + '    ')}"

    def do(self, run: Run) -> int:
        while _test(self.parts[0], run):
            run.spend()
            then = do_all(self.blocks[0], run)
            if then == DONE:
                return DONE
            if then == STOP:
                break
        return GO_ON

    def rebuilt(self, parts: Sequence[Expr], blocks: Sequence[Block]) -> Statement:
        return While(parts, blocks)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Leave:
    """`break` or `continue`."""

    word: str
    parts: Sequence[Expr] = ()
    blocks: Sequence[Block] = ()

    def write(self, indent: str) -> str:
        return f"{indent}{self.word}\n"

    def do(self, run: Run) -> int:
        return STOP if self.word == "break" else NEXT

    def rebuilt(self, parts: Sequence[Expr], blocks: Sequence[Block]) -> Statement:
        return self


@final
@dataclass(frozen=True, slots=True, eq=False)
class Return:
    """`return expression`. What is a mere name or constant needs no line: it is found where it was given."""

    parts: Sequence[Expr]
    blocks: Sequence[Block] = ()

    def write(self, indent: str) -> str:
        return f"{indent}return {self.parts[0].write()}\n"

    def do(self, run: Run) -> int:
        run.env["return"] = _test(self.parts[0], run)
        return DONE

    def rebuilt(self, parts: Sequence[Expr], blocks: Sequence[Block]) -> Statement:
        return Return(parts)


def statements_in(block: Block) -> Iterator[Statement]:
    """Yield all statements, those inside others too."""
    for statement in block:
        yield statement
        for inner in statement.blocks:
            yield from statements_in(inner)
