"""Laws of the run database, for any run: what is committed reads back equal, and rewinding leaves no trace.

Texts are what a model might write: any code point, lone surrogates and NULs among them. Floats are any.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from absolute_zero.store import Checkpoint, Flag, Keep, Store, StoredRollout
from absolute_zero.types import (
    Completion,
    Grade,
    Message,
    Prompt,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    Task,
    Validation,
)

FEW = settings(max_examples=40)
"""Every example makes files and syncs them."""

TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("\0\ud83d\ude00\udfff\"'\\\n")), max_size=6)
FLOATS = st.floats()
COUNTS = st.integers(0, 3)
KINDS = st.sampled_from(["deduction", "abduction", "induction", "sql-select"])
GRADES = st.builds(Grade, st.sampled_from(Status), FLOATS, TEXTS, TEXTS)
COMPLETIONS = st.integers(0, 3).flatmap(
    lambda n: st.builds(Completion, TEXTS, st.just((7,) * n), st.just((-0.5,) * n), st.booleans())
)
MESSAGES = st.lists(st.builds(Message, TEXTS, TEXTS), min_size=1, max_size=2).map(tuple)
PROMPTS = st.one_of(
    st.builds(Prompt, TEXTS, opens_thought=st.booleans()), st.builds(Prompt, st.just(""), MESSAGES, st.booleans())
)
STATES = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | FLOATS | TEXTS,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
        max_leaves=4,
    ),
    max_size=2,
)
ROLLOUTS = st.builds(
    Rollout,
    role=st.sampled_from(Role),
    kind=KINDS,
    item=COUNTS,
    attempt=COUNTS,
    task=COUNTS,
    prompt=PROMPTS,
    completion=COMPLETIONS,
    grade=GRADES,
    reward=st.none() | st.floats(allow_nan=False),
    weight=FLOATS,
    advantage=FLOATS,
)
VALIDATIONS = st.builds(
    Validation,
    st.builds(ProposalRollout, KINDS, COUNTS, st.just(()), PROMPTS, COMPLETIONS, GRADES),
    # Few reasons, so that some are equal.
    st.builds(Grade, st.sampled_from(Status), FLOATS, st.sampled_from(["a", "\ud800"]), TEXTS),
    st.booleans(),
)


@dataclass(frozen=True)
class Commit:
    """The arguments of a commit."""

    step: Step
    metrics: Mapping[str, float]
    clocks: Mapping[str, float]
    checkpoint: Checkpoint | None
    flags: Sequence[Flag]

    def into(self, store: Store) -> None:
        """Make it."""
        store.commit(self.step, self.metrics, self.clocks, self.checkpoint, flags=self.flags)


@st.composite
def runs(draw: st.DrawFn) -> list[Commit]:
    """Draw steps with numbers that rise and tasks that count on."""
    commits: list[Commit] = []
    number, last = draw(st.integers(-3, 1)), 0
    for _ in range(draw(st.integers(1, 4))):
        tasks: list[Task] = []
        for kind in draw(st.lists(KINDS, max_size=2)):
            last += 1
            content, identity = (draw(TEXTS), draw(TEXTS), "", ""), (draw(TEXTS), draw(TEXTS), draw(TEXTS))
            references = tuple(draw(st.lists(COUNTS, max_size=2)))
            tasks.append(Task(kind, *content, last, number, references, *identity, 8, draw(COUNTS)))
        validations, rollouts = draw(st.lists(VALIDATIONS, max_size=4)), draw(st.lists(ROLLOUTS, max_size=4))
        commits.append(
            Commit(
                Step(number, tuple(validations), tuple(tasks), tuple(rollouts), draw(STATES)),
                draw(st.dictionaries(TEXTS, FLOATS, max_size=3)),
                draw(st.dictionaries(TEXTS, FLOATS, max_size=1)),
                draw(st.none() | st.builds(Checkpoint, TEXTS, TEXTS)),
                draw(st.lists(st.builds(Flag, TEXTS, TEXTS), max_size=2)),
            )
        )
        number += draw(st.integers(1, 2))
    return commits


@contextmanager
def committed(commits: Sequence[Commit], rollouts: Keep = "all") -> Iterator[Store]:
    """Open a database of its own with these commits in it."""
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "run.db", rollouts) as store:
        for commit in commits:
            commit.into(store)
        yield store


def as_kept(rollout: Rollout) -> StoredRollout:
    """Return what must be left of a rollout, spelt out."""
    completion = replace(rollout.completion, tokens=(), logprobs=())
    n_tokens = len(rollout.completion.tokens)
    return StoredRollout(replace(rollout, completion=completion), n_tokens=n_tokens, has_texts=True)


def same(read: object, committed: object) -> bool:
    """Equal to the last bit: `repr` tells zeros apart by sign, and holds NaN equal to itself."""
    return repr(read) == repr(committed)


@FEW
@given(runs())
def test_what_was_committed_reads_back_equal(commits: list[Commit]) -> None:
    with committed(commits) as writer, Store.read(writer.path) as store:
        assert list(store.tasks()) == [task for commit in commits for task in commit.step.tasks]
        assert same(store.state(), commits[-1].step.state)
        assert store.last_step() == commits[-1].step.number
        for commit in commits:
            number = commit.step.number
            assert same(store.rollouts(number), [as_kept(rollout) for rollout in commit.step.rollouts])
            for read, values in [(store.metrics(), commit.metrics), (store.clocks(), commit.clocks)]:
                assert same(sorted((name, value) for at, name, value in read if at == number), sorted(values.items()))
            assert [flag for at, flag in store.flags() if at == number] == list(commit.flags)
        saved = [(it.step.number, it.checkpoint) for it in reversed(commits) if it.checkpoint]
        assert store.checkpoints() == saved


@FEW
@given(runs())
def test_counts_are_those_of_the_step(commits: list[Commit]) -> None:
    with committed(commits, "none") as store:
        trials: Counter[tuple[int, int]] = Counter()
        correct: Counter[tuple[int, int]] = Counter()
        rejections: Counter[tuple[object, ...]] = Counter()
        for commit in commits:
            for it in commit.step.rollouts:
                if it.role is Role.SOLVE and it.task and it.grade.status is not Status.MASKED:
                    trials[commit.step.number, it.task] += 1
                    correct[commit.step.number, it.task] += it.grade.correct
            for it in commit.step.validations:
                assert isinstance(it.result, Grade)
                rejections[commit.step.number, it.proposal.kind, it.result.status, it.result.reason] += 1
        assert store.outcomes() == sorted((*key, count, correct[key]) for key, count in trials.items())
        read = {(at, it.kind, it.status, it.reason): it for at, it in store.rejections()}
        assert {key: it.count for key, it in read.items()} == rejections
        for (at, kind, status, reason), it in read.items():
            [step] = [commit.step for commit in commits if commit.step.number == at]
            details = [
                validation.result.detail
                for validation in step.validations
                if isinstance(validation.result, Grade)
                and (validation.proposal.kind, validation.result.status, validation.result.reason)
                == (kind, status, reason)
            ]
            assert list(it.examples) == details[:2]


@FEW
@given(runs(), st.data())
def test_rewinding_leaves_no_trace(commits: list[Commit], data: st.DataObject) -> None:
    """After step n + k, rewound to n, is as stopped at n; going on from there is as never rewound."""
    stop = data.draw(st.integers(0, len(commits)))
    number = commits[stop - 1].step.number if stop else commits[0].step.number - 1
    with committed(commits) as store:
        whole = list(store.dump(clocks=True))
        store.rewind(number)
        with committed(commits[:stop]) as stopped:
            assert list(store.dump(clocks=True)) == list(stopped.dump(clocks=True))
        with Store.open(store.path) as again:
            for commit in commits[stop:]:
                commit.into(again)
            assert list(again.dump(clocks=True)) == whole
