"""Tasks from files, and the held-out suites in the package.

A row is an object of a JSONL file: `{"kind": ..., "program": ..., "pairs": [[input, output], ...], "message": ...}`, as
the suites have it; a line of CRUXEval (arXiv 2401.03065), `{"code": ..., "input": ..., "output": ...}`, whose output
prediction is deduction and whose input prediction is abduction; or what a person gives, `{"program": ..., "inputs":
[...], "outputs": [...], "message": ...}`: a program with one input or one output, or pairs without a program.
"""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from absolute_zero import text
from absolute_zero.domains.python.guard import guard
from absolute_zero.domains.python.limits import Limits
from absolute_zero.domains.python.novelty import ENTRY, digest, functions, normal_form, written
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, read_payload, task_of
from absolute_zero.domains.python.validation import parse_program_and_input
from absolute_zero.types import Grade, Proposal, Task, UserError
from absolute_zero.values import Unreadable, Unwritable, canonical, read

SUITES: Final = Path(str(files("absolute_zero.domains.python"))) / "suites"
"""`held_out` and `ood`, programs that the embedded model's grammar does not make."""
NAMES: Final = ("held_out", "ood")


def suite_files() -> list[Path]:
    """Return the files of the suites in the package. Their programs never enter a buffer."""
    return [SUITES / f"{name}.jsonl" for name in NAMES if (SUITES / f"{name}.jsonl").is_file()]


@cache
def suites() -> Mapping[str, Sequence[Task]]:
    """Return the tasks of the suites in the package."""
    return {
        path.stem: [task for line in path.read_text(encoding="utf-8").splitlines() for task in _tasks(json.loads(line))]
        for path in suite_files()
    }


def suite_row(task: Task) -> Mapping[str, Any]:
    """Return the row that `read_row` reads as this task."""
    payload = read_payload(task.payload)
    return {"kind": task.kind, "program": payload.program, "pairs": payload.pairs, "message": payload.message}


def read_row(row: Mapping[str, Any]) -> list[Task | Proposal]:
    """Return the tasks of a row; a proposal where the program has to run first. Raises UserError with the reason."""
    if "inputs" in row or "outputs" in row:
        return [_from_person(row)]
    try:
        return [*_tasks(row)]
    except (ValueError, KeyError, TypeError, AttributeError, Unreadable, Unwritable) as error:
        wanted = "give kind, program and pairs, or code, input and output"
        raise UserError(f"not a task ({error}); {wanted}") from None


def _tasks(row: Mapping[str, Any]) -> list[Task]:
    if "code" in row:
        pair = (str(row["input"]), canonical(read(row["output"])))  # some inputs are expressions: shown, not read
        return [_known(task_of(kind, str(row["code"]), (pair,))) for kind in (DEDUCTION, ABDUCTION)]
    kind = row["kind"]
    if kind not in (DEDUCTION, ABDUCTION, INDUCTION):
        raise ValueError(f"{kind!r} is not a kind of task")
    pairs = tuple((str(argument), canonical(read(str(output)))) for argument, output in row["pairs"])
    if len(pairs) < 2 if kind == INDUCTION else len(pairs) != 1:
        raise ValueError(f"{len(pairs)} pairs: induction takes two or more, the other kinds one")
    return [_known(task_of(kind, str(row["program"]), pairs, str(row.get("message", ""))))]


def _known(task: Task) -> Task:
    """Return the task with what evaluation has to know of it."""
    program = read_payload(task.payload).program
    try:
        family = digest(normal_form(program)) if program else ""
    except Unreadable:
        family = ""
    return replace(task, family=family, group=group_of(program))


def _from_person(row: Mapping[str, Any]) -> Task | Proposal:
    """Return the task that a person gives: (program, input), (program, output), or pairs."""
    program, message = str(row.get("program") or "").strip(), str(row.get("message") or "")
    inputs, outputs = (_texts(row, name) for name in ("inputs", "outputs"))
    if not program:
        if len(inputs) != len(outputs) or len(inputs) < 2:
            raise UserError("give a program with one input or output, or as many inputs as outputs, two or more")
        pairs = tuple(zip(map(_arguments, inputs), map(_value, outputs), strict=True))
        return replace(task_of(INDUCTION, "", pairs, message), title=message or "pairs")
    if len(inputs) + len(outputs) != 1 or message:
        raise UserError("beside a program give either one input (deduction) or one output (abduction)")
    if refusal := guard(program):
        raise UserError(f"the program makes no task ({refusal}): fix it")
    if outputs:
        return _known(task_of(ABDUCTION, program, (("", _value(outputs[0])),)))
    answer = text.render_program_and_input(program, inputs[0])
    proposal = parse_program_and_input(DEDUCTION, answer, Limits())
    if isinstance(proposal, Grade):
        reason = f"{proposal.reason} {proposal.detail}".strip()
        raise UserError(f"the program makes no task ({reason}): fix it or its input")
    return proposal


def _texts(row: Mapping[str, Any], name: str) -> list[str]:
    values: Any = row.get(name) or []
    if not isinstance(values, list | tuple):
        raise UserError(f"{name} is not a list of texts: give one, such as [\"1, 'a'\"]")
    return [str(value) for value in values]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _arguments(text_: str) -> str:
    try:
        return written(text_)
    except (Unreadable, Unwritable) as error:
        raise UserError(f"input {text_!r} is not a list of literals ({error}): write it as between brackets") from None


def _value(output: str) -> str:
    try:
        return canonical(read(output))
    except (Unreadable, Unwritable) as error:
        raise UserError(f"output {output!r} is not a literal value ({error}): write it as Python does") from None


# --- what is held out, and what stands or falls together ----------------------------------------------------


def held_out(row: Mapping[str, Any]) -> list[str]:
    """Return the digests of the normal forms of a row. Raises UserError as `held_out_forms`."""
    return [digest(form) for form in held_out_forms(row)]


def held_out_forms(row: Mapping[str, Any]) -> list[str]:
    """Return the normal forms of a row's `program` or `code`: with a function `f`, or others, each of which then counts
    as `f`. Raises UserError where there is none."""
    try:
        program = row.get("program") or row["code"]
        names = functions(program)
        if not names:
            raise ValueError("no function, so that nothing would be held out")
        # Any of them may be what an evaluation calls.
        return [normal_form(program, called=name) for name in ([ENTRY] if ENTRY in names else names)]
    except (ValueError, LookupError, AttributeError, TypeError, Unreadable):
        wanted = "a Python function under `program` or `code`"
        raise UserError(f"not a JSON object with {wanted}: fix the row") from None


def group_of(program: str) -> str:
    """Return a digest that programs share which differ in constants and their signs only, up to names and layout."""
    if not program:
        return ""
    try:
        return digest(ast.unparse(_Unvalued().visit(ast.parse(normal_form(program).replace("$", "own")))))
    except (Unreadable, SyntaxError, ValueError, RecursionError):
        return digest(program)


class _Unvalued(ast.NodeTransformer):
    """Puts one constant in place of all, with or without a sign."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("text" if isinstance(node.value, str) else 0)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        return ast.Constant(0) if isinstance(node.operand, ast.Constant) else self.generic_visit(node)
