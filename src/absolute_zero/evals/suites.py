"""Tasks to be evaluated on, and how a policy answers them.

Tasks come from the suites of a domain, or from rows that the domain reads (`Domain.read_row`). They are posed, answered
and graded by `selfplay.solve`, as in training; nothing of them is stored in a buffer. Floor 4.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from absolute_zero.disk import read_rows
from absolute_zero.evals.statistics import EvalResult
from absolute_zero.keys import Key
from absolute_zero.ports import Components, Domain, TaskType
from absolute_zero.selfplay import LOST, solve
from absolute_zero.types import Grade, Proposal, Rollout, Sampling, Status, Task, UserError

ROLLOUTS: Final = 8
"""Sampled rollouts per task: enough for pass@8."""


def suites(domain: Domain, most: int) -> dict[str, list[Task]]:
    """Return the first `most` tasks of each kind, by suite of the domain."""
    return {name: first(tasks, most) for name, tasks in domain.suites().items()}


def first(tasks: Iterable[Task], most: int) -> list[Task]:
    """Return the first `most` tasks of each kind, numbered from 1."""
    counts, kept = Counter[str](), list[Task]()
    for number, task in enumerate(tasks, 1):
        counts[task.kind] += 1
        if counts[task.kind] <= most:
            kept.append(replace(task, id=number))
    return kept


def read_tasks(path: Path, domain: Domain, parts: Components | None = None) -> list[Task]:
    """Return the tasks of a JSONL file; those whose answer is not known are run first, if they are played.

    Raises UserError with the line that makes none; without components, that is one whose answer is not known.
    """
    items: list[tuple[str, Task | Proposal]] = []
    for begins, item in _parsed(read_rows(path, "tasks"), domain):
        if isinstance(item, Proposal) and parts is None:
            raise UserError(f"{begins}its answer is not known without running it: give that, too")
        if isinstance(item, Task) or (parts and item.kind in parts.task_types):
            items.append((begins, item))
    return build_tasks(items, parts) if parts else [item for _, item in items if isinstance(item, Task)]


def played_tasks(source: str | Mapping[str, Any], domain: Domain, parts: Components) -> list[Task]:
    """Return the tasks of a row, or of a text: a row as JSON, or the path of a JSONL file.

    Raises UserError for what makes no task, for a kind that is not played, and if there is no task.
    """
    items = list(_parsed(_rows(source), domain, parts))
    tasks = build_tasks(items, parts)
    if not tasks:
        raise UserError(f"{source if isinstance(source, str) else 'this row'!r} holds no task: give a row a line")
    return tasks


def _rows(source: str | Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return the rows of a source, each with where it stands; nothing for one that stands alone."""
    if not isinstance(source, str):
        return [("", source)]
    if not source.lstrip().startswith("{"):
        if not os.path.exists(source):
            raise UserError(f"{source!r}: there is no such file, and it is not a JSON object")
        return read_rows(Path(source), "tasks")
    try:
        row: object = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the task is not JSON ({error}): fix it, or name a file") from None
    return [("", cast("Mapping[str, Any]", row))]


def _parsed(
    rows: Iterable[tuple[str, Mapping[str, Any]]], domain: Domain, parts: Components | None = None
) -> Iterator[tuple[str, Task | Proposal]]:
    """Yield what rows hold, each with what a message about it begins with; with components, only kinds that are played.

    Raises UserError for a row that cannot be read or is of another kind.
    """
    for where, row in rows:
        begins = f"{where}: " if where else ""
        try:
            parsed = domain.read_row(row)
            if parts is not None:
                for item in parsed:
                    require_played(item.kind, parts)
        except UserError as error:
            raise UserError(f"{begins}{error}") from error
        yield from ((begins, item) for item in parsed)


def require_played(kind: str, parts: Components) -> TaskType:
    """Return the task type of a kind. Raises UserError if the kind is not played."""
    if kind not in parts.task_types:
        known = ", ".join(parts.task_types)
        raise UserError(f"this model's settings do not play {kind}, but {known}: set kinds, or name one of them")
    return parts.task_types[kind]


def build_tasks(rows: Sequence[tuple[str, Task | Proposal]], parts: Components) -> list[Task]:
    """Return the tasks of rows, each after what a message about it begins with; proposals are run, all at once.

    Raises UserError for a proposal that makes no task.
    """
    jobs = [item.job for _, item in rows if isinstance(item, Proposal)]
    outcomes = iter(parts.executor.run(jobs) if jobs else ())
    tasks: list[Task] = []
    for begins, item in rows:
        result = item
        if isinstance(result, Proposal):
            outcome = next(outcomes)
            result = LOST if outcome.lost else parts.task_types[result.kind].build_task(result, outcome)
        if isinstance(result, Grade):
            raise UserError(f"{begins}this makes no task ({result.reason} {result.detail}".strip() + "): fix it")
        tasks.append(result)
    return tasks


def suite_key(seed: int, name: str) -> Key:
    """Return the key of a suite's draws: the same before and after training, and in every command, so that only the
    model differs."""
    return Key(seed).at("suite", name)


def evaluate(
    parts: Components, tasks: Sequence[Task], sampling: Sampling, key: Key, greedy: bool = True
) -> list[EvalResult]:
    """Return how each task was answered: eight rollouts as `sampling` says, and a greedy one.

    Tasks of kinds that are not played are left out, so compare only what the same components have answered. A prompt
    that is too long for the model counts as wrong.
    """
    played = [task for task in tasks if task.kind in parts.task_types]
    drawn = _by_task(solve(played, ROLLOUTS, parts, sampling, key.at("tries")), ROLLOUTS)
    surest = replace(sampling, temperature=0.0, top_p=1.0)
    sure = _by_task(solve(played if greedy else (), 1, parts, surest, key.at("greedy")), 1)
    results: list[EvalResult] = []
    for index, task in enumerate(played):
        graded = [rollout for rollout in drawn[index] if not _lost(rollout)]
        best = [rollout.grade.correct for rollout in sure.get(index, ()) if not _lost(rollout)]
        correct = sum(rollout.grade.correct for rollout in graded)
        results.append(EvalResult(task.kind, correct, len(graded), best[0] if best else None, task.group))
    return results


def _by_task(rollouts: Sequence[Rollout], n: int) -> Mapping[int, Sequence[Rollout]]:
    return {start // n: rollouts[start : start + n] for start in range(0, len(rollouts), n)}


def _lost(rollout: Rollout) -> bool:
    """Return whether it was answered, and not graded: the machine failed."""
    return rollout.grade.status is Status.MASKED and bool(rollout.completion.tokens)
