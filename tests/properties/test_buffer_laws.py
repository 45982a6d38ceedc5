"""The law of the buffer: built live, or folded from what was stored, it draws and refuses the same ever after."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from absolute_zero.buffer import Buffer
from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.novelty import Facts, digest
from absolute_zero.types import Entry, Grade, Kind, Problem

KINDS = st.sampled_from(list(Kind))
SMALL = st.integers(0, 6)
PROPOSALS = st.tuples(KINDS, SMALL, SMALL, SMALL, st.booleans(), st.integers(0, 4))
"""Kind, program, key, behaviour, whether it is constant, successes of 4 trials."""
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
Proposed = tuple[Kind, int, int, int, bool, int]


def facts_of(proposed: Proposed) -> Facts:
    _, program, key, behaviour, constant, _ = proposed
    normal = digest("normal", str(program))
    return Facts(normal, digest(normal, str(key)), digest("behaviour", str(behaviour)), True, constant)


def played(buffer: Buffer, steps: Sequence[Sequence[Proposed]]) -> list[Entry]:
    """Steps as the story has them: all of one are judged before any is put at hand."""
    kept: list[Entry] = []
    for number, proposals in enumerate(steps):
        fresh: list[Entry] = []
        for place, proposed in enumerate(proposals):
            shown = buffer.references(proposed[0], Key(1).at(number, place))
            problem = Problem(proposed[0], f"def f(x):\n    return {proposed[1:4]}", (("1", "1"),))
            made = buffer.admit(problem, facts_of(proposed), number, shown)
            if isinstance(made, Entry):
                fresh.append(replace(made, trials=4 if number > 2 else 0, successes=proposed[5] if number > 2 else 0))
        buffer.add(fresh)
        kept += fresh
    return kept


def seen(buffer: Buffer) -> list[object]:
    """All that can be asked of a buffer without changing it, under many chances."""
    drawn: list[object] = [buffer.size(kind) for kind in Kind]
    for kind in Kind:
        for seed in range(8):
            key = Key(seed).at(kind)
            drawn += [buffer.references(kind, key), buffer.practice(kind, 3, {2, 5}, key)]
    return drawn


def answers(buffer: Buffer) -> list[object]:
    """What it says to proposals, accepting what it accepts."""
    every = [(kind, n % 7, n % 5, n % 6, False, 0) for n in range(40) for kind in Kind]
    return [
        buffer.admit(Problem(one[0], "def f(x):\n    return x", (("1", "1"),)), facts_of(one), 99, ()) for one in every
    ]


@given(STEPS, CONFIGS)
@settings(max_examples=60)
def test_live_and_folded_buffers_are_the_same(steps: list[list[Proposed]], cfg: Config) -> None:
    live = Buffer(cfg)
    entries = played(live, steps)
    folded = Buffer.fold(entries, cfg)
    assert seen(live) == seen(folded)
    assert answers(live) == answers(folded)


@given(STEPS, STEPS, CONFIGS)
@settings(max_examples=40)
def test_a_fold_goes_on_as_it_would(before: list[list[Proposed]], after: list[list[Proposed]], cfg: Config) -> None:
    live = Buffer(cfg)
    folded = Buffer.fold(played(live, before), cfg)
    assert played(live, after) == played(folded, after)
    assert seen(live) == seen(folded)


@given(STEPS, CONFIGS)
@settings(max_examples=60)
def test_what_is_kept_is_new_bounded_and_numbered(steps: list[list[Proposed]], cfg: Config) -> None:
    buffer = Buffer(cfg)
    entries = played(buffer, steps)
    assert [entry.id for entry in entries] == list(range(1, len(entries) + 1))
    for kind in Kind:
        own = [entry for entry in entries if entry.problem.kind is kind]
        assert len({entry.key for entry in own}) == len(own)
        for cell in ({entry.normal for entry in own}, {entry.behaviour for entry in own}):
            assert len(own) <= len(cell) * cfg.buffer.per_behaviour
        assert buffer.size(kind) == min(len(own), cfg.buffer.capacity)
        newest = buffer.practice(kind, 99, set(), Key(0))
        practised = [entry.id for entry in own if buffer.practises(entry)]
        assert {entry.id for entry in newest} == set(practised[-cfg.buffer.capacity :])


@given(STEPS, CONFIGS)
@settings(max_examples=30)
def test_looking_changes_nothing(steps: list[list[Proposed]], cfg: Config) -> None:
    buffer = Buffer(cfg)
    played(buffer, steps)
    assert seen(buffer) == seen(buffer)


def test_the_laws_see_both_answers() -> None:
    """The proposals above are neither all accepted nor all refused."""
    made = answers(Buffer(Config()))
    assert 10 < sum(isinstance(one, Grade) for one in made) < len(made) - 10
