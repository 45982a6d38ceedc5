"""A run of the loop: seeding, then step after step, each stored before anybody hears of it.

Promises: whatever happens, the store holds whole steps, and a run that is resumed from them makes the same steps.
Floor 3.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from typing import Final

from absolute_zero.buffer import Buffer
from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.monitors import step_metrics
from absolute_zero.ports import Components
from absolute_zero.selfplay import propose, reward_proposals, step, validate
from absolute_zero.store import Flag, StepExtras, Store
from absolute_zero.types import Step, UserError

REMEDIES: Final = {
    "prompt_too_long": "raise sampling.max_prompt_tokens, as most prompts for a proposal are longer than that",
    "truncated": "raise sampling.max_tokens, as most responses end at that limit",
    "copy": "give the domain more seeds, or say in the prompt that the task has to be another than those shown",
    "infrastructure": "look at the executor or the machine, which failed on these proposals (`Outcome.lost`)",
}
"""What to do about a short seeding, by its commonest reason."""
REMEDY: Final = "raise seeding.rounds, or use a model that can write such tasks"
"""What to do about it for any other reason."""


def train(
    parts: Components,
    store: Store,
    cfg: Config,
    before_commit: Callable[[Step], StepExtras] = lambda step: StepExtras(),
) -> Iterator[Step]:
    """Seed, then train, from wherever the store stands; yield each step once it is stored.

    The policy must be what it was after the store's last step. `before_commit` is called with each step before it is
    stored, and may save the policy; what it returns is stored with the step. A kind of which seeding leaves less than a
    batch is left out, with a flag; less than S is a flag. Raises UserError if no kind is left.
    """
    buffer = Buffer.fold(store.tasks(), cfg, parts.task_types, parts.seeds, parts.held_out)
    last, wanted, state = store.last_step(), cfg.seeding.factor * cfg.propose.batch, store.state()
    # Seeding comes first, so that the rest of a long run need not be read again.
    seeded = Counter(task.kind for task in takewhile(lambda task: task.step <= 0, store.tasks()))
    for number in range(1 - cfg.seeding.rounds if last is None else last + 1, cfg.steps + 1):
        short = {kind: seeded[kind] for kind in parts.task_types if seeded[kind] < wanted}
        if number <= 0 and not short:
            continue
        flags = _short_seeding(short, wanted, cfg, store) if number == 1 else []
        if number > 0:
            parts = _playable(parts, short, wanted, cfg, store)
        record = step(number, parts, buffer, state, cfg) if number > 0 else seed(number, parts, buffer, cfg)
        state = record.state
        seeded.update(task.kind for task in record.tasks if number <= 0)
        extras = before_commit(record)
        metrics = {**step_metrics(record), **extras.metrics}
        store.commit(record, metrics, extras.clocks, extras.checkpoint, flags=flags)
        yield record


def _short_seeding(short: Mapping[str, int], wanted: int, cfg: Config, store: Store) -> list[Flag]:
    """Return what is to be said of kinds with fewer tasks than are wanted: each that is left out, then the others."""
    out = _unseeded(short, cfg)
    flags = [
        Flag("left_out", f"{kind} is left out: {complaint({kind: size}, wanted, store)}") for kind, size in out.items()
    ]
    rest = {kind: size for kind, size in short.items() if kind not in out}
    return [*flags, *([Flag("short_seeding", complaint(rest, wanted, store))] if rest else [])]


def _unseeded(short: Mapping[str, int], cfg: Config) -> dict[str, int]:
    """Return the kinds of which seeding gave less than a batch, with what it gave."""
    return {kind: size for kind, size in short.items() if size < cfg.propose.batch}


def _playable(parts: Components, short: Mapping[str, int], wanted: int, cfg: Config, store: Store) -> Components:
    """Return the parts without the kinds of which seeding gave less than a batch. Raises UserError if none is left."""
    out = _unseeded(short, cfg)
    kept = {kind: task_type for kind, task_type in parts.task_types.items() if kind not in out}
    if not kept:
        raise UserError(complaint(short, wanted, store))
    return parts._replace(task_types=kept)


def seed(number: int, parts: Components, buffer: Buffer, cfg: Config) -> Step:
    """Fill the buffers by one round, from the seeds on: propose and validate, learn nothing (paper section 3.3)."""
    proposals = propose(parts, buffer, cfg, Key(cfg.seed).at(number))
    validations = validate(number, proposals, parts, buffer, cfg)
    tasks = tuple(validation.task for validation in validations if validation.task)
    buffer.add(tasks)
    return Step(number, tuple(validations), tasks, tuple(reward_proposals(validations, tasks, cfg)))


def complaint(short: Mapping[str, int], wanted: int, store: Store) -> str:
    """Return one line on a model that could not fill its buffers: what is missing, why, two examples, what to do.

    `short` has the number of tasks of each kind with fewer than `wanted`.
    """
    missing = " and ".join(f"{size} of {wanted} {kind}" for kind, size in short.items())
    counts: Counter[str] = Counter()
    for _, rejection in store.rejections():
        if rejection.kind in short:
            counts[rejection.reason] += rejection.count
    commonest = counts.most_common(6)
    reasons = ", ".join(f"{reason} {count}" for reason, count in commonest) or "none"
    last = [stored.rollout for stored in store.rollouts(store.last_step() or 0)]
    texts = [it.completion.text for it in last if it.kind in short and not it.task and it.completion.text]
    examples = " and ".join(repr(text[-160:]) for text in texts[-2:]) or "none kept"
    remedy = REMEDIES.get(commonest[0][0], REMEDY) if commonest else REMEDY
    return f"seeding gave only {missing} tasks; rejected: {reasons}; the last responses: {examples}: {remedy}"
