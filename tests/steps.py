"""Steps to commit: small ones with every part filled in, and endless equal ones for a process that is to be killed."""

import random
import sys
from pathlib import Path

from absolute_zero.store import Flag, Score, Store
from absolute_zero.types import (
    Completion,
    Entry,
    Grade,
    Kind,
    Problem,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    Validation,
)


def entry(id_: int, step: int, kind: Kind = Kind.DEDUCTION, text: str = "def f(x):\n    return x") -> Entry:
    """An accepted task, told apart by its id."""
    problem = Problem(kind, text, (("1", "1"), ("2", "2")), "the same")
    return Entry(id_, problem, step, (0, 7), f"normal {id_}", f"key {id_}", f"behaviour {id_}", 8, 3)


def bare(number: int, *ids: int) -> Step:
    """A step of nothing but these accepted tasks."""
    return Step(number, (), tuple(entry(id_, number) for id_ in ids), ())


def rollout(
    role: Role = Role.SOLVE,
    item: int = 0,
    attempt: int = 0,
    task: int = 0,
    status: Status = Status.PASSED,
    text: str = "2</answer>",
) -> Rollout:
    """A response of three tokens to a prompt that its item names."""
    said = Completion(text, tokens=(4, 5, 6), logprobs=(-0.1, -0.2, -0.3))
    judged = Grade(status, 1.0, "" if status is Status.PASSED else "wrong", "a line")
    reward = None if status is Status.MASKED else 0.875
    return Rollout(role, Kind.DEDUCTION, item, attempt, task, f"prompt {item}", said, judged, reward, 0.125, -1.5)


def refused(reason: str, detail: str, kind: Kind = Kind.ABDUCTION, status: Status = Status.FAILED) -> Validation:
    """A draft that became no task."""
    judged = Grade(status, 0.0, reason, detail)
    return Validation(ProposalRollout(kind, 0, (), "prompt", Completion("", (), ()), judged), judged, valid=False)


TASKS = 3
"""Accepted in each of the endless steps."""


def endless(number: int) -> Step:
    """Step `number` of a run that goes on for ever: three tasks and texts that do not compress."""
    key = random.Random(number)
    tasks = tuple(entry(TASKS * (number - 1) + k, number) for k in range(1, TASKS + 1))
    texts = [f"{key.getrandbits(80_000):x}" for _ in range(5)]
    return Step(number, (), tasks, tuple(rollout(item=k, task=tasks[0].id, text=text) for k, text in enumerate(texts)))


def write_for_ever(path: Path) -> None:
    """Go on with the endless run, and print the number of every step that was committed."""
    with Store.open(path) as store:
        number = store.last_step() or 0
        while True:
            number += 1
            keep(store, number)
            print(number, flush=True)


def keep(store: Store, number: int) -> None:
    """Commit one of the endless steps."""
    scores = [Score("arithmetic", "pass@1", number / 7, 0.0, 1.0, 100)]
    store.commit(endless(number), {"reward": number / 3}, {"wall": 1.0}, scores=scores, flags=[Flag("odd", "a line")])


if __name__ == "__main__":
    write_for_ever(Path(sys.argv[1]))
