"""Functions and whole programs of the grammar.

Promises: a program's text means in Python what its tree does here. Standard library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from absolute_zero.pretraining.grammar.operations import Sort
from absolute_zero.pretraining.grammar.statements import DONE, Block, do_all, statements_in, written_block
from absolute_zero.pretraining.grammar.trees import Name, Run, Unfit, kind_of, operations_in


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
        """Return its value on arguments, as part of a run. Raises Unfit where it ends without one."""
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
        """Return the program's text."""
        return "\n".join(function.write() for function in self.functions).rstrip("\n")

    def run(self, arguments: Sequence[Any], traced: bool = False) -> tuple[Any, str] | None:
        """Return the value on arguments and the steps (if `traced`); None where it fails or grows too large."""
        run = Run({function.name: function for function in self.functions}, traced)
        try:
            value = self.f.call([_fresh(argument) for argument in arguments], run)
        except (Unfit, ArithmeticError, LookupError, ValueError, TypeError):
            return None
        return value, "".join(run.out)

    def phrases(self) -> list[str]:
        """Return what its operations are called, in the order in which they stand, each once."""
        phrases: list[str] = []
        for function in self.functions:
            for statement in statements_in(function.body):
                for part in statement.parts:
                    phrases += [row.phrase for row in operations_in(part) if row.phrase not in phrases]
        return phrases


def _fresh(value: Any) -> Any:
    """Return a copy of an argument, as programs change theirs."""
    return value.copy() if kind_of(value) in (list, dict, set) else value
