"""THE LOOP: one model proposes tasks, solves them, and learns from both (Zhao et al., arXiv 2505.03335, algorithm 1).

Read `step` first; what it calls follows in the order of the paper. It asks the world through `absolute_zero.ports`: who
speaks (Policy), what is true (Executor), what is a task (TaskType); and knows no implementation of any. Kind and role
are values that are carried along: nothing here branches on them.

Promises: a step is a function of (seed, number, weights, buffer, estimator state); all randomness is addressed, so it
does not depend on what was drawn before; three calls of `sample`, one of `update` and four of the executor per step. An
outcome that was lost never reaches a task type. Knows no clocks, files or screens. Floor 3.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from absolute_zero import advantages, rewards
from absolute_zero.buffer import Buffer
from absolute_zero.config import Config
from absolute_zero.forms import Form
from absolute_zero.keys import Key
from absolute_zero.ports import Components, State
from absolute_zero.text import Answer
from absolute_zero.types import (
    Grade,
    Proposal,
    ProposalRollout,
    Reward,
    Role,
    Rollout,
    Sample,
    Sampling,
    Status,
    Step,
    Task,
    UserError,
    Validation,
)

LOST = Grade(Status.MASKED, reason="infrastructure")
"""The machine failed: neither paid nor charged."""


def step(number: int, parts: Components, buffer: Buffer, state: State, cfg: Config) -> Step:
    """Take one step of training, in the paper's order."""
    key, sampling = Key(cfg.seed).at(number), cfg.sampling.drawing
    proposals = propose(parts, buffer, cfg, key)
    validations = validate(number, proposals, parts, buffer, cfg)  # runs, deterministic, its input matters, new
    fresh = [validation.task for validation in validations if validation.task]
    difficulty = solve(fresh, cfg.solve.n_difficulty, parts, sampling, key)  # how hard are they for me, today?
    fresh = with_outcomes(fresh, difficulty)
    buffer.add(fresh)
    practised = choose_practice(fresh, parts, buffer, cfg, key)
    practice = solve(practised, cfg.solve.n_practice, parts, sampling, key, first=len(fresh))
    reused, unused = (difficulty, []) if cfg.solve.reuse_difficulty else ([], difficulty)
    rollouts = [*reward_proposals(validations, fresh, cfg), *reused, *practice]
    rollouts = compute_rewards(rollouts, [*fresh, *practised], number, parts, cfg)
    rollouts, state = compute_advantages(rollouts, state, parts, cfg, key)
    stats = parts.policy.update(samples(rollouts))
    return Step(number, tuple(validations), tuple(fresh), (*rollouts, *unused), state, stats)


def form_of(parts: Components) -> Form:
    """Return how prompts are dressed and responses read: as plain text in the paper's format, if nothing is said."""
    return parts.form or Form()


# --- 1. propose ---------------------------------------------------------------------------------------------


def propose(parts: Components, buffer: Buffer, cfg: Config, key: Key) -> list[ProposalRollout]:
    """Return B proposals of each kind, one response to a prompt."""
    form, role = form_of(parts), Role.PROPOSE
    items = [(kind, item) for kind in parts.task_types for item in range(cfg.propose.batch)]
    references = [buffer.references(kind, key.at("references", kind, item)) for kind, item in items]
    prompts = [
        form.dress((kind, role), parts.task_types[kind].propose_prompt(shown))
        for (kind, _), shown in zip(items, references, strict=True)
    ]
    sampling = replace(cfg.sampling.drawing, stop=form.stops(role))
    completions = parts.policy.sample(prompts, 1, sampling, [key.at("propose", kind, item) for kind, item in items])
    proposals: list[ProposalRollout] = []
    for (kind, item), shown, prompt, [completion] in zip(items, references, prompts, completions, strict=True):
        answer = form.read((kind, role), prompt, completion)
        strict = isinstance(answer, Answer) and answer.strict
        parsed = parts.task_types[kind].parse_proposal(shown, answer.text) if isinstance(answer, Answer) else answer
        proposals.append(ProposalRollout(kind, item, shown, prompt, completion, parsed, strict))
    return proposals


# --- 2. validate --------------------------------------------------------------------------------------------


