"""Held-out tasks of a domain, and how a policy answers them.

Tasks come from the suites of a domain, or from a JSONL file whose rows the domain reads (`Domain.read_row`). They are
posed, answered and graded by `selfplay.solve`, as in training; nothing of them is stored in a buffer. Floor 4.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from absolute_zero.disk import read_rows
from absolute_zero.evals.statistics import EvalResult
from absolute_zero.keys import Key
from absolute_zero.ports import Components, Domain
from absolute_zero.selfplay import LOST, solve
from absolute_zero.types import Grade, Proposal, Rollout, Sampling, Status, Task, UserError

ROLLOUTS: Final = 8
"""Rollouts per task at temperature 1: enough for pass@8."""


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
    rows: list[tuple[str, Task | Proposal]] = []
    for where, row in read_rows(path, "tasks"):
        try:
            parsed = domain.read_row(row)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
        for item in parsed:
            if isinstance(item, Proposal) and parts is None:
                raise UserError(f"{where}: its answer is not known without running it: give that, too")
            if isinstance(item, Task) or (parts and item.kind in parts.task_types):
                rows.append((f"{where}: ", item))
    return build_tasks(rows, parts) if parts else [item for _, item in rows if isinstance(item, Task)]


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
