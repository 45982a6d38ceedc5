"""The loop: its order, what each part hands on, what is paid, and what happens when things go wrong."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from absolute_zero import selfplay
from absolute_zero.buffer import Buffer
from absolute_zero.config import Config
from absolute_zero.domains.python import ZERO
from absolute_zero.domains.python.novelty import KINDRED, probes
from absolute_zero.domains.python.payload import DEDUCTION
from absolute_zero.executor import Sandbox
from absolute_zero.keys import Key
from absolute_zero.ports import Components
from absolute_zero.text import render_program_and_input
from absolute_zero.training import seed
from absolute_zero.types import Completion, Grade, Prompt, Role, Rollout, Status, Step
from worlds import Watched, components, empty_buffer, says, settings, watched

KINDS = settings().kinds


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1, minimum_level="weak") as made:
        yield made


@pytest.fixture
def seen(sandbox: Sandbox) -> Watched:
    return watched(sandbox)


def taught(seen: Watched, **changed: object) -> tuple[Step, Buffer]:
    """One step on top of two rounds of seeding."""
    cfg = settings(**changed)
    buffer = empty_buffer(cfg)
    for number in (-1, 0):
        seed(number, components(seen, cfg), buffer, cfg)
    seen.calls.clear(), seen.prompts.clear(), seen.keys.clear(), seen.jobs.clear()  # pyright: ignore[reportUnusedExpression]
    return selfplay.step(1, components(seen, cfg), buffer, {}, cfg), buffer


# --- order --------------------------------------------------------------------------------------------------


def test_the_step_goes_in_the_papers_order(seen: Watched) -> None:
    step, _ = taught(seen, solve={"n_difficulty": 4, "n_practice": 2, "reuse_difficulty": False})
    # propose 4 of each kind; validate; 4 rollouts of each new task; 2 of 4 tasks of each kind; one update.
    new = len(step.tasks)
    assert seen.calls == ["sample 12x1", "run", "run", f"sample {new}x4", "run", "sample 12x2", "run", "update"]


def test_proposals_run_twice_alike_and_then_on_their_probes(seen: Watched) -> None:
    taught(seen)
    jobs = [job for job in seen.jobs if job.deterministic]
    assert len(jobs) == 24  # the apprentice's are all valid
    for own, asked in zip(jobs[:12], jobs[12:], strict=True):
        assert len(own.inputs) == (4 if own.inputs[1:] else 1)
        assert asked.program == own.program
        assert asked.inputs == probes(own.inputs[0])


def test_a_machine_that_fails_on_a_probe_leaves_the_proposal_out(seen: Watched) -> None:
    seen.fails = lambda job: job.deterministic and len(job.inputs) >= KINDRED
    step, _ = taught(seen)
    assert not step.tasks
    grades = [validation.result for validation in step.validations if isinstance(validation.result, Grade)]
    assert {(grade.status, grade.reason) for grade in grades} == {(Status.MASKED, "infrastructure")}


def test_every_draw_has_an_address_of_its_own(seen: Watched) -> None:
    taught(seen, solve={"n_difficulty": 4, "reuse_difficulty": False})
    assert len({key.bits for key in seen.keys}) == len(seen.keys)
    assert all(key.seed == 7 and key.address[0] == 1 for key in seen.keys)


def test_a_step_is_a_function_of_seed_number_weights_and_buffer(sandbox: Sandbox) -> None:
    first, _ = taught(watched(sandbox))
    again, _ = taught(watched(sandbox))
    other, _ = taught(watched(sandbox), seed=8)
    assert first == again
    assert first != other


# --- practice -----------------------------------------------------------------------------------------------


def test_new_tasks_are_practised_first_and_the_rest_comes_from_the_buffer(seen: Watched) -> None:
    step, buffer = taught(seen, solve={"n_difficulty": 4, "n_practice": 1, "reuse_difficulty": False})
    cfg = settings()
    new = [task for task in step.tasks if task.id % 2]
    reusing, fresh = settings(), settings(solve={"n_difficulty": 4, "reuse_difficulty": False})
    for index in range(20):
        chosen = selfplay.choose_practice(new, components(seen, settings()), buffer, fresh, Key(index))
        for kind in KINDS:
            mine = [task for task in chosen if task.kind == kind]
            first = [task for task in new if task.kind == kind]
            assert mine[: len(first)] == first
            assert len({task.id for task in mine}) == len(mine) == cfg.propose.batch
        reused = selfplay.choose_practice(new, components(seen, settings()), buffer, reusing, Key(index))
        assert reused == [task for task in chosen if task not in new]


@pytest.mark.parametrize("reused", [True, False])
def test_new_tasks_that_teach_nothing_leave_room_for_more_practice(seen: Watched, reused: bool) -> None:
    cfg = settings(solve={"n_difficulty": 4, "reuse_difficulty": reused, "practice": "learnable"})
    step, buffer = taught(seen, solve={"n_difficulty": 4, "reuse_difficulty": reused, "practice": "learnable"})
    new = [replace(task, trials=4, successes=index % 5) for index, task in enumerate(step.tasks)]
    chosen = selfplay.choose_practice(new, components(seen, settings()), buffer, cfg, Key(0))
    assert chosen
    for kind in KINDS:
        mixed = [task for task in new if task.kind == kind and 0 < task.successes < 4]
        mine = [task for task in chosen if task.kind == kind]
        assert len(mine) == cfg.propose.batch - (len(mixed) if reused else 0)
        assert mine[: len(mixed)] == mixed or reused
        assert all(0 < task.successes < task.trials or not task.trials for task in mine)


def test_difficulty_rollouts_are_learned_from_only_if_they_are_reused(seen: Watched) -> None:
    step, _ = taught(seen, solve={"n_difficulty": 4, "n_practice": 2, "reuse_difficulty": False})
    new = len(step.tasks)
    difficulty = [r for r in step.rollouts if r.role is Role.SOLVE and r.item < new]
    assert len(difficulty) == 4 * new
    assert all(r.reward is None and not r.weight for r in difficulty)
    practice = [r for r in step.rollouts if r.role is Role.SOLVE and r.item >= new]
    assert len(practice) == 2 * 12
    assert all(r.weight == 1 / 2 for r in practice)  # lambda 1, two rollouts of each task
    assert len(seen.learned) == 12 + 24

    step, _ = taught(seen)
    solved = [r for r in step.rollouts if r.role is Role.SOLVE]
    assert len(solved) == 4 * len(step.tasks) + (12 - len(step.tasks))
    assert {r.weight for r in solved if r.item < len(step.tasks)} == {1 / 4}


def test_valid_means_that_it_ran_to_values_twice_alike(sandbox: Sandbox) -> None:
    """Whatever is new about it, and whatever its probes come to."""
    cfg = settings(kinds=["deduction"])
    programs = {
        "def f(x):\n    return 99 // x": (True, None),  # its probes include a zero
        "def f(x):\n    return 99 // (x - 3)": (False, "error"),
        "def f(x):\n    return 5": (True, "ignores_input"),
        "def f(x):\n    return x": (True, "copy"),
        "def f(x):\n    return str(lambda: x)": (False, "nondeterministic"),
        "def f(x):\n    return id([x])": (False, "dynamic"),
        "def f(x):\n    return x * 0": (True, "constant"),
    }
    for program, (valid, reason) in programs.items():
        argument = "1" if "return x\n" in program + "\n" else "3"
        text = f"</think><answer>{render_program_and_input(program, argument)}</answer>"
        validation = seed(0, components(watched(sandbox, says(text)), cfg), empty_buffer(cfg), cfg).validations[0]
        assert validation.valid is valid, program
        assert (validation.result.reason if isinstance(validation.result, Grade) else None) == reason


# --- rewards and advantages ---------------------------------------------------------------------------------


def rollout(role: Role, item: int, attempt: int, status: Status, score: float = 0.0, tokens: int = 3) -> Rollout:
    completion = Completion("x", (1,) * tokens, (0.0,) * tokens)
    return Rollout(role, DEDUCTION, item, attempt, 0, Prompt(f"prompt {item}"), completion, Grade(status, score))


def paid_for(rollouts: list[Rollout], cfg: Config, key: Key) -> list[Rollout]:
    """Rollouts with reward, weight and advantage, as a step gives them to its policy."""
    parts = Components(policy=None, executor=None, task_types={}, held_out=frozenset())  # pyright: ignore[reportArgumentType]
    rewarded = selfplay.compute_rewards(rollouts, [ZERO], 1, parts, cfg)
    return selfplay.compute_advantages(rewarded, {}, parts, cfg, key)[0]


def test_advantages_by_hand() -> None:
    """Proposals earn 0.75, -0.5 and -1: mean -0.25, deviations 1, -0.25, -0.75, variance 1.625 / 3, std 0.735980.
    Advantages 1 / 0.735981 = 1.358731, -0.339683 and -1.019048 (with 1e-6 on the std).

    Solutions: task 0 was answered twice (weights 2 / 2 with lambda 2), task 1 once (2 / 1): rewards 1, -0.5 | 1.
    Weighted mean (1 - 0.5 + 2) / 4 = 0.625; variance (0.375^2 + 1.125^2 + 2 * 0.375^2) / 4 = 0.421875, std 0.649519.
    Advantages 0.375 / 0.649520 = 0.577349, -1.125 / 0.649520 = -1.732048, 0.577349.
    """
    rollouts = [
        rollout(Role.PROPOSE, 0, 0, Status.PASSED, 0.75),
        rollout(Role.PROPOSE, 1, 0, Status.FAILED),
        rollout(Role.PROPOSE, 2, 0, Status.MALFORMED),
        rollout(Role.SOLVE, 0, 0, Status.PASSED, 1.0),
        rollout(Role.SOLVE, 0, 1, Status.FAILED),
        rollout(Role.SOLVE, 1, 0, Status.PASSED, 1.0),
        rollout(Role.SOLVE, 1, 1, Status.MASKED),
    ]
    paid = paid_for(rollouts, settings(solve={"solver_weight": 2.0}), Key(0))
    assert [r.reward for r in paid] == [0.75, -0.5, -1.0, 1.0, -0.5, 1.0, None]
    assert [r.weight for r in paid] == [1, 1, 1, 1, 1, 2, 0]
    expected = [1.358731, -0.339683, -1.019048, 0.577349, -1.732048, 0.577349, 0.0]
    assert [r.advantage for r in paid] == pytest.approx(expected, abs=1e-5)
    assert [s.weight for s in selfplay.samples(paid)] == [1, 1, 1, 1, 1, 2]


def test_rewards_on_the_scale_of_the_reference() -> None:
    """A proposal that nobody learns from earns what one that fails does by the paper, and one that fails as broken."""
    grades = [(Status.PASSED, 0.75), (Status.PASSED, 0.0), (Status.FAILED, 0.0), (Status.MALFORMED, 0.0)]
    rollouts = [rollout(role, item, 0, *grade) for role in Role for item, grade in enumerate(grades)]
    paid = paid_for(rollouts, settings(reward={"scale": "reference"}), Key(0))
    rewards = {role: [r.reward for r in paid if r.role is role] for role in Role}
    assert rewards == {Role.PROPOSE: [0.75, -0.5, -1.0, -1.0], Role.SOLVE: [0.75, 0.0, -0.5, -1.0]}


def test_a_lone_survivor_leaves_the_batch_where_rollouts_are_compared() -> None:
    rollouts = [
        rollout(Role.SOLVE, 0, 0, Status.PASSED, 1.0),
        rollout(Role.SOLVE, 0, 1, Status.MASKED),
        rollout(Role.SOLVE, 1, 0, Status.PASSED, 1.0),
        rollout(Role.SOLVE, 1, 1, Status.FAILED),
    ]
    paid = paid_for(rollouts, settings(solve={"n_practice": 2}, estimator={"solve": "dr_grpo"}), Key(0))
    assert [r.weight for r in paid] == [0, 0, 1 / 2, 1 / 2]
    assert [r.advantage for r in paid] == [0, 0, 0.75, -0.75]


def test_solver_only_training_learns_from_no_proposal(seen: Watched) -> None:
    step, _ = taught(seen, train_roles=["solve"])
    proposals = [r for r in step.rollouts if r.role is Role.PROPOSE]
    assert all(r.reward is not None and r.weight == 0 and r.advantage == 0 for r in proposals)
    assert all(sample.prompt.text.startswith("solve") for sample in seen.learned)
    assert len(seen.learned) == len(step.rollouts) - len(proposals)


def test_learnability_is_what_an_accepted_proposal_is_paid(seen: Watched) -> None:
    step, _ = taught(seen)
    tasks = {task.id: task for task in step.tasks}
    paid = [r for r in step.rollouts if r.role is Role.PROPOSE and r.task]
    assert len(paid) == len(tasks) >= 6
    for r in paid:
        rate = tasks[r.task].successes / 4
        assert r.reward == (0 if rate in (0, 1) else 1 - rate)
    assert len({r.reward for r in paid}) > 1
    other, _ = taught(seen, reward={"learnability": "variance"})
    rates = {task.id: task.successes / 4 for task in other.tasks}
    pairs = [(rates[r.task], r.reward) for r in other.rollouts if r.role is Role.PROPOSE and r.task]
    assert [reward for _, reward in pairs] == [4 * rate * (1 - rate) for rate, _ in pairs]


def test_successes_are_what_is_right_in_full() -> None:
    rollouts = [rollout(Role.SOLVE, 0, t, s, score) for t, (s, score) in enumerate([
        (Status.PASSED, 1.0), (Status.PASSED, 0.8), (Status.FAILED, 0.0), (Status.MALFORMED, 0.0),
        (Status.MASKED, 0.0),
    ])]  # fmt: skip
    [task] = selfplay.with_outcomes([ZERO], rollouts)
    assert (task.trials, task.successes) == (4, 1)


def test_answers_that_agree_are_run_once(seen: Watched) -> None:
    step, _ = taught(seen, solve={"n_difficulty": 12, "n_practice": 1, "reuse_difficulty": True})
    ran = [job for job in seen.jobs if not job.deterministic]
    assert len(set(ran)) == len(ran)
    asked = [r for r in step.rollouts if r.role is Role.SOLVE and r.kind != DEDUCTION]
    assert len(asked) > len(ran) > 0
    grades: dict[tuple[int, str], set[Grade]] = {}
    for r in asked:
        grades.setdefault((r.task, r.completion.text), set()).add(r.grade)
    assert max(Counter((r.task, r.completion.text) for r in asked).values()) > 1
    assert all(len(same) == 1 for same in grades.values())


# --- when things go wrong -----------------------------------------------------------------------------------


def test_a_failing_machine_is_nobodys_fault(seen: Watched) -> None:
    seen.fails = lambda job: not job.deterministic  # every solution that has to run
    step, _ = taught(seen)
    for r in step.rollouts:
        ran = r.role is Role.SOLVE and r.kind != DEDUCTION and r.grade.reason == "infrastructure"
        if ran:
            assert r.grade.status is Status.MASKED
            assert r.reward is None
            assert r.weight == 0
    masked = [task for task in step.tasks if task.kind != DEDUCTION]
    assert masked
    assert all(task.trials == 0 for task in masked)
    neutral = [r for r in step.rollouts if r.role is Role.PROPOSE and r.task in {task.id for task in masked}]
    assert all(r.grade.reason == "no_rollouts" and r.reward is None for r in neutral)

    seen.fails = lambda job: job.deterministic
    step, _ = taught(seen)
    assert not step.tasks
    reasons = {v.result.reason for v in step.validations if isinstance(v.result, Grade)}
    assert reasons == {"infrastructure"}
    assert not seen.learned


def test_a_step_without_a_single_good_response_is_a_step(sandbox: Sandbox, tmp_path: Path) -> None:
    step, buffer = taught(watched(sandbox, says("nonsense")))
    assert not step.tasks
    assert [buffer.size(kind) for kind in KINDS] == [0, 0, 0]
    assert {r.reward for r in step.rollouts} == {-1.0}
    assert {r.advantage for r in step.rollouts} == {0.0}


def test_held_out_programs_leave_the_batch(seen: Watched) -> None:
    cfg = settings()
    first = seed(0, components(seen, cfg), empty_buffer(cfg), cfg)
    tasks = [task for task in first.tasks if task.kind == DEDUCTION]
    held = frozenset({tasks[0].family})
    validations = seed(0, components(seen, cfg), empty_buffer(cfg, held), cfg).validations
    kept = [v.task for v in validations if v.task]
    assert tasks[0].payload not in [task.payload for task in kept]
    hit = [v.result for v in validations if isinstance(v.result, Grade) and v.result.reason == "held_out"]
    assert hit
    assert all(grade.status is Status.MASKED for grade in hit)


def test_as_a_control_advantages_are_dealt_anew_within_role_and_kind() -> None:
    rollouts = [
        rollout(role, item, 0, Status.PASSED, score)
        for role, scores in ((Role.PROPOSE, (0.1, 0.2, 0.3, 0.4, 0.9)), (Role.SOLVE, (1.0, 0.0, 1.0, 0.0, 0.0)))
        for item, score in enumerate(scores)
    ]
    fair = paid_for(rollouts, settings(), Key(0))
    dealt = paid_for(rollouts, settings(estimator={"shuffled": True}), Key(0))
    for role in Role:
        fairly, anew = ([r.advantage for r in paid if r.role is role] for paid in (fair, dealt))
        assert fairly != anew
        assert sorted(fairly) == sorted(anew)
    assert [(r.reward, r.weight) for r in fair] == [(r.reward, r.weight) for r in dealt]
    assert dealt == paid_for(rollouts, settings(estimator={"shuffled": True}), Key(0))
    assert dealt != paid_for(rollouts, settings(estimator={"shuffled": True}), Key(1))
