"""What runs over items: the sources of loops, and comprehensions.

Promises: as for `trees`. Standard library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from absolute_zero.pretraining.grammar.operations import OR, TERNARY, Operation, Sort
from absolute_zero.pretraining.grammar.trees import Expr, Name, Run, check


@final
@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What a loop or a comprehension runs over."""

    operation: Operation
    parts: Sequence[Expr]

    def write(self) -> str:
        """Return its Python."""
        texts = [part.write(level) for part, level in zip(self.parts, self.operation.needs, strict=False)]
        return self.operation.text.format(*texts)

    def items(self, run: Run) -> list[Any]:
        """Return what it gives, item by item. Does not count the items as steps: who goes through them does."""
        values = [part.trace(run) if run.glue else part.value(run) for part in self.parts]
        return self.operation.function(*values)


def bind(names: Sequence[Name], item: Any, run: Run) -> None:
    """Give the names of a loop their next values."""
    if len(names) == 1:
        run.env[names[0].name] = item
    else:
        for name, part in zip(names, item, strict=True):
            run.env[name.name] = part


@final
@dataclass(frozen=True, slots=True, eq=False)
class Each:
    """A comprehension. A thought goes through its items one by one, and then writes the whole."""

    sort: Sort
    form: str
    """`list`, `set`, `dict`, or `bare`: the sole argument of a call, which needs no brackets of its own."""
    names: Sequence[Name]
    row: Operation
    """What it runs over: an operation whose operands come first among the parts."""
    parts: Sequence[Expr]
    """Those operands; the item, or key and value of a dict; and the test, if there is one."""

    @property
    def operation(self) -> Operation:
        return self.row

    @property
    def source(self) -> Source:
        """What it runs over."""
        return Source(self.row, self.parts[: len(self.row.operands)])

    @property
    def inner(self) -> tuple[Sequence[Expr], Sequence[Expr]]:
        """The nodes of what is gathered of an item, and the tests."""
        rest = self.parts[len(self.row.operands) :]
        wide = 2 if self.form == "dict" else 1
        return rest[:wide], rest[wide:]

    def write(self, need: int = 0) -> str:
        gathered, tests = self.inner
        text = ": ".join(part.write(TERNARY) for part in gathered)
        text += f" for {', '.join(name.name for name in self.names)} in {self.source.write()}"
        for test in tests:
            text += f" if {test.write(OR)}"
        return {"list": "[{}]", "bare": "{}"}.get(self.form, "{{{}}}").format(text)

    def value(self, run: Run) -> Any:
        return self._gather(run, traced=False)

    def trace(self, run: Run, mark: str = "=") -> Any:
        value = self._gather(run, traced=True)
        if mark == "=":
            run.space()
        run.give(mark, value)
        return value

    def _gather(self, run: Run, traced: bool) -> Any:
        gathered: list[Any] = []
        parts, tests = self.inner
        # Names of items live in the comprehension alone.
        outside = {name.name: run.env[name.name] for name in self.names if name.name in run.env}
        for item in self.source.items(run):
            run.spend()
            bind(self.names, item, run)
            if all(test.trace(run) if traced else test.value(run) for test in tests):
                gathered.append([part.trace(run) if traced else part.value(run) for part in parts])
        run.env.update(outside)
        form = self.form
        if form == "dict":
            return check(dict(gathered))
        return check({item for [item] in gathered} if form == "set" else [item for [item] in gathered])

    def rebuilt(self, parts: Sequence[Expr]) -> Expr:
        return Each(self.sort, self.form, self.names, self.row, parts)
