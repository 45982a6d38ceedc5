"""THE STORY: one model proposes tasks, solves them, and learns from both (Zhao et al., arXiv 2505.03335, algorithm 1).

Read `step` first; what it calls follows in the order of the paper. It asks the world three questions, through
`absolute_zero.ports`: who speaks (Policy), what is true (Executor), what is a task (Task); and knows no
implementation of any. Kind and role are values that are carried along: nothing here branches on them.

Promises: a step is a function of (seed, number, weights, buffer); all chance is addressed, so it does not depend on
what was drawn before; three calls of `sample`, one of `update` and four of the executor per step. `train` stores a
step before it yields it: whatever happens, the store holds whole steps. Knows no clocks, files or screens. Floor 3.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace

from absolute_zero import rewards, text
from absolute_zero.advantages import Reward, advantages, sampled_once
from absolute_zero.buffer import Buffer
from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.monitors import complaint, measure
from absolute_zero.novelty import facts, probes
from absolute_zero.ports import Components
from absolute_zero.store import Flag, StepExtras, Store
from absolute_zero.types import (
    Completion,
    Entry,
    Grade,
    Job,
    Problem,
    Proposal,
    ProposalRollout,
    Refusal,
    Role,
    Rollout,
    Sample,
    Sampling,
    Status,
    Step,
    UserError,
    Validation,
)  # fmt: skip


def step(number: int, world: Components, buffer: Buffer, cfg: Config) -> Step:
    """One step of training, in the paper's order."""
    key, sampling = Key(cfg.seed).at(number), cfg.sampling.drawing
    drafts = propose(world, buffer, cfg, key)
    rulings = gate(number, drafts, world, buffer)  # valid, depends on its input, new
    fresh = [ruling.made for ruling in rulings if isinstance(ruling.made, Entry)]
    trials = solve(fresh, cfg.solve.trials, world, sampling, key)
    fresh = [tried(entry, tries) for entry, tries in zip(fresh, trials, strict=True)]  # how hard for me, today?
    buffer.add(fresh)
    chosen = choose_practice(fresh, buffer, cfg, key)
    practice = solve(chosen, cfg.solve.tries, world, sampling, key, first=len(fresh))
    reused, unused = (flat(trials), []) if cfg.solve.reuse_trials else ([], flat(trials))
    credited = compute_advantages([*reward_proposals(rulings, fresh, cfg), *reused, *flat(practice)], cfg, key)
    stats = world.policy.update(samples(credited))
    return Step(number, tuple(rulings), tuple(fresh), (*credited, *unused), stats)


# --- 1. propose ---------------------------------------------------------------------------------------------


def propose(world: Components, buffer: Buffer, cfg: Config, key: Key) -> list[ProposalRollout]:
    """B proposals of each kind, one response to a prompt."""
    asked = [(kind, item) for kind in world.tasks for item in range(cfg.propose.batch)]
    shown = [buffer.references(kind, key.at("references", kind, item)) for kind, item in asked]
    triplets = [[entry.triplet for entry in entries] for entries in shown]
    prompts = [world.tasks[kind].ask(past) for (kind, _), past in zip(asked, triplets, strict=True)]
    keys = [key.at("propose", kind, item) for kind, item in asked]
    said = world.policy.sample(prompts, 1, cfg.sampling.drawing, keys)
    drafts: list[ProposalRollout] = []
    for place, ((kind, item), [completion]) in enumerate(zip(asked, said, strict=True)):
        answer = read_answer(prompts[place], completion)
        read = answer if isinstance(answer, Grade) else world.tasks[kind].read(triplets[place], answer)
        drafts.append(ProposalRollout(kind, item, shown[place], prompts[place], completion, read))
    return drafts


def read_answer(prompt: str, completion: Completion) -> str | Grade:
    """What stands in the answer of a response, or why nothing does."""
    if not completion.tokens:
        return Grade(Status.MASKED, reason="prompt_too_long")
    if completion.truncated:
        return Grade(Status.MALFORMED, reason="truncated")
    parts = text.thought_and_answer(completion.text, opened=prompt.endswith(text.THINK))
    if isinstance(parts, Refusal):
        return Grade(Status.MALFORMED, reason=parts.reason, detail=parts.detail)
    return parts.text


# --- 2. validate --------------------------------------------------------------------------------------------


