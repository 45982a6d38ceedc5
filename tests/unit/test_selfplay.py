"""The story: its order, what each part hands on, what is paid, and what happens when things go wrong."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from absolute_zero import selfplay
from absolute_zero.buffer import ZERO, Buffer
from absolute_zero.executor import Sandbox
from absolute_zero.keys import Key
from absolute_zero.novelty import probes
from absolute_zero.novelty.questions import KINDRED
from absolute_zero.store import Store
from absolute_zero.text import render_program_and_input
from absolute_zero.types import (
    Completion,
    Entry,
    Grade,
    Kind,
    Role,
    Rollout,
    Status,
    Step,
    UserError,
)  # fmt: skip
from worlds import Watched, says, settings, watched, world


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
    buffer = Buffer(cfg)
    for number in (-1, 0):
        selfplay.seed(number, world(seen, cfg), buffer, cfg)
    seen.calls.clear(), seen.prompts.clear(), seen.keys.clear(), seen.jobs.clear()  # pyright: ignore[reportUnusedExpression]
    return selfplay.step(1, world(seen, cfg), buffer, cfg), buffer


# --- order --------------------------------------------------------------------------------------------------


def test_the_step_goes_in_the_papers_order(seen: Watched) -> None:
    step, _ = taught(seen, solve={"trials": 4, "tries": 2, "reuse_trials": False})
    # propose 4 of each kind; validate; 4 trials of each new task; 2 tries of 4 tasks of each kind; one update.
    new = len(step.entries)
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
    assert not step.entries
    made = [ruling.made for ruling in step.rulings if isinstance(ruling.made, Grade)]
    assert {(grade.status, grade.reason) for grade in made} == {(Status.MASKED, "infrastructure")}


def test_every_draw_has_an_address_of_its_own(seen: Watched) -> None:
    taught(seen, solve={"trials": 4, "reuse_trials": False})
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
    step, buffer = taught(seen, solve={"trials": 4, "tries": 1, "reuse_trials": False})
    cfg = settings()
    new = [entry for entry in step.entries if entry.id % 2]
    reusing, fresh = settings(), settings(solve={"trials": 4, "reuse_trials": False})
    for place in range(20):
        chosen = selfplay.choose_practice(new, buffer, fresh, Key(place))
        for kind in Kind:
            mine = [entry for entry in chosen if entry.problem.kind is kind]
            first = [entry for entry in new if entry.problem.kind is kind]
            assert mine[: len(first)] == first
            assert len({entry.id for entry in mine}) == len(mine) == cfg.propose.batch
        reused = selfplay.choose_practice(new, buffer, reusing, Key(place))
        assert reused == [entry for entry in chosen if entry not in new]


@pytest.mark.parametrize("reused", [True, False])
def test_new_tasks_that_teach_nothing_leave_room_for_more_practice(seen: Watched, reused: bool) -> None:
    cfg = settings(solve={"trials": 4, "reuse_trials": reused, "practice": "learnable"})
    step, buffer = taught(seen, solve={"trials": 4, "reuse_trials": reused, "practice": "learnable"})
    new = [replace(entry, trials=4, successes=place % 5) for place, entry in enumerate(step.entries)]
    chosen = selfplay.choose_practice(new, buffer, cfg, Key(0))
    assert chosen
    for kind in Kind:
        mixed = [entry for entry in new if entry.problem.kind is kind and 0 < entry.successes < 4]
        mine = [entry for entry in chosen if entry.problem.kind is kind]
        assert len(mine) == cfg.propose.batch - (len(mixed) if reused else 0)
        assert mine[: len(mixed)] == mixed or reused
        assert all(0 < entry.successes < entry.trials or not entry.trials for entry in mine)


def test_trials_are_learned_from_only_if_they_are_reused(seen: Watched) -> None:
    step, _ = taught(seen, solve={"trials": 4, "tries": 2, "reuse_trials": False})
    new = len(step.entries)
    trials = [r for r in step.rollouts if r.role is Role.SOLVE and r.item < new]
    assert len(trials) == 4 * new
    assert all(r.reward is None and not r.weight for r in trials)
    practice = [r for r in step.rollouts if r.role is Role.SOLVE and r.item >= new]
    assert len(practice) == 2 * 12
    assert all(r.weight == 1 / 2 for r in practice)  # lambda 1, two tries of each task
    assert len(seen.learned) == 12 + 24

    step, _ = taught(seen)
    solved = [r for r in step.rollouts if r.role is Role.SOLVE]
    assert len(solved) == 4 * len(step.entries) + (12 - len(step.entries))
    assert {r.weight for r in solved if r.item < len(step.entries)} == {1 / 4}


def test_valid_means_that_it_ran_to_values_twice_alike(sandbox: Sandbox) -> None:
    """Whatever is new about it, and whatever its probes come to."""
    cfg = settings(kinds=["deduction"])
    told = {
        "def f(x):\n    return 99 // x": (True, None),  # its probes include a zero
        "def f(x):\n    return 99 // (x - 3)": (False, "error"),
        "def f(x):\n    return 5": (True, "ignores_input"),
        "def f(x):\n    return x": (True, "copy"),
        "def f(x):\n    return str(lambda: x)": (False, "nondeterministic"),
        "def f(x):\n    return id([x])": (False, "dynamic"),
        "def f(x):\n    return x * 0": (True, "constant"),
    }
    for program, (valid, reason) in told.items():
        given = "1" if "return x\n" in program + "\n" else "3"
        text = f"</think><answer>{render_program_and_input(program, given)}</answer>"
        ruling = selfplay.seed(0, world(watched(sandbox, says(text)), cfg), Buffer(cfg), cfg).rulings[0]
        assert ruling.valid is valid, program
        assert (ruling.made.reason if isinstance(ruling.made, Grade) else None) == reason


# --- credit -------------------------------------------------------------------------------------------------


def rollout(role: Role, item: int, attempt: int, status: Status, score: float = 0.0, tokens: int = 3) -> Rollout:
    said = Completion("x", (1,) * tokens, (0.0,) * tokens)
    return Rollout(role, Kind.DEDUCTION, item, attempt, 0, f"prompt {item}", said, Grade(status, score))


def test_credit_by_hand() -> None:
    """Proposals earn 0.75, -0.5 and -1: mean -0.25, deviations 1, -0.25, -0.75, variance 1.625 / 3, std 0.735980.
    Advantages 1 / 0.735981 = 1.358731, -0.339683 and -1.019048 (with 1e-6 on the std).

    Solutions: task 0 was tried twice (weights 2 / 2 with lambda 2), task 1 once (2 / 1): rewards 1, -0.5 | 1.
    Weighted mean (1 - 0.5 + 2) / 4 = 0.625; variance (0.375^2 + 1.125^2 + 2 * 0.375^2) / 4 = 0.421875, std 0.649519.
    Advantages 0.375 / 0.649520 = 0.577349, -1.125 / 0.649520 = -1.732048, 0.577349.
    """
    given = [
        rollout(Role.PROPOSE, 0, 0, Status.PASSED, 0.75),
        rollout(Role.PROPOSE, 1, 0, Status.FAILED),
        rollout(Role.PROPOSE, 2, 0, Status.MALFORMED),
        rollout(Role.SOLVE, 0, 0, Status.PASSED, 1.0),
        rollout(Role.SOLVE, 0, 1, Status.FAILED),
        rollout(Role.SOLVE, 1, 0, Status.PASSED, 1.0),
        rollout(Role.SOLVE, 1, 1, Status.MASKED),
    ]
    paid = selfplay.compute_advantages(given, settings(solve={"lam": 2.0}), Key(0))
    assert [r.reward for r in paid] == [0.75, -0.5, -1.0, 1.0, -0.5, 1.0, None]
    assert [r.weight for r in paid] == [1, 1, 1, 1, 1, 2, 0]
    expected = [1.358731, -0.339683, -1.019048, 0.577349, -1.732048, 0.577349, 0.0]
    assert [r.advantage for r in paid] == pytest.approx(expected, abs=1e-5)
    assert [s.weight for s in selfplay.samples(paid)] == [1, 1, 1, 1, 1, 2]


def test_credit_on_the_scale_of_the_reference() -> None:
    """A proposal that nobody learns from earns what one that fails does by the paper, and one that fails as broken."""
    judged = [(Status.PASSED, 0.75), (Status.PASSED, 0.0), (Status.FAILED, 0.0), (Status.MALFORMED, 0.0)]
    given = [rollout(role, item, 0, *one) for role in Role for item, one in enumerate(judged)]
    paid = selfplay.compute_advantages(given, settings(reward={"scale": "reference"}), Key(0))
    rewards = {role: [r.reward for r in paid if r.role is role] for role in Role}
    assert rewards == {Role.PROPOSE: [0.75, -0.5, -1.0, -1.0], Role.SOLVE: [0.75, 0.0, -0.5, -1.0]}


def test_a_lone_survivor_leaves_the_batch_where_tries_are_compared() -> None:
    given = [
        rollout(Role.SOLVE, 0, 0, Status.PASSED, 1.0),
        rollout(Role.SOLVE, 0, 1, Status.MASKED),
        rollout(Role.SOLVE, 1, 0, Status.PASSED, 1.0),
        rollout(Role.SOLVE, 1, 1, Status.FAILED),
    ]
    paid = selfplay.compute_advantages(given, settings(solve={"tries": 2}, estimator={"solve": "dr_grpo"}), Key(0))
    assert [r.weight for r in paid] == [0, 0, 1 / 2, 1 / 2]
    assert [r.advantage for r in paid] == [0, 0, 0.75, -0.75]


def test_solver_only_training_learns_from_no_proposal(seen: Watched) -> None:
    step, _ = taught(seen, train_roles=["solve"])
    proposals = [r for r in step.rollouts if r.role is Role.PROPOSE]
    assert all(r.reward is not None and r.weight == 0 and r.advantage == 0 for r in proposals)
    assert all(sample.prompt.startswith("solve") for sample in seen.learned)
    assert len(seen.learned) == len(step.rollouts) - len(proposals)


def test_learnability_is_what_an_accepted_proposal_is_paid(seen: Watched) -> None:
    step, _ = taught(seen)
    entries = {entry.id: entry for entry in step.entries}
    paid = [r for r in step.rollouts if r.role is Role.PROPOSE and r.entry]
    assert len(paid) == len(entries) >= 6
    for r in paid:
        rate = entries[r.entry].successes / 4
        assert r.reward == (0 if rate in (0, 1) else 1 - rate)
    assert len({r.reward for r in paid}) > 1
    other, _ = taught(seen, reward={"learnability": "variance"})
    rates = {entry.id: entry.successes / 4 for entry in other.entries}
    found = [(rates[r.entry], r.reward) for r in other.rollouts if r.role is Role.PROPOSE and r.entry]
    assert [reward for _, reward in found] == [4 * rate * (1 - rate) for rate, _ in found]


def test_trials_count_what_is_right_in_full() -> None:
    tries = [rollout(Role.SOLVE, 0, t, s, score) for t, (s, score) in enumerate([
        (Status.PASSED, 1.0), (Status.PASSED, 0.8), (Status.FAILED, 0.0), (Status.MALFORMED, 0.0),
        (Status.MASKED, 0.0),
    ])]  # fmt: skip
    tried = selfplay.tried(ZERO, tries)
    assert (tried.trials, tried.successes) == (4, 1)


def test_tries_that_agree_are_run_once(seen: Watched) -> None:
    step, _ = taught(seen, solve={"trials": 12, "tries": 1, "reuse_trials": True})
    ran = [job for job in seen.jobs if not job.deterministic]
    assert len(set(ran)) == len(ran)
    asked = [r for r in step.rollouts if r.role is Role.SOLVE and r.kind is not Kind.DEDUCTION]
    assert len(asked) > len(ran) > 0
    said: dict[tuple[int, str], set[Grade]] = {}
    for r in asked:
        said.setdefault((r.entry, r.completion.text), set()).add(r.grade)
    assert max(Counter((r.entry, r.completion.text) for r in asked).values()) > 1
    assert all(len(found) == 1 for found in said.values())


# --- when things go wrong -----------------------------------------------------------------------------------


def test_a_failing_machine_is_nobodys_fault(seen: Watched) -> None:
    seen.fails = lambda job: not job.deterministic  # every solution that has to run
    step, _ = taught(seen)
    for r in step.rollouts:
        ran = r.role is Role.SOLVE and r.kind is not Kind.DEDUCTION and r.grade.reason == "infrastructure"
        if ran:
            assert r.grade.status is Status.MASKED
            assert r.reward is None
            assert r.weight == 0
    voided = [e for e in step.entries if e.problem.kind is not Kind.DEDUCTION]
    assert voided
    assert all(entry.trials == 0 for entry in voided)
    neutral = [r for r in step.rollouts if r.role is Role.PROPOSE and r.entry in {e.id for e in voided}]
    assert all(r.grade.reason == "no_trials" and r.reward is None for r in neutral)

    seen.fails = lambda job: job.deterministic
    step, _ = taught(seen)
    assert not step.entries
    reasons = {ruling.made.reason for ruling in step.rulings if isinstance(ruling.made, Grade)}
    assert reasons == {"infrastructure"}
    assert not seen.learned


def test_a_response_without_tokens_or_cut_short() -> None:
    prompt = "solve deduction\n<think>"
    whole = Completion("</think><answer>1</answer>", (1,), (0.0,))
    assert selfplay.read_answer(prompt, whole) == "1"
    cut = selfplay.read_answer(prompt, replace(whole, truncated=True))
    assert isinstance(cut, Grade)
    assert (cut.status, cut.reason) == (Status.MALFORMED, "truncated")
    none = selfplay.read_answer(prompt, Completion("", (), (), truncated=True))
    assert isinstance(none, Grade)
    assert (none.status, none.reason) == (Status.MASKED, "prompt_too_long")
    closed = selfplay.read_answer("no tag at the end", whole)
    assert isinstance(closed, Grade)
    assert closed.status is Status.MALFORMED


def test_a_step_without_a_single_good_response_is_a_step(sandbox: Sandbox, tmp_path: Path) -> None:
    step, buffer = taught(watched(sandbox, says("nonsense")))
    assert not step.entries
    assert [buffer.size(kind) for kind in Kind] == [0, 0, 0]
    assert {r.reward for r in step.rollouts} == {-1.0}
    assert {r.advantage for r in step.rollouts} == {0.0}


# --- a run --------------------------------------------------------------------------------------------------


def run(seen: Watched, path: Path, **changed: object) -> list[Step]:
    cfg = settings(**changed)
    with Store.open(path) as store:
        return list(selfplay.train(world(seen, cfg), store, cfg))


def test_seeding_starts_from_the_zero_triplet_alone_and_learns_nothing(seen: Watched, tmp_path: Path) -> None:
    steps = run(seen, tmp_path / "run.db", steps=0)
    assert seen.prompts[0][0] == f"propose deduction\n```python\n{ZERO.problem.program}\n```\n```input\n1\n```\n<think>"
    assert "update" not in seen.calls
    assert steps[0].number == 1 - 8
    assert all(entry.trials == 0 for step in steps for entry in step.entries)
    counts = Counter(entry.problem.kind for step in steps for entry in step.entries)
    assert min(counts.values()) >= 8  # S = factor 2 * batch 4
    before = Counter(entry.problem.kind for step in steps[:-1] for entry in step.entries)
    assert min(before.values()) < 8  # and not a round more


def test_a_model_that_cannot_propose_is_told_so(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with pytest.raises(UserError) as stopped:
        run(watched(sandbox, says("I'd rather not.")), path)
    text = str(stopped.value)
    assert "\n" not in text
    assert "0 of 8 deduction" in text
    assert "0 of 8 induction" in text
    assert "open_thought 96" in text
    assert "I'd rather not." in text
    assert "raise seeding.rounds" in text
    with Store.open(path) as store:  # what was done is kept
        assert store.last_step() == 0


def test_a_short_seeding_goes_on_and_is_flagged(seen: Watched, tmp_path: Path) -> None:
    steps = run(seen, tmp_path / "run.db", steps=1, seeding={"factor": 4, "rounds": 2})
    assert steps[-1].number == 1
    with Store.open(tmp_path / "run.db") as store:
        [(step, flag)] = store.flags()
    assert (step, flag.name) == (1, "short_seeding")
    assert "of 16" in flag.detail


def test_ablations_play_only_what_they_name(seen: Watched, tmp_path: Path) -> None:
    steps = run(seen, tmp_path / "one.db", steps=1, kinds=["deduction"])
    assert {r.kind for step in steps for r in step.rollouts} == {Kind.DEDUCTION}
    steps = run(seen, tmp_path / "two.db", steps=1, kinds=["deduction", "abduction"])
    assert {r.kind for step in steps for r in step.rollouts} == {Kind.DEDUCTION, Kind.ABDUCTION}
    seen.prompts.clear()
    run(seen, tmp_path / "three.db", steps=1, propose={"batch": 4, "inputs": 4, "references": 0})
    shown = [p for prompts in seen.prompts for p in prompts if p.startswith(("propose deduction", "propose abduction"))]
    assert set(shown) == {"propose deduction\n<think>", "propose abduction\n<think>"}


def test_held_out_programs_leave_the_batch(seen: Watched) -> None:
    cfg = settings()
    entries = [
        e for e in selfplay.seed(0, world(seen, cfg), Buffer(cfg), cfg).entries if e.problem.kind is Kind.DEDUCTION
    ]
    held = frozenset({entries[0].normal})
    rulings = selfplay.seed(0, world(seen, cfg), Buffer(cfg, held), cfg).rulings
    kept = [r.made for r in rulings if isinstance(r.made, Entry)]
    assert entries[0].problem not in [entry.problem for entry in kept]
    hit = [r.made for r in rulings if isinstance(r.made, Grade) and r.made.reason == "held_out"]
    assert hit
    assert all(made.status is Status.MASKED for made in hit)


def test_as_a_control_advantages_are_dealt_anew_within_role_and_kind() -> None:
    given = [
        rollout(role, item, 0, Status.PASSED, score)
        for role, scores in ((Role.PROPOSE, (0.1, 0.2, 0.3, 0.4, 0.9)), (Role.SOLVE, (1.0, 0.0, 1.0, 0.0, 0.0)))
        for item, score in enumerate(scores)
    ]
    fair = selfplay.compute_advantages(given, settings(), Key(0))
    dealt = selfplay.compute_advantages(given, settings(estimator={"shuffled": True}), Key(0))
    for role in Role:
        one, other = ([r.advantage for r in paid if r.role is role] for paid in (fair, dealt))
        assert one != other
        assert sorted(one) == sorted(other)
    assert [(r.reward, r.weight) for r in fair] == [(r.reward, r.weight) for r in dealt]
    assert dealt == selfplay.compute_advantages(given, settings(estimator={"shuffled": True}), Key(0))
    assert dealt != selfplay.compute_advantages(given, settings(estimator={"shuffled": True}), Key(1))
