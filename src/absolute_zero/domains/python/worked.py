"""The worked examples in the package: what is shown before a prompt, if the settings want it.

`worked.jsonl` has a few of each kind and role, drawn from the grammar by `absolute_zero.pretraining.worked`.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from absolute_zero import text
from absolute_zero.domains.python import inputs
from absolute_zero.domains.python.payload import INDUCTION, task_of
from absolute_zero.types import Role, Task


def examples(kind: str, role: Role, most: int) -> Sequence[tuple[Task | Sequence[Task], str]]:
    """Return questions with a good response each: a task to solve, or the references of a proposal.

    An example of induction has `most` inputs, as far as there are so many.
    """
    return [_example(row, most) for row in _rows() if row["kind"] == kind and row["role"] == role]


@cache
def _rows() -> Sequence[Mapping[str, Any]]:
    file = files("absolute_zero.domains.python") / "worked.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _example(row: Mapping[str, Any], most: int) -> tuple[Task | Sequence[Task], str]:
    payload, induction = row["payload"], row["kind"] == INDUCTION
    pairs = [(argument, output) for argument, output in payload["pairs"]][:most]
    task = task_of(row["kind"], payload["program"], pairs, payload["message"])
    if row["role"] == Role.SOLVE:
        return task, text.render_response(row["thought"], row["answer"], opened=False)
    answer = inputs.render([argument for argument, _ in pairs], row["answer"]) if induction else row["answer"]
    return ([task] if induction else []), text.render_response(row["thought"], answer, opened=False)
