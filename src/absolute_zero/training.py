"""A run of the loop: seeding, then step after step, each stored before anybody hears of it.

Promises: whatever happens, the store holds whole steps, and a run that is resumed from them makes the same steps.
Floor 3.
"""

from collections.abc import Callable, Iterator, Set

from absolute_zero.buffer import Buffer
from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.monitors import complaint, measure
from absolute_zero.ports import Components
from absolute_zero.selfplay import propose, reward_proposals, step, validate
from absolute_zero.store import Flag, StepExtras, Store
from absolute_zero.types import Step, UserError


def train(
    parts: Components,
    store: Store,
    cfg: Config,
    held_out: Set[str] = frozenset(),
    keep: Callable[[Step], StepExtras] = lambda done: StepExtras(),
) -> Iterator[Step]:
    """Seed, then train, from wherever the store stands; yield each step once it is stored.

    The policy must be what it was after the store's last step. `keep` may save it; what it gives is stored with the
    step. Raises UserError if seeding leaves less than a batch of some kind; less than S is a flag.
    """
    buffer = Buffer.fold(store.tasks(), cfg, parts.task_types, parts.seeds, held_out)
    last, wanted, state = store.last_step(), cfg.seeding.factor * cfg.propose.batch, store.state()
    for number in range(1 - cfg.seeding.rounds if last is None else last + 1, cfg.steps + 1):
        short = {kind: buffer.size(kind) for kind in parts.task_types if buffer.size(kind) < wanted}
        if number <= 0 and not short:
            continue
        flags = [Flag("short_seeding", complaint(short, wanted, store))] if number == 1 and short else []
        if flags and min(short.values()) < cfg.propose.batch:
            raise UserError(flags[0].detail)
        done = step(number, parts, buffer, state, cfg) if number > 0 else seed(number, parts, buffer, cfg)
        state = done.state
        extras = keep(done)
        store.commit(done, {**measure(done), **extras.metrics}, extras.clocks, extras.checkpoint, flags=flags)
        yield done


def seed(number: int, parts: Components, buffer: Buffer, cfg: Config) -> Step:
    """Fill the buffers by one round, from the seeds on: propose and validate, learn nothing (paper section 3.3)."""
    proposals = propose(parts, buffer, cfg, Key(cfg.seed).at(number))
    validations = validate(number, proposals, parts, buffer, cfg)
    tasks = tuple(validation.task for validation in validations if validation.task)
    buffer.add(tasks)
    return Step(number, tuple(validations), tasks, tuple(reward_proposals(validations, tasks, cfg)))