def validate(
    number: int, proposals: Sequence[ProposalRollout], parts: Components, buffer: Buffer, cfg: Config
) -> list[Validation]:
    """Return each proposal as an accepted task, or why not: does it run, always alike; does it vary; is it new?"""
    outcomes = iter(parts.executor.run([p.parsed.job for p in proposals if isinstance(p.parsed, Proposal)]))
    results: list[tuple[Task | Grade, bool, Any]] = []  # with the job that probes a task, or None
    for proposal in proposals:
        result, valid, probe = proposal.parsed, False, None
        if isinstance(result, Proposal):
            task_type, outcome = parts.task_types[proposal.kind], next(outcomes)
            result, valid = LOST if outcome.lost else task_type.build_task(result, outcome), bool(outcome.ok)
            if isinstance(result, Task):
                valid = True  # a task type may do with what ran of it
                probe = task_type.probe(result, Key(cfg.seed).at("probe", proposal.kind))
        results.append((result, valid, probe))
    probed = iter(parts.executor.run([probe for *_, probe in results if probe is not None]))
    validations: list[Validation] = []
    for proposal, (result, valid, probe) in zip(proposals, results, strict=True):
        if isinstance(result, Task):
            outcome = None if probe is None else next(probed)
            lost = outcome is not None and outcome.lost
            identity = LOST if lost else parts.task_types[proposal.kind].identity(result, outcome)
            result = buffer.admit(result, identity, number, proposal.references)
        validations.append(Validation(proposal, result, valid))
    return validations


# --- 3. difficulty, 5. practice -----------------------------------------------------------------------------


def solve(
    tasks: Sequence[Task], n: int, parts: Components, sampling: Sampling, key: Key, first: int = 0
) -> list[Rollout]:
    """Return n graded answers to each task, task by task: the only door to answering. Items count from `first`."""
    form, role = form_of(parts), Role.SOLVE
    slots = [(task.kind, role) for task in tasks]
    prompts = [
        form.dress(slot, parts.task_types[task.kind].solve_prompt(task))
        for slot, task in zip(slots, tasks, strict=True)
    ]
    keys = [key.at("solve", task.kind, item) for item, task in enumerate(tasks, first)]
    completions = parts.policy.sample(prompts, n, replace(sampling, stop=form.stops(role)), keys)
    answers = [
        [form.read(slot, prompt, completion) for completion in row]
        for slot, prompt, row in zip(slots, prompts, completions, strict=True)
    ]
    checks: list[list[Any]] = [  # of each answer: its grade, or the job that decides it
        [a if isinstance(a, Grade) else parts.task_types[task.kind].check(task, a.text) for a in row]
        for task, row in zip(tasks, answers, strict=True)
    ]
    jobs = list(dict.fromkeys(check for row in checks for check in row if not isinstance(check, Grade)))
    outcomes = dict(zip(jobs, parts.executor.run(jobs), strict=True))  # equal ones run once
    rollouts: list[Rollout] = []
    for index, task in enumerate(tasks):
        for attempt, (completion, check) in enumerate(zip(completions[index], checks[index], strict=True)):
            grade = check
            if not isinstance(grade, Grade):
                outcome = outcomes[check]
                grade = LOST if outcome.lost else parts.task_types[task.kind].check_result(task, outcome)
            strict = getattr(answers[index][attempt], "strict", False)
            address = (role, task.kind, first + index, attempt, task.id)
            rollouts.append(Rollout(*address, prompts[index], completion, grade, strict=strict))
    return rollouts


def with_outcomes(tasks: Sequence[Task], rollouts: Sequence[Rollout]) -> list[Task]:
    """Return the tasks with what their rollouts came to: how many were graded, and right in full. Masked ones do not
    count."""
    trials, successes = Counter[int](), Counter[int]()
    for rollout in rollouts:
        trials[rollout.task] += rollout.grade.status is not Status.MASKED
        successes[rollout.task] += rollout.grade.correct
    return [replace(task, trials=trials[task.id], successes=successes[task.id]) for task in tasks]


def choose_practice(fresh: Sequence[Task], parts: Components, buffer: Buffer, cfg: Config, key: Key) -> list[Task]:
    """Return B tasks of each kind, the new ones first, the rest from the buffer.

    Not the new ones where their difficulty rollouts are trained on: they are practised already.
    """
    practised: list[Task] = []
    for kind in parts.task_types:
        new = [task for task in fresh if task.kind == kind and buffer.practises(task)]
        ids = {task.id for task in new}
        old = buffer.practice(kind, cfg.propose.batch - len(new), ids, key.at("practice", kind))
        practised += old if cfg.solve.reuse_difficulty else [*new, *old]
    return practised


