"""Steps to commit: small ones with every part filled in, and endless equal ones for a process that is to be killed."""

import json
import random
import sys
from itertools import zip_longest
from pathlib import Path

from absolute_zero.store import Flag, Store
from absolute_zero.types import (
    Completion,
    Grade,
    Prompt,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    Task,
    Validation,
)


def payload(program: str = "def f(x):\n    return x", message: str = "the same") -> str:
    """Return a payload as the domain `python` writes it."""
    content = {"program": program, "pairs": [["1", "1"], ["2", "2"]], "message": message}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def task(id_: int, step: int, kind: str = "deduction") -> Task:
    """Return an accepted task, told apart by its id."""
    identity = (f"exact {id_}", f"family {id_}", f"behaviour {id_}")
    return Task(kind, payload(), "def f(x):", "", "", id_, step, (0, 7), *identity, 8, 3)


def bare(number: int, *ids: int) -> Step:
    """Return a step of nothing but these accepted tasks."""
    return Step(number, (), tuple(task(id_, number) for id_ in ids), ())


def rollout(
    role: Role = Role.SOLVE,
    item: int = 0,
    attempt: int = 0,
    task: int = 0,
    status: Status = Status.PASSED,
    text: str = "2</answer>",
) -> Rollout:
    """Return a response of three tokens to a prompt that its item names."""
    completion = Completion(text, tokens=(4, 5, 6), logprobs=(-0.1, -0.2, -0.3))
    grade = Grade(status, 1.0, "" if status is Status.PASSED else "wrong", "a line")
    reward = None if status is Status.MASKED else 0.875
    prompt = Prompt(f"prompt {item}")
    return Rollout(role, "deduction", item, attempt, task, prompt, completion, grade, reward, 0.125, -1.5)


def rejected(reason: str, detail: str, kind: str = "abduction", status: Status = Status.FAILED) -> Validation:
    """Return a proposal that became no task."""
    grade = Grade(status, 0.0, reason, detail)
    proposal = ProposalRollout(kind, 0, (), Prompt("prompt"), Completion("", (), ()), grade)
    return Validation(proposal, grade, valid=False)


TASKS = 3
"""Accepted in each of the endless steps."""


def endless(number: int) -> Step:
    """Return step `number` of a run that goes on for ever: three tasks and texts that do not compress."""
    key = random.Random(number)
    tasks = tuple(task(TASKS * (number - 1) + k, number) for k in range(1, TASKS + 1))
    texts = [f"{key.getrandbits(80_000):x}" for _ in range(5)]
    rollouts = tuple(rollout(item=k, task=tasks[0].id, text=text) for k, text in enumerate(texts))
    return Step(number, (), tasks, rollouts, {"trr++": {"steps": number}})


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
    store.commit(endless(number), {"reward": number / 3}, {"wall": 1.0}, flags=[Flag("odd", "a line")])


# --- runs that should be equal ------------------------------------------------------------------------------


def rows_of(path: Path, ignored: tuple[str, ...] = ()) -> list[str]:
    """Return the rows of a run as of the newest schema, without clocks and these facts of the run. Changes no byte."""
    with Store.read(path) as store:
        return [row for row in store.dump() if not any(row.startswith(f"run ['{key}'") for key in ignored)]


def difference(left: Path, right: Path, ignored: tuple[str, ...] = ("commit", "python", "sandbox")) -> str:
    """Return where two runs first differ, whatever their schemas; empty if they are equal in all but clocks and the
    facts that are ignored."""
    for row, other in zip_longest(rows_of(left, ignored), rows_of(right, ignored), fillvalue="nothing"):
        if row != other:
            return f"{left.name}: {row}\n{right.name}: {other}"
    return ""


if __name__ == "__main__":
    write_for_ever(Path(sys.argv[1]))
