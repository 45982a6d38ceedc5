"""Held-out tasks of the three kinds, and a policy's marks on them.

A suite is a JSONL file, one task a line: `{"kind": ..., "program": ..., "pairs": [[input, output], ...], "message":
...}`. A line of CRUXEval (arXiv 2401.03065), `{"code": ..., "input": ..., "output": ...}`, is two tasks: its output
prediction is deduction, and its input prediction abduction. Tasks are posed, answered and judged by `selfplay.solve`,
as in training; nothing of them is stored in a buffer.
"""

import ast
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from absolute_zero.evals.statistics import EvalResult
from absolute_zero.keys import Key
from absolute_zero.novelty import digest, normal_form
from absolute_zero.ports import Components
from absolute_zero.selfplay import solve
from absolute_zero.types import Entry, Kind, Problem, Rollout, Sampling, Status, UserError
from absolute_zero.values import Unreadable, Unwritable, canonical, read

TRIES: Final = 8
"""Tries per task at temperature 1: enough for pass@8."""


SUITES: Final = files("absolute_zero.evals") / "suites"
"""The suites in the package: `held_out` and `ood`, programs that the embedded model's grammar does not make."""


def suites(tasks: int) -> dict[str, list[Entry]]:
    """The first so many tasks of each kind, by suite of the package."""
    return {path.stem: first(read_suite(path), tasks) for path in suite_files()}


def first(entries: Iterable[Entry], tasks: int) -> list[Entry]:
    """The first so many tasks of each kind."""
    counts, found = Counter[Kind](), list[Entry]()
    for entry in entries:
        counts[entry.problem.kind] += 1
        if counts[entry.problem.kind] <= tasks:
            found.append(entry)
    return found


def suite_files() -> list[Path]:
    """The files of the suites in the package. Their programs never enter a buffer."""
    return (
        sorted(Path(str(file)) for file in SUITES.iterdir() if file.name.endswith(".jsonl")) if SUITES.is_dir() else []
    )


def read_suite(path: Path) -> list[Entry]:
    """The tasks of a file, numbered from 1. Raises UserError with the line that is none."""
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the tasks of {str(path)!r}: {error}") from None
    entries: list[Entry] = []
    for number, line in enumerate(lines, 1):
        try:
            problems = _problems(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, Unreadable, Unwritable) as error:
            wanted = "give kind, program and pairs, or code, input and output"
            raise UserError(f"{path}:{number}: not a task ({error}); {wanted}") from None
        entries += [Entry(len(entries) + more, problem) for more, problem in enumerate(problems, 1)]
    return entries


def _problems(row: dict[str, Any]) -> list[Problem]:
    if "code" in row:
        pair = (str(row["input"]), canonical(read(row["output"])))  # some inputs are expressions: shown, not read
        return [Problem(kind, str(row["code"]), (pair,)) for kind in (Kind.DEDUCTION, Kind.ABDUCTION)]
    kind, pairs = Kind(row["kind"]), tuple((str(given), canonical(read(str(output)))) for given, output in row["pairs"])
    if len(pairs) < 2 if kind is Kind.INDUCTION else len(pairs) != 1:
        raise ValueError(f"{len(pairs)} pairs: induction takes two or more, the other kinds one")
    return [Problem(kind, str(row["program"]), pairs, str(row.get("message", "")))]


def write_suite(path: Path, problems: Iterable[Problem]) -> None:
    """A file that `read_suite` reads."""
    with path.open("w", encoding="utf-8") as file:
        for p in problems:
            row = {"kind": p.kind, "program": p.program, "pairs": p.pairs, "message": p.message}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def evaluate(
    world: Components, entries: Sequence[Entry], how: Sampling, key: Key, greedy: bool = True
) -> list[EvalResult]:
    """Marks for each task: eight tries as `how` says, and a greedy one. Tasks of kinds that are not played are left
    out, so compare only what the same world has answered. A prompt that is too long for the model counts as wrong."""
    played = [entry for entry in entries if entry.problem.kind in world.tasks]
    tried = solve(played, TRIES, world, how, key.at("tries"))
    surest = replace(how, temperature=0.0, top_p=1.0)
    sure = solve(played if greedy else (), 1, world, surest, key.at("greedy")) or [list[Rollout]()] * len(played)
    marks: list[EvalResult] = []
    for entry, tries, one in zip(played, tried, sure, strict=True):
        judged = [rollout for rollout in tries if not _lost(rollout)]
        best = [_right(rollout) for rollout in one if not _lost(rollout)]
        right, sure_one, family = sum(map(_right, judged)), best[0] if best else None, family_of(entry.problem.program)
        marks.append(EvalResult(entry.problem.kind, right, len(judged), sure_one, family))
    return marks


def family_of(program: str) -> str:
    """The same for programs that differ in constants and their signs only, up to names and layout; empty for none."""
    if not program:
        return ""
    try:
        return digest(ast.unparse(_Unvalued().visit(ast.parse(normal_form(program).replace("$", "own")))))
    except (Unreadable, SyntaxError, ValueError, RecursionError):
        return digest(program)


class _Unvalued(ast.NodeTransformer):
    """Puts one constant in the place of all, with or without a sign."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("text" if isinstance(node.value, str) else 0)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        return ast.Constant(0) if isinstance(node.operand, ast.Constant) else self.generic_visit(node)


def _lost(rollout: Rollout) -> bool:
    """Answered, and not judged: the machine failed."""
    return rollout.grade.status is Status.MASKED and bool(rollout.completion.tokens)


def _right(rollout: Rollout) -> bool:
    return rollout.grade.right
