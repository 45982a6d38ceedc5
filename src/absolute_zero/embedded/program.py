"""Functions and whole programs of the grammar.

Promises: a program's text means in Python what its tree does here. Standard library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from absolute_zero.embedded.operations import Sort
from absolute_zero.embedded.statements import DONE, Block, do_all, statements_in, written_block
from absolute_zero.embedded.trees import Name, Run, Unfit, kind_of, operations_in


@final
@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function with its parameters."""

    name: str
    parameters: Sequence[Name]
    body: Block

    def write(self) -> str:
        names = ", ".join(parameter.name for parameter in self.parameters)
        return f"def {self.name}({names}):\n{written_block(self.body, '    ')}"

    def call(self, values: Sequence[Any], run: Run) -> Any:
        """Run it as part of a run. Raises Unfit where it ends without a value."""
        run.spend()
        outside = run.env
        run.env = {parameter.name: value for parameter, value in zip(self.parameters, values, strict=True)}
        if run.glue:
            run.line()
            for name, value in run.env.items():
                run.space()
                run.give(f"{name}=", value)
        if do_all(self.body, run) != DONE:
            raise Unfit
        value = run.env["return"]
        run.env = outside
        return value


@final
@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """The function `f`, after its helper if it has one."""

    functions: Sequence[Function]

    @property
    def f(self) -> Function:
        return self.functions[-1]

    @property
    def sorts(self) -> tuple[Sort, ...]:
        """The sorts of the arguments."""
        return tuple(parameter.sort for parameter in self.f.parameters)

    def write(self) -> str:
        """The program's text."""
        return "\n".join(function.write() for function in self.functions).rstrip("\n")

    def run(self, arguments: Sequence[Any], traced: bool = False) -> tuple[Any, str] | None:
        """The value on these arguments, and the steps (if `traced`); None where it fails or grows too large."""
        run = Run({function.name: function for function in self.functions}, traced)
        try:
            value = self.f.call([_fresh(argument) for argument in arguments], run)
        except (Unfit, ArithmeticError, LookupError, ValueError, TypeError):
            return None
        return value, "".join(run.out)

    def phrases(self) -> list[str]:
        """What its operations are called, in the order in which they stand."""
        found: list[str] = []
        for function in self.functions:
            for statement in statements_in(function.body):
                for part in statement.parts:
                    found += [row.phrase for row in operations_in(part) if row.phrase not in found]
        return found


def _fresh(value: Any) -> Any:
    """A copy of an argument, as programs change theirs."""
    return value.copy() if kind_of(value) in (list, dict, set) else value