def gate(number: int, drafts: Sequence[ProposalRollout], world: Components, buffer: Buffer) -> list[Validation]:
    """Each draft as an accepted task, or why not: does it run, always alike; does its input matter; is it new?"""
    outcomes = iter(world.executor.run([draft.read.job for draft in drafts if isinstance(draft.read, Proposal)]))
    minted: list[tuple[Problem | Grade, bool]] = []
    probing: list[Job] = []
    for draft in drafts:
        made, valid = draft.read, False
        if isinstance(made, Proposal):
            job, outcome = made.job, next(outcomes)
            made, valid = world.tasks[draft.kind].mint(made, outcome), outcome.ok
            if isinstance(made, Problem):
                probing.append(replace(job, inputs=probes(job.inputs[0])))
        minted.append((made, valid))
    probed = iter(zip(probing, world.executor.run(probing), strict=True))
    rulings: list[Validation] = []
    for draft, (made, valid) in zip(drafts, minted, strict=True):
        if isinstance(made, Problem):
            job, outcome = next(probed)
            made = buffer.admit(made, facts(made, job.inputs, outcome.results), number, draft.references)
        rulings.append(Validation(draft, made, valid))
    return rulings


# --- 3. trials, 5. practice ---------------------------------------------------------------------------------


def solve(
    entries: Sequence[Entry], tries: int, world: Components, sampling: Sampling, key: Key, first: int = 0
) -> list[list[Rollout]]:
    """Judged answers, [entry][try]: the only door to answering. Items count from `first`. Equal jobs run once."""
    items = [(first + place, entry, world.tasks[entry.problem.kind]) for place, entry in enumerate(entries)]
    prompts = [task.pose(entry.problem) for _, entry, task in items]
    keys = [key.at("solve", task.kind, item) for item, _, task in items]
    said = world.policy.sample(prompts, tries, sampling, keys)
    found: list[list[Grade | Job]] = []
    for (_, entry, task), prompt, completions in zip(items, prompts, said, strict=True):
        answers = [read_answer(prompt, completion) for completion in completions]
        found.append([a if isinstance(a, Grade) else task.judge(entry.problem, a) for a in answers])
    jobs = list(dict.fromkeys(one for group in found for one in group if isinstance(one, Job)))
    outcomes = dict(zip(jobs, world.executor.run(jobs), strict=True))
    return [
        [
            Rollout(
                Role.SOLVE, task.kind, item, attempt, entry.id, prompt, completion,
                one if isinstance(one, Grade) else task.decide(entry.problem, outcomes[one]),
            )
            for attempt, (completion, one) in enumerate(zip(completions, group, strict=True))
        ]
        for (item, entry, task), prompt, completions, group in zip(items, prompts, said, found, strict=True)
    ]  # fmt: skip


def tried(entry: Entry, tries: Sequence[Rollout]) -> Entry:
    """The entry with what its trials came to. A trial succeeds if it is right in full; void ones do not count."""
    judged = [rollout.grade for rollout in tries if rollout.grade.status is not Status.MASKED]
    return replace(entry, trials=len(judged), successes=sum(found.right for found in judged))


def choose_practice(fresh: Sequence[Entry], buffer: Buffer, cfg: Config, key: Key) -> list[Entry]:
    """B tasks of each kind, the new ones first, the rest from the buffer; the new ones not if trials are reused."""
    chosen: list[Entry] = []
    for kind in cfg.kinds:
        new = [entry for entry in fresh if entry.problem.kind is kind and buffer.practises(entry)]
        ids = {entry.id for entry in new}
        old = buffer.practice(kind, cfg.propose.batch - len(new), ids, key.at("practice", kind))
        chosen += old if cfg.solve.reuse_trials else [*new, *old]
    return chosen


# --- 6. learn -----------------------------------------------------------------------------------------------


def reward_proposals(rulings: Sequence[Validation], fresh: Sequence[Entry], cfg: Config) -> list[Rollout]:
    """The proposals as rollouts: an accepted one passes with its learnability as score, others stay as judged."""
    entries, form = {entry.id: entry for entry in fresh}, cfg.reward.learnability
    paid: list[Rollout] = []
    for draft, made in ((ruling.draft, ruling.made) for ruling in rulings):
        known = 0
        if isinstance(made, Entry):
            known, entry = made.id, entries[made.id]
            made = Grade(Status.MASKED, reason="no_trials")
            if entry.trials:
                made = Grade(Status.PASSED, rewards.learnability(entry.successes, entry.trials, form))
        paid.append(Rollout(Role.PROPOSE, draft.kind, draft.item, 0, known, draft.prompt, draft.completion, made))
    return paid


