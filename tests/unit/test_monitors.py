"""What is recorded of a step, by hand, and what a short seeding is told."""

from pathlib import Path

import pytest

from absolute_zero.checked.looks import RESERVED
from absolute_zero.monitors import base_rates, overview, step_metrics
from absolute_zero.store import Store
from absolute_zero.training import complaint
from absolute_zero.types import (
    Completion,
    Grade,
    Job,
    Prompt,
    Proposal,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    Task,
    Validation,
)

PASSED, WRONG = Grade(Status.PASSED, 1.0), Grade(Status.FAILED, 0.0, "wrong")
BROKEN, MASKED = Grade(Status.MALFORMED, 0.0, "truncated"), Grade(Status.MASKED, 0.0, "infrastructure")
KIND = "select-1"


def rollout(role: Role, grade: Grade, tokens: int = 3, reward: float | None = 0.0, text: str = "text") -> Rollout:
    return Rollout(role, KIND, 0, 0, 0, Prompt("p"), Completion(text, (1,) * tokens, ()), grade, reward)


def validation(result: Task | Grade, valid: bool = True) -> Validation:
    parsed = result if isinstance(result, Grade) and not valid else Proposal(KIND, Job("", ("1",)))
    return Validation(ProposalRollout(KIND, 0, (), Prompt("p"), Completion("", (), ()), parsed), result, valid)


def test_a_step_by_hand() -> None:
    tasks = (
        Task(KIND, "", id=1, step=1, label="int", trials=4, successes=1),
        Task(KIND, "", id=2, step=1, label="int", trials=4, successes=4),
        Task(KIND, "", id=3, step=1, trials=2, successes=1),
        Task(KIND, "", id=4, step=1, label="str"),  # the machine failed on all its rollouts
    )
    step = Step(
        1,
        (*map(validation, tasks), validation(Grade(Status.NEUTRAL, reason="duplicate")), validation(BROKEN, False)),
        tasks,
        (
            rollout(Role.SOLVE, PASSED, 2, 1.0), rollout(Role.SOLVE, WRONG, 4, -0.5),
            rollout(Role.SOLVE, BROKEN, 6, -1.0), rollout(Role.SOLVE, MASKED, 0, None),
            rollout(Role.PROPOSE, PASSED, 9, 0.75),
        ),
        stats={"loss": -0.5, "skill/solve/select-1": 0.25},
    )  # fmt: skip
    assert step_metrics(step) == {
        "proposals/total/select-1": 6, "proposals/parsed/select-1": 5, "proposals/valid/select-1": 5,
        "proposals/accepted/select-1": 4, "proposals/rejected/select-1/duplicate": 1,
        "proposals/rejected/select-1/truncated": 1,
        # (1/4 + 4/4 + 1/2) / 3, and of those with a label (1/4 + 4/4) / 2.
        "difficulty/success_rate/select-1": pytest.approx(1.75 / 3), "difficulty/success_rate/select-1/int": 0.625,
        "difficulty/learnable/select-1": 2, "difficulty/histogram/select-1/1of4": 1,
        "difficulty/histogram/select-1/4of4": 1, "difficulty/histogram/select-1/1of2": 1,
        "rollouts/total/solve/select-1": 4, "rollouts/masked/solve/select-1": 1,
        "rollouts/malformed/solve/select-1": 1, "rollouts/correct/solve/select-1": 1,
        "response_tokens/mean/solve/select-1": 3, "reward/mean/solve/select-1": pytest.approx(-0.5 / 3),
        "rollouts/total/propose/select-1": 1, "rollouts/masked/propose/select-1": 0,
        "rollouts/malformed/propose/select-1": 0, "rollouts/correct/propose/select-1": 1,
        "response_tokens/mean/propose/select-1": 9, "reward/mean/propose/select-1": 0.75,
        "loss": -0.5, "skill/solve/select-1": 0.25,
    }  # fmt: skip

    # No policy may report metrics of these names.
    assert all(name.startswith(RESERVED) for name in step_metrics(step) if name not in step.stats)

    line = overview(step_metrics(step), [KIND])
    assert line.accepted == {KIND: 4}
    assert (line.valid, line.learnable, line.tokens) == (5 / 6, 2 / 3, 2 + 4 + 6 + 0 + 9)
    assert line.success_rate == {KIND: pytest.approx(1.75 / 3)}
    assert line.reward == {Role.PROPOSE: 0.75, Role.SOLVE: pytest.approx(-0.5 / 3)}
    # 1/4, 4/4 and 1/2; the machine failed on the fourth.
    assert base_rates(tasks) == {f"difficulty/success_rate_base/{KIND}": pytest.approx(1.75 / 3)}


def test_a_step_without_anything_measures_nothing() -> None:
    assert step_metrics(Step(1, (), (), ())) == {}
    assert overview({}, [KIND]) == ({KIND: 0}, None, None, {}, {}, 0)
    assert base_rates([]) == {}


def test_an_overview_is_over_all_kinds() -> None:
    metrics = {
        "proposals/total/a": 4.0, "proposals/valid/a": 1.0, "proposals/total/b": 4.0, "proposals/valid/b": 4.0,
        "difficulty/learnable/a": 0.0, "difficulty/histogram/a/2of2": 1.0,
        "difficulty/learnable/b": 2.0, "difficulty/histogram/b/1of2": 2.0,
        "rollouts/total/solve/a": 4.0, "rollouts/masked/solve/a": 1.0, "reward/mean/solve/a": 1.0,
        "rollouts/total/solve/b": 1.0, "rollouts/masked/solve/b": 0.0, "reward/mean/solve/b": -1.0,
    }  # fmt: skip
    line = overview(metrics, ["a", "b"])
    assert (line.valid, line.learnable) == (5 / 8, 2 / 3)
    assert line.reward == {Role.SOLVE: (3 * 1.0 - 1.0) / 4}  # three of a and one of b were rewarded


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("duplicate", "raise seeding.rounds"),
        ("prompt_too_long", "raise sampling.max_prompt_tokens"),
        ("truncated", "raise sampling.max_tokens"),
        ("copy", "give the domain more seeds"),
        ("infrastructure", "look at the executor or the machine"),
    ],
)
def test_a_short_seeding_is_told_what_to_do(tmp_path: Path, reason: str, remedy: str) -> None:
    grades = [Grade(Status.MALFORMED, reason=reason)] * 2 + [Grade(Status.FAILED, reason="error")]
    rollouts = [
        rollout(Role.PROPOSE, grade, text=text) for grade, text in zip(grades, ("first", "a\nb", ""), strict=True)
    ]
    with Store.open(tmp_path / "run.db") as store:
        store.commit(Step(0, tuple(validation(grade) for grade in grades), (), tuple(rollouts)), {})
        line = complaint({KIND: 0, "other": 3}, 8, store)
    assert line.startswith(f"seeding gave only 0 of 8 select-1 and 3 of 8 other tasks; rejected: {reason} 2, error 1;")
    assert "'first' and 'a\\nb'" in line
    assert "\n" not in line
    assert remedy in line


def test_a_short_seeding_without_a_response(tmp_path: Path) -> None:
    with Store.open(tmp_path / "run.db") as store:
        assert "rejected: none; the last responses: none kept: raise seeding.rounds" in complaint({KIND: 0}, 8, store)