# --- 6. learn -----------------------------------------------------------------------------------------------


def reward_proposals(validations: Sequence[Validation], fresh: Sequence[Task], cfg: Config) -> list[Rollout]:
    """Return the proposals as rollouts: an accepted one passes with its learnability as score, others as graded."""
    tasks, form = {task.id: task for task in fresh}, cfg.reward.learnability
    rollouts: list[Rollout] = []
    for validation in validations:
        proposal, result, id_ = validation.proposal, validation.result, 0
        if isinstance(result, Task):
            id_, task = result.id, tasks[result.id]
            result = Grade(Status.MASKED, reason="no_rollouts")
            if task.trials:
                result = Grade(Status.PASSED, rewards.learnability(task.successes, task.trials, form))
        address = (Role.PROPOSE, proposal.kind, proposal.item, 0, id_)
        rollouts.append(Rollout(*address, proposal.prompt, proposal.completion, result, strict=proposal.strict))
    return rollouts


def compute_rewards(
    rollouts: Sequence[Rollout], tasks: Sequence[Task], number: int, parts: Components, cfg: Config
) -> list[Rollout]:
    """Return the rollouts with what each is paid: its scale's worth, and for one that passed the weighted terms."""
    scales, strictness = parts.scales or rewards.SCALES[cfg.reward.scale], form_of(parts).strictness(number)
    by_id = {task.id: task for task in tasks}
    paid: list[Rollout] = []
    for rollout in rollouts:
        reward = rewards.composite(rollout.grade.status, rollout.grade.score, scales[rollout.role])
        if reward is not None and rollout.grade.status is Status.PASSED:
            reward += sum(weight * term(rollout, by_id[rollout.task], number) for term, weight in parts.reward_terms)
            if not abs(reward) <= advantages.BOUND:  # nan is within nothing
                raise UserError(f"reward.terms: task {rollout.task} would earn {reward}: fix the term that says so")
        if reward is not None and not rollout.strict and rollout.grade.status is not Status.MALFORMED:
            reward = rewards.formed(reward, scales[rollout.role], strictness)
        paid.append(replace(rollout, reward=reward))
    return paid


def compute_advantages(
    rollouts: Sequence[Rollout], state: State, parts: Components, cfg: Config, key: Key
) -> tuple[list[Rollout], State]:
    """Return the rollouts with weight and advantage: against one baseline per role and kind (TRR++), or as set.

    Weight 1 for a proposal, lambda / rollouts of its task for a solution; 0 for what leaves the batch: masked ones,
    those of a role that is not trained, and lone rollouts under an estimator that compares them. `key` deals a control.
    """
    worth = {Role.PROPOSE: 1.0, Role.SOLVE: cfg.solve.solver_weight}
    counts = Counter((r.role, r.kind, r.item) for r in rollouts if r.reward is not None)
    earned: list[Reward] = []
    for r in rollouts:
        trained = r.reward is not None and r.role in cfg.train_roles
        weight = worth[r.role] / counts[r.role, r.kind, r.item] if trained else 0.0
        earned.append(Reward(r.role, r.kind, r.item, r.reward or 0.0, weight, len(r.completion.tokens)))
    names = {Role.PROPOSE: cfg.estimator.propose, Role.SOLVE: cfg.estimator.solve}
    estimators = {**advantages.ESTIMATORS, **parts.estimators}
    for index in advantages.sampled_once(earned, names, estimators):
        earned[index] = replace(earned[index], weight=0.0)
    shuffled = key.at("shuffled") if cfg.estimator.shuffled else None
    state, values = advantages.compute(earned, names, state, estimators, shuffled)
    return [
        replace(rollout, weight=reward.weight, advantage=value)
        for rollout, reward, value in zip(rollouts, earned, values, strict=True)
    ], state


def samples(rollouts: Sequence[Rollout]) -> list[Sample]:
    """Return what there is to learn from."""
    return [Sample(r.prompt, r.completion, r.advantage, r.weight) for r in rollouts if r.weight > 0]
