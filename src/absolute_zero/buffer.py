"""The tasks at hand: what proposers are shown, what solvers practise on, and what counts as new (paper section 3.3).

Promises: bounded, and never refuses the newest: beyond `buffer.capacity` tasks of a kind, and as many learnable ones,
the oldest leaves. What was ever accepted stays known, so that it is not accepted again. Equal to the fold of the
stored tasks: `Buffer`, then `admit` and `add` live, or `fold` of what the store kept, give the same draws ever after.
All draws are addressed. Does not judge what makes two tasks alike: their task type does (`types.Identity`). Floor 2.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Final, final

from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.ports import TaskType
from absolute_zero.types import Grade, Identity, Status, Task

_CANDIDATES: Final = 8
"""Tasks drawn for a kind that is shown a fixed number: one whose family is full would lead to a rejection."""


@final
class _Ring:
    """The newest tasks, oldest first: appending to a full one drops its oldest."""

    def __init__(self, capacity: int) -> None:
        self._capacity, self._tasks, self._oldest = capacity, list[Task](), 0

    def append(self, task: Task) -> None:
        if len(self._tasks) < self._capacity:
            self._tasks.append(task)
        else:
            self._tasks[self._oldest] = task
            self._oldest = (self._oldest + 1) % self._capacity

    def __len__(self) -> int:
        return len(self._tasks)

    def __getitem__(self, index: int) -> Task:
        return self._tasks[(self._oldest + index) % len(self._tasks)]


@final
class Buffer:
    """What one run has accepted, of the kinds of `task_types`.

    `seeds` are shown while nothing has been accepted; `held_out` are families that are never accepted.
    """

    def __init__(
        self,
        cfg: Config,
        task_types: Mapping[str, TaskType],
        seeds: Sequence[Task] = (),
        held_out: Set[str] = frozenset(),
    ) -> None:
        self._cfg, self._types, self._held_out = cfg, task_types, held_out
        self._seeds = [_known(seed, task_types, cfg) for seed in seeds]
        self._kept = {kind: _Ring(cfg.buffer.capacity) for kind in task_types}
        self._learnable = {kind: _Ring(cfg.buffer.capacity) for kind in task_types}
        self._shown = self._learnable if cfg.propose.choice == "learnable" else self._kept
        self._practised = self._learnable if cfg.solve.practice == "learnable" else self._kept
        self._last = 0
        self._exact = {kind: set[str]() for kind in task_types}
        self._families = {kind: Counter[str]() for kind in task_types}
        self._behaviours = {kind: Counter[str]() for kind in task_types}

    @classmethod
    def fold(
        cls,
        tasks: Iterable[Task],
        cfg: Config,
        task_types: Mapping[str, TaskType],
        seeds: Sequence[Task] = (),
        held_out: Set[str] = frozenset(),
    ) -> "Buffer":
        """Return the buffer of a run that accepted these, in this order."""
        buffer = cls(cfg, task_types, seeds, held_out)
        for task in tasks:
            buffer._note(task)
            buffer.add([task])
        return buffer

    def size(self, kind: str) -> int:
        """Return how many tasks of a kind are at hand."""
        return len(self._kept[kind])

    # --- what is new ----------------------------------------------------------------------------------------

    def admit(self, task: Task, identity: Identity | Grade, step: int, references: Sequence[Task]) -> Task | Grade:
        """Return a valid task as accepted, known from now on; or why it is rejected.

        A held-out family leaves the batch. FAILED is only what the proposer could see: a copy of a reference in its
        prompt. NEUTRAL is what it could not. Of equals, the first one asked is accepted.
        """
        if isinstance(identity, Grade):
            return identity
        if identity.family in self._held_out:
            return Grade(Status.MASKED, reason="held_out")
        for reference in references:
            if identity.exact and reference.exact == identity.exact:
                return Grade(Status.FAILED, reason="copy", detail=f"of task {reference.id}")
        if identity.exact in self._exact[task.kind]:
            return Grade(Status.NEUTRAL, reason="duplicate")
        if self._crowded(task.kind, identity):
            return Grade(Status.NEUTRAL, reason="crowded")
        accepted = replace(
            task,
            id=self._last + 1,
            step=step,
            references=tuple(reference.id for reference in references),
            exact=identity.exact,
            family=identity.family,
            behaviour=identity.behaviour,
        )
        self._note(accepted)
        return accepted

    def _crowded(self, kind: str, identity: Identity | Task) -> bool:
        """Return whether as many of its family, or of its behaviour, are stored as may be.

        By family too: there is no end of types on which Python's `len` behaves differently.
        """
        most = self._cfg.buffer.per_behaviour
        return self._families[kind][identity.family] >= most or self._behaviours[kind][identity.behaviour] >= most

    def _note(self, task: Task) -> None:
        self._last = task.id
        # What is empty is not known, and alike to nothing.
        self._exact[task.kind].update({task.exact} - {""})
        self._families[task.kind].update({task.family} - {""})
        self._behaviours[task.kind].update({task.behaviour} - {""})

    # --- what is at hand ------------------------------------------------------------------------------------

    def add(self, tasks: Iterable[Task]) -> None:
        """Put accepted tasks, with their outcomes, where references and practice are drawn from."""
        for task in tasks:
            self._kept[task.kind].append(task)
            if _may_be_learnable(task):
                self._learnable[task.kind].append(task)

    def references(self, kind: str, key: Key) -> tuple[Task, ...]:
        """Return what a proposer of this kind is shown: tasks of its sources, without repetition."""
        fixed = self._types[kind].max_references
        count = self._cfg.propose.references if fixed is None else fixed
        if not count:
            return ()
        sources = [source for source in self._types[kind].sources if source in self._kept]
        pools = [self._shown[source] for source in sources]
        if not any(map(len, pools)):
            pools = [self._kept[source] for source in sources]
        starts = [len(pool) // 2 if self._cfg.propose.choice == "recent" else 0 for pool in pools]
        sizes = [len(pool) - start for pool, start in zip(pools, starts, strict=True)]
        drawn: list[Task] = []
        for index in key.choose(sum(sizes), count if fixed is None else max(count, _CANDIDATES)):
            for pool, start, size in zip(pools, starts, sizes, strict=True):
                if index < size:
                    drawn.append(pool[start + index])
                    break
                index -= size
        if fixed is not None:
            free = [task for task in drawn if not self._crowded(kind, task)]
            drawn = (free or drawn)[:count]
        return tuple(drawn) or self._seeded(kind, count, key)

    def _seeded(self, kind: str, count: int, key: Key) -> tuple[Task, ...]:
        """Return up to `count` seeds of its sources."""
        seeds = [seed for seed in self._seeds if seed.kind in self._types[kind].sources]
        return tuple(seeds[index] for index in key.choose(len(seeds), count))

    def practises(self, task: Task) -> bool:
        """Return whether a task, with its outcome, is one of those that practice is on."""
        return self._practised is self._kept or _may_be_learnable(task)

    def practice(self, kind: str, count: int, exclude: Set[int], key: Key) -> list[Task]:
        """Return up to `count` tasks of a kind to practise on, uniform without repetition, but for ids in `exclude`."""
        pool = self._practised[kind]
        drawn = [pool[index] for index in key.choose(len(pool), max(count, 0) + len(exclude))]
        return [task for task in drawn if task.id not in exclude][: max(count, 0)]


def _may_be_learnable(task: Task) -> bool:
    """Return whether it is learnable; or not known, as in seeding nothing is tried. Not a task of which all rollouts
    were masked."""
    return task.learnable or (task.step <= 0 and not task.trials)


def _known(seed: Task, task_types: Mapping[str, TaskType], cfg: Config) -> Task:
    """Return a seed with id 0 and, if its domain has not said it, what makes it alike to others: so that copies of it
    are seen. Where only a probe could say it, it stays unknown, as nothing runs here."""
    seed = replace(seed, id=0)
    task_type = task_types.get(seed.kind)
    if seed.exact or task_type is None or task_type.probe(seed, Key(cfg.seed).at("probe", seed.kind)) is not None:
        return seed
    identity = task_type.identity(seed, None)
    if isinstance(identity, Grade):
        return seed
    return replace(seed, exact=identity.exact, family=identity.family, behaviour=identity.behaviour)
