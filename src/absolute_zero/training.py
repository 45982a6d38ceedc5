"""A run of the loop: seeding, then step after step, each stored before anybody hears of it.

Promises: whatever happens, the store holds whole steps, and a run that goes on from them makes the same steps. Floor 3.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set

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
    step. A kind of which seeding leaves less than a batch is left out, with a flag; less than S is a flag. Raises
    UserError if no kind is left.
    """
    buffer = Buffer.fold(store.tasks(), cfg, parts.task_types, parts.seeds, held_out)
    last, wanted, state = store.last_step(), cfg.seeding.factor * cfg.propose.batch, store.state()
    seeded = Counter(task.kind for task in store.tasks() if task.step <= 0)
    for number in range(1 - cfg.seeding.rounds if last is None else last + 1, cfg.steps + 1):
        short = {kind: seeded[kind] for kind in parts.task_types if seeded[kind] < wanted}
        if number <= 0 and not short:
            continue
        flags = _short_seeding(short, wanted, cfg, store) if number == 1 else []
        if number > 0:
            parts = _playable(parts, short, cfg, store)
        done = step(number, parts, buffer, state, cfg) if number > 0 else seed(number, parts, buffer, cfg)
        state = done.state
        seeded.update(task.kind for task in done.tasks if number <= 0)
        extras = keep(done)
        store.commit(done, {**measure(done), **extras.metrics}, extras.clocks, extras.checkpoint, flags=flags)
        yield done


def _short_seeding(short: Mapping[str, int], wanted: int, cfg: Config, store: Store) -> list[Flag]:
    """Return what is to be said of kinds with fewer tasks than are wanted: each that is left out, then the others."""
    out = {kind: size for kind, size in short.items() if size < cfg.propose.batch}
    flags = [
        Flag("left_out", f"{kind} is left out: {complaint({kind: size}, wanted, store)}") for kind, size in out.items()
    ]
    rest = {kind: size for kind, size in short.items() if kind not in out}
    return [*flags, *([Flag("short_seeding", complaint(rest, wanted, store))] if rest else [])]


def _playable(parts: Components, short: Mapping[str, int], cfg: Config, store: Store) -> Components:
    """Return the parts without the kinds of which seeding gave less than a batch. Raises UserError if none is left."""
    kept = {
        kind: it for kind, it in parts.task_types.items() if short.get(kind, cfg.propose.batch) >= cfg.propose.batch
    }
    if not kept:
        raise UserError(complaint(short, cfg.seeding.factor * cfg.propose.batch, store))
    return parts._replace(task_types=kept)


def seed(number: int, parts: Components, buffer: Buffer, cfg: Config) -> Step:
    """Fill the buffers by one round, from the seeds on: propose and validate, learn nothing (paper section 3.3)."""
    proposals = propose(parts, buffer, cfg, Key(cfg.seed).at(number))
    validations = validate(number, proposals, parts, buffer, cfg)
    tasks = tuple(validation.task for validation in validations if validation.task)
    buffer.add(tasks)
    return Step(number, tuple(validations), tasks, tuple(reward_proposals(validations, tasks, cfg)))
