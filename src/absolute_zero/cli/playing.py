"""`azr play`: ask a model, and see everything: the prompt, its thought, its answer, and what came of it.

What is asked goes through `selfplay.propose`, `validate` and `solve`, as in training. Nothing is learned or stored.
Text of a model reaches the terminal without control letters.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from absolute_zero import selfplay, text
from absolute_zero.cli.opened import Opened
from absolute_zero.components import domain_of
from absolute_zero.config import Config
from absolute_zero.disk import read_rows
from absolute_zero.evals.suites import build_tasks
from absolute_zero.keys import Key
from absolute_zero.ports import TaskType
from absolute_zero.types import (
    Completion,
    Grade,
    Prompt,
    Proposal,
    Role,
    Rollout,
    Sampling,
    Status,
    Task,
    UserError,
)

_WORDS: Final[Mapping[Status, str]] = {
    Status.PASSED: "partly right", Status.FAILED: "wrong", Status.MALFORMED: "malformed",
    Status.NEUTRAL: "rejected", Status.MASKED: "not graded",
}  # fmt: skip


def propose(model: Opened, kinds: Sequence[str], sampling: Sampling, seed: int) -> None:
    """Show one proposal of each kind, validated; and what is accepted, solved by the same model."""
    parts = model.parts._replace(task_types={kind: _played(model, kind) for kind in kinds})
    cfg, key, console = _once(model.cfg, sampling), Key(seed), Console()
    validations = selfplay.validate(1, selfplay.propose(parts, model.buffer, cfg, key), parts, model.buffer, cfg)
    accepted = [validation.task for validation in validations if validation.task]
    solutions = selfplay.solve(accepted, cfg.solve.n_difficulty, parts, sampling, key)
    fresh = selfplay.with_outcomes(accepted, solutions)
    proposals = selfplay.reward_proposals(validations, fresh, cfg)
    paid = selfplay.compute_rewards(proposals, fresh, 1, parts, cfg)
    for validation, rollout in zip(validations, paid, strict=True):
        _show(console, rollout.role, rollout.kind, rollout.prompt, rollout.completion)
        worth = "not counted" if rollout.reward is None else f"worth {rollout.reward:+.2f} to the proposer"
        if isinstance(validation.result, Grade):
            detail = f": {validation.result.detail}" if validation.result.detail else ""
            _line(console, "rejected", f"{validation.result.reason}{detail}; {worth}", "red")
            continue
        task = next(task for task in fresh if task.id == rollout.task)
        for label, part in parts.task_types[task.kind].show(task):
            if "\n" not in part:  # what is longer stands in the proposal
                _line(console, label, part, "")
        _line(console, "accepted", f"{task.successes} of {task.trials} rollouts solve it: {worth}", "green")
        first = next(solution for solution in solutions if solution.task == task.id)
        _show(console, first.role, first.kind, first.prompt, first.completion)
        _grade(console, first)


def solve(model: Opened, task: Task, rollouts: int, sampling: Sampling, seed: int) -> None:
    """Show this many answers to a task, and whether they are right."""
    _played(model, task.kind)
    answers = selfplay.solve([task], rollouts, model.parts, sampling, Key(seed))
    console = Console()
    for number, rollout in enumerate(answers):
        _show(console, rollout.role, rollout.kind, rollout.prompt, rollout.completion, asked=not number)
        _grade(console, rollout)
    if rollouts > 1:
        _line(console, "right", f"{sum(answer.grade.correct for answer in answers)} of {rollouts}", "")


def tasks_of(model: Opened, source: str) -> list[Task]:
    """Return the tasks that a person gives: a row as JSON, or a JSONL file of rows. Raises UserError for none."""
    if source.lstrip().startswith("{"):
        try:
            row: object = json.loads(source)
        except (ValueError, RecursionError) as error:
            raise UserError(f"--task is not JSON ({error}): fix it, or name a file") from None
        return tasks_in(model, cast("Mapping[str, Any]", row))
    if not os.path.exists(source):
        raise UserError(f"--task {source!r}: there is no such file, and it is not a JSON object")
    rows = [item for where, row in read_rows(Path(source), "tasks") for item in _parsed(model, row, f"{where}: ")]
    tasks = build_tasks(rows, model.parts)
    if not tasks:
        raise UserError(f"--task {source!r} holds no task: give a row a line")
    return tasks


def tasks_in(model: Opened, row: Mapping[str, Any]) -> list[Task]:
    """Return the tasks of a row, of which some may have to run first. Raises UserError for what makes no task."""
    return build_tasks(_parsed(model, row), model.parts)


def _parsed(model: Opened, row: Mapping[str, Any], begins: str = "") -> list[tuple[str, Task | Proposal]]:
    """Return what a row holds, of kinds that are played, each with what a message about it begins with."""
    try:
        parsed = domain_of(model.cfg).read_row(row)
        for item in parsed:
            _played(model, item.kind)
    except UserError as error:
        raise UserError(f"{begins}{error}") from error
    return [(begins, item) for item in parsed]


def _played(model: Opened, kind: str) -> TaskType:
    if kind not in model.parts.task_types:
        known = ", ".join(model.parts.task_types)
        raise UserError(f"this model's settings do not play {kind}, but {known}: set kinds, or name one of them")
    return model.parts.task_types[kind]


def _once(cfg: Config, sampling: Sampling) -> Config:
    """Return settings that propose one task of a kind, drawn like this."""
    section = cfg.sampling.model_copy(update={"temperature": sampling.temperature, "top_p": sampling.top_p})
    return cfg.model_copy(update={"propose": cfg.propose.model_copy(update={"batch": 1}), "sampling": section})


# --- showing ------------------------------------------------------------------------------------------------


def _show(console: Console, role: Role, kind: str, prompt: Prompt, completion: Completion, asked: bool = True) -> None:
    if asked:
        console.print(Rule(f"{role} {kind}", align="left", style="dim"))
        _part(console, prompt.shown.rstrip().removesuffix(text.THINK), "dim")
    if isinstance(selfplay.read_answer(prompt, completion), Grade):
        _part(console, completion.text, "")
        return
    thought, _, answer = completion.text.partition(text.THOUGHT)
    _part(console, thought.strip(), "italic cyan")
    _part(console, answer.strip().removeprefix(text.ANSWER).removesuffix(text.ANSWERED), "bold")


def _grade(console: Console, rollout: Rollout) -> None:
    grade = rollout.grade
    word = "right" if grade.correct else _WORDS[grade.status]
    why = " ".join(part for part in (grade.reason, grade.detail) if part and part != word)
    _line(console, word, why, "green" if grade.correct else "red")


def _part(console: Console, words: str, style: str) -> None:
    if words.strip():
        console.print(Text(_safe(words.strip("\n")), style), soft_wrap=True)


def _line(console: Console, word: str, rest: str, style: str) -> None:
    line = Text.assemble("=> ", (word, f"bold {style}"), f"  {_safe(rest)}".rstrip().replace("\n", " "))
    console.print(line, soft_wrap=True)


def _safe(words: str) -> str:
    """Return the words without letters that could steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in words)
