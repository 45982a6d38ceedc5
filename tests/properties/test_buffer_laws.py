"""The law of the buffer: built live, or folded from what was stored, it draws and refuses the same ever after."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from absolute_zero.buffer import Buffer
from absolute_zero.config import Config
from absolute_zero.domains.python.novelty import digest
from absolute_zero.domains.python.payload import KINDS
from absolute_zero.keys import Key
from absolute_zero.types import Grade, Identity, Status, Task
from worlds import empty_buffer, seeds, task_types

SMALL = st.integers(0, 6)
PROPOSALS = st.tuples(st.sampled_from(KINDS), SMALL, SMALL, SMALL, st.booleans(), st.integers(0, 4))
"""Kind, program, inputs, behaviour, whether it is constant, successes of 4 rollouts."""
STEPS = st.lists(st.lists(PROPOSALS, max_size=5), max_size=12)
CONFIGS = st.builds(
    lambda choice, practice, references, capacity, cell: Config.model_validate(
        {
            "propose": {"choice": choice, "references": references, "batch": 1},
            "solve": {"practice": practice},
            "seeding": {"factor": 1},
            "buffer": {"capacity": capacity, "per_behaviour": cell},
        }
    ),
    st.sampled_from(["uniform", "recent", "learnable"]), st.sampled_from(["uniform", "learnable"]),
    st.integers(0, 4), st.integers(1, 5), st.integers(1, 3),
)  # fmt: skip
Proposed = tuple[str, int, int, int, bool, int]


def identity_of(proposed: Proposed) -> Identity | Grade:
    _, program, inputs, behaviour, constant, _ = proposed
    if constant:
        return Grade(Status.NEUTRAL, reason="constant")
    family = digest("family", str(program))
    return Identity(digest(family, str(inputs)), family, digest("behaviour", str(behaviour)))


def played(buffer: Buffer, steps: Sequence[Sequence[Proposed]]) -> list[Task]:
    """Steps as the loop has them: all of one are judged before any is put at hand."""
    kept: list[Task] = []
    for number, proposals in enumerate(steps):
        fresh: list[Task] = []
        for index, proposed in enumerate(proposals):
            shown = buffer.references(proposed[0], Key(1).at(number, index))
            task = Task(proposed[0], f"{proposed[1:4]}")
            result = buffer.admit(task, identity_of(proposed), number, shown)
            if isinstance(result, Task):
                solved = number > 2
                fresh.append(replace(result, trials=4 if solved else 0, successes=proposed[5] if solved else 0))
        buffer.add(fresh)
        kept += fresh
    return kept


def seen(buffer: Buffer) -> list[object]:
    """All that can be asked of a buffer without changing it, under many chances."""
    drawn: list[object] = [buffer.size(kind) for kind in KINDS]
    for kind in KINDS:
        for seed in range(8):
            key = Key(seed).at(kind)
            drawn += [buffer.references(kind, key), buffer.practice(kind, 3, {2, 5}, key)]
    return drawn


def answers(buffer: Buffer) -> list[object]:
    """What it says to proposals, accepting what it accepts."""
    every = [(kind, n % 7, n % 5, n % 6, False, 0) for n in range(40) for kind in KINDS]
    return [buffer.admit(Task(proposed[0], "a task"), identity_of(proposed), 99, ()) for proposed in every]


@given(STEPS, CONFIGS)
@settings(max_examples=60)
def test_live_and_folded_buffers_are_the_same(steps: list[list[Proposed]], cfg: Config) -> None:
    live = empty_buffer(cfg)
    folded = Buffer.fold(played(live, steps), cfg, task_types(cfg), seeds(cfg))
    assert seen(live) == seen(folded)
    assert answers(live) == answers(folded)


@given(STEPS, STEPS, CONFIGS)
@settings(max_examples=40)
def test_a_fold_goes_on_as_it_would(before: list[list[Proposed]], after: list[list[Proposed]], cfg: Config) -> None:
    live = empty_buffer(cfg)
    folded = Buffer.fold(played(live, before), cfg, task_types(cfg), seeds(cfg))
    assert played(live, after) == played(folded, after)
    assert seen(live) == seen(folded)


@given(STEPS, CONFIGS)
@settings(max_examples=60)
def test_what_is_kept_is_new_bounded_and_numbered(steps: list[list[Proposed]], cfg: Config) -> None:
    buffer = empty_buffer(cfg)
    tasks = played(buffer, steps)
    assert [task.id for task in tasks] == list(range(1, len(tasks) + 1))
    for kind in KINDS:
        own = [task for task in tasks if task.kind == kind]
        assert len({task.exact for task in own}) == len(own)
        for cell in ({task.family for task in own}, {task.behaviour for task in own}):
            assert len(own) <= len(cell) * cfg.buffer.per_behaviour
        assert buffer.size(kind) == min(len(own), cfg.buffer.capacity)
        newest = buffer.practice(kind, 99, set(), Key(0))
        practised = [task.id for task in own if buffer.practises(task)]
        assert {task.id for task in newest} == set(practised[-cfg.buffer.capacity :])


@given(STEPS, CONFIGS)
@settings(max_examples=30)
def test_looking_changes_nothing(steps: list[list[Proposed]], cfg: Config) -> None:
    buffer = empty_buffer(cfg)
    played(buffer, steps)
    assert seen(buffer) == seen(buffer)


def test_the_laws_see_both_answers() -> None:
    """The proposals above are neither all accepted nor all refused."""
    results = answers(empty_buffer(Config()))
    assert 10 < sum(isinstance(result, Grade) for result in results) < len(results) - 10