def compute_advantages(rollouts: Sequence[Rollout], cfg: Config, key: Key) -> list[Rollout]:
    """Rewards, weights, and advantages: against one baseline per role and kind (TRR++), or as the settings say.

    Weight 1 for a proposal, lambda / tries of its task for a solution; 0 for what leaves the batch: void ones, those
    of a role that is not trained, and lone tries under an estimator that compares tries. `chance` deals a control.
    """
    scales, worth = rewards.SCALES[cfg.reward.scale], {Role.PROPOSE: 1.0, Role.SOLVE: cfg.solve.lam}
    pay = [rewards.composite(r.grade.status, r.grade.score, scales[r.role]) for r in rollouts]
    tries = Counter((r.role, r.kind, r.item) for r, reward in zip(rollouts, pay, strict=True) if reward is not None)
    earned: list[Reward] = []
    for r, reward in zip(rollouts, pay, strict=True):
        taken = reward is not None and r.role in cfg.train_roles
        weight = worth[r.role] / tries[r.role, r.kind, r.item] if taken else 0.0
        earned.append(Reward(r.role, r.kind, r.item, reward or 0.0, weight, len(r.completion.tokens)))
    names = {Role.PROPOSE: cfg.estimator.propose, Role.SOLVE: cfg.estimator.solve}
    for place in sampled_once(earned, names):
        earned[place] = replace(earned[place], weight=0.0)
    gained = advantages(earned, names, key.at("shuffled") if cfg.estimator.shuffled else None)
    return [
        replace(r, reward=reward, weight=e.weight, advantage=advantage)
        for r, reward, e, advantage in zip(rollouts, pay, earned, gained, strict=True)
    ]


def samples(rollouts: Sequence[Rollout]) -> list[Sample]:
    """What there is to learn from."""
    return [Sample(r.prompt, r.completion, r.advantage, r.weight) for r in rollouts if r.weight > 0]


def flat(tries: Sequence[Sequence[Rollout]]) -> list[Rollout]:
    """All tries of all tasks, in order."""
    return [rollout for group in tries for rollout in group]


# --- a run --------------------------------------------------------------------------------------------------


def train(
    world: Components, store: Store, cfg: Config, held_out: Set[str] = frozenset(),
    keep: Callable[[Step], StepExtras] = lambda done: StepExtras(),
) -> Iterator[Step]:  # fmt: skip
    """Seed, then train, from wherever the store stands; yields each step once it is stored.

    The policy must be what it was after the store's last step. `keep` may save it; what it gives is stored with the
    step. Raises UserError if seeding leaves less than a batch of some kind; less than S is a flag.
    """
    buffer = Buffer.fold(store.entries(), cfg, held_out)
    last, wanted = store.last_step(), cfg.seeding.factor * cfg.propose.batch
    for number in range(1 - cfg.seeding.rounds if last is None else last + 1, cfg.steps + 1):
        short = {kind: buffer.size(kind) for kind in cfg.kinds if buffer.size(kind) < wanted}
        if number <= 0 and not short:
            continue
        flags = [Flag("short_seeding", complaint(short, wanted, store))] if number == 1 and short else []
        if flags and min(short.values()) < cfg.propose.batch:
            raise UserError(flags[0].detail)
        done = step(number, world, buffer, cfg) if number > 0 else seed(number, world, buffer, cfg)
        extras = keep(done)
        store.commit(done, {**measure(done), **extras.metrics}, extras.clocks, extras.checkpoint, flags=flags)
        yield done


def seed(number: int, world: Components, buffer: Buffer, cfg: Config) -> Step:
    """One round of filling the buffers, from the zero triplet on: propose and validate, learn nothing."""
    rulings = gate(number, propose(world, buffer, cfg, Key(cfg.seed).at(number)), world, buffer)
    entries = tuple(ruling.made for ruling in rulings if isinstance(ruling.made, Entry))
    buffer.add(entries)
    return Step(number, tuple(rulings), entries, tuple(reward_proposals(rulings, entries, cfg)))
