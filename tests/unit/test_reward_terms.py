"""Reward terms, and scales of a plug-in: who gets them, how they count, and one line for a term that gives nonsense."""

import math
from dataclasses import replace
from typing import Any

import pytest

from absolute_zero import selfplay
from absolute_zero.ports import Components, RewardTerm
from absolute_zero.rewards import SCALES, Scale
from absolute_zero.types import Completion, Grade, Prompt, Role, Rollout, Status, Task, UserError
from letters import Counter, speller
from worlds import Watched, components, empty_buffer, settings, watched

DOMAIN = "letters:DOMAIN"
TASK = Task("count", "abc", id=4)
GRADES = (
    Grade(Status.PASSED, 0.75),
    Grade(Status.PASSED, 0.0),
    Grade(Status.FAILED, reason="wrong"),
    Grade(Status.MALFORMED, reason="form"),
    Grade(Status.NEUTRAL, reason="duplicate"),
    Grade(Status.MASKED, reason="infrastructure"),
)


def rollouts(role: Role) -> list[Rollout]:
    completion = Completion("x", (1, 2, 3), (0.0,) * 3)
    return [Rollout(role, "count", n, 0, 4, Prompt("?"), completion, grade) for n, grade in enumerate(GRADES)]


def rewards(role: Role, *terms: tuple[RewardTerm, float], **parts: Any) -> list[float | None]:
    world = Components(policy=None, executor=None, task_types={}, held_out=frozenset(), reward_terms=terms, **parts)  # pyright: ignore[reportArgumentType]
    return [r.reward for r in selfplay.compute_rewards(rollouts(role), [TASK], 9, world, settings(domain=DOMAIN))]


def one(rollout: Rollout, task: Task, number: int) -> float:
    return 1.0


@pytest.mark.parametrize("role", Role)
def test_terms_are_added_to_what_passes_and_to_nothing_else(role: Role) -> None:
    assert rewards(role) == [0.75, 0.0, -0.5, -1.0, 0.0, None]
    assert rewards(role, (one, 0.25)) == [1.0, 0.25, -0.5, -1.0, 0.0, None]


def test_each_term_counts_by_its_weight() -> None:
    def letters(rollout: Rollout, task: Task, number: int) -> float:
        return float(len(task.payload))

    # 0.75 + 0.5 * 1 - 0.25 * 3 = 0.5, and 0 + 0.5 - 0.75 = -0.25
    assert rewards(Role.SOLVE, (one, 0.5), (letters, -0.25))[:3] == [0.5, -0.25, -0.5]
    assert rewards(Role.SOLVE, (one, 0.0)) == rewards(Role.SOLVE)


def test_a_term_is_told_the_rollout_the_task_and_the_step() -> None:
    seen: list[tuple[Rollout, Task, int]] = []

    def note(rollout: Rollout, task: Task, number: int) -> float:
        seen.append((rollout, task, number))
        return 0.0

    rewards(Role.PROPOSE, (note, 1.0))
    assert seen == [(rollout, TASK, 9) for rollout in rollouts(Role.PROPOSE)[:2]]


@pytest.mark.parametrize("worth", [math.nan, math.inf, -math.inf, 1e300])
def test_a_term_that_is_not_finite_is_one_line(worth: float) -> None:
    with pytest.raises(UserError, match=r"reward\.terms") as caught:
        rewards(Role.SOLVE, (one, 1.0), (lambda rollout, task, number: worth, 1.0))
    assert len(str(caught.value).splitlines()) == 1
    assert "task 4" in str(caught.value)


def test_a_plug_ins_scale_takes_the_place_of_the_settings() -> None:
    own = {**SCALES["paper"], Role.SOLVE: Scale(zero=-0.125, failed=-0.25, malformed=-2.0, neutral=0.5)}
    assert rewards(Role.SOLVE, scales=own) == [0.75, -0.125, -0.25, -2.0, 0.5, None]
    assert rewards(Role.PROPOSE, scales=own) == [0.75, 0.0, -0.5, -1.0, 0.0, None]


# --- in a step ----------------------------------------------------------------------------------------------


def trained(seen: Watched, *terms: tuple[RewardTerm, float]) -> list[Rollout]:
    cfg = settings(domain=DOMAIN, solve={"n_difficulty": 4, "n_practice": 2, "reuse_difficulty": True})
    parts = components(seen, cfg, reward_terms=terms)
    buffer = empty_buffer(cfg)
    rounds = [selfplay.step(number, parts, buffer, {}, cfg) for number in (1, 2)]
    return [rollout for done in rounds for rollout in done.rollouts]


def test_terms_change_rewards_and_through_them_what_is_learned() -> None:
    """Of proposals, difficulty rollouts and practice on new and old tasks alike."""

    def brevity(rollout: Rollout, task: Task, number: int) -> float:
        assert rollout.task == task.id != 0
        assert rollout.kind == task.kind
        return 1 / len(task.payload) + number

    plain_seen, seen = watched(Counter(), speller()), watched(Counter(), speller())
    plain, shaped = trained(plain_seen), trained(seen, (brevity, 0.5))
    assert [replace(r, reward=None, advantage=0.0) for r in plain] == [
        replace(r, reward=None, advantage=0.0) for r in shaped
    ]
    for before, after in zip(plain, shaped, strict=True):
        passed = before.grade.status is Status.PASSED and before.reward is not None
        assert (before.reward != after.reward) is passed
        assert (after.reward or 0) - (before.reward or 0) == 0 or passed
    roles = {(r.role, r.kind) for b, r in zip(plain, shaped, strict=True) if b.reward != r.reward}
    assert roles == {(role, kind) for role in Role for kind in ("count", "word")}
    assert [s.advantage for s in plain_seen.learned] != [s.advantage for s in seen.learned]
