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

from absolute_zero.store import Checkpoint, Flag, Keep, Score, Store, StoredRollout
from absolute_zero.types import (
    Completion,
    Entry,
    Grade,
    Kind,
    Problem,
    ProposalRollout,
    Role,
    Rollout,
    Status,
    Step,
    Validation,
)

FEW = settings(max_examples=40)
"""Every example makes files and syncs them."""

TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("\0\ud83d\ude00\udfff\"'\\\n")), max_size=6)
FLOATS = st.floats()
COUNTS = st.integers(0, 3)
JUDGEMENTS = st.builds(Grade, st.sampled_from(Status), FLOATS, TEXTS, TEXTS)
COMPLETIONS = st.integers(0, 3).flatmap(
    lambda n: st.builds(Completion, TEXTS, st.just((7,) * n), st.just((-0.5,) * n), st.booleans())
)
PROBLEMS = st.builds(
    Problem, st.sampled_from(Kind), TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple), TEXTS
)
ROLLOUTS = st.builds(
    Rollout,
    role=st.sampled_from(Role),
    kind=st.sampled_from(Kind),
    item=COUNTS,
    attempt=COUNTS,
    entry=COUNTS,
    prompt=TEXTS,
    completion=COMPLETIONS,
    grade=JUDGEMENTS,
    reward=st.none() | st.floats(allow_nan=False),
    weight=FLOATS,
    advantage=FLOATS,
)
RULINGS = st.builds(
    Validation,
    st.builds(ProposalRollout, st.sampled_from(Kind), COUNTS, st.just(()), TEXTS, COMPLETIONS, JUDGEMENTS),
    # Few reasons, so that some are equal.
    st.builds(Grade, st.sampled_from(Status), FLOATS, st.sampled_from(["a", "\ud800"]), TEXTS),
    st.booleans(),
)


@dataclass(frozen=True)
class Commit:
    """The arguments of one commit."""

    step: Step
    metrics: Mapping[str, float]
    clocks: Mapping[str, float]
    checkpoint: Checkpoint | None
    scores: Sequence[Score]
    flags: Sequence[Flag]

    def into(self, store: Store) -> None:
        store.commit(self.step, self.metrics, self.clocks, self.checkpoint, scores=self.scores, flags=self.flags)


@st.composite
def runs(draw: st.DrawFn) -> list[Commit]:
    """Some steps with numbers that rise and entries that count on."""
    commits: list[Commit] = []
    number, last = draw(st.integers(-3, 1)), 0
    for _ in range(draw(st.integers(1, 4))):
        entries: list[Entry] = []
        for problem in draw(st.lists(PROBLEMS, max_size=2)):
            last += 1
            shown = tuple(draw(st.lists(COUNTS, max_size=2)))
            entries.append(Entry(last, problem, number, shown, draw(TEXTS), draw(TEXTS), draw(TEXTS), 8, draw(COUNTS)))
        rulings, rollouts = draw(st.lists(RULINGS, max_size=4)), draw(st.lists(ROLLOUTS, max_size=4))
        scores = st.builds(Score, TEXTS, TEXTS, FLOATS, FLOATS, FLOATS, COUNTS)
        commits.append(
            Commit(
                Step(number, tuple(rulings), tuple(entries), tuple(rollouts)),
                draw(st.dictionaries(TEXTS, FLOATS, max_size=3)),
                draw(st.dictionaries(TEXTS, FLOATS, max_size=1)),
                draw(st.none() | st.builds(Checkpoint, TEXTS, TEXTS)),
                draw(st.lists(scores, max_size=2, unique_by=lambda it: (it.suite, it.name))),
                draw(st.lists(st.builds(Flag, TEXTS, TEXTS), max_size=2)),
            )
        )
        number += draw(st.integers(1, 2))
    return commits


@contextmanager
def committed(commits: Sequence[Commit], rollouts: Keep = "all") -> Iterator[Store]:
    """A database of its own with these commits in it."""
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "run.db", rollouts) as store:
        for commit in commits:
            commit.into(store)
        yield store


def as_kept(rollout: Rollout) -> StoredRollout:
    """What must be left of a rollout, spelt out."""
    said = rollout.completion
    text = Completion(said.text, tokens=(), logprobs=(), truncated=said.truncated)
    return StoredRollout(replace(rollout, completion=text), tokens=len(said.tokens), whole=True)


def same(read: object, made: object) -> bool:
    """Equal to the last bit: `repr` tells zeros apart by sign, and holds NaN equal to itself."""
    return repr(read) == repr(made)


@FEW
@given(runs())
def test_what_was_committed_reads_back_equal(commits: list[Commit]) -> None:
    with committed(commits) as writer, Store.read(writer.path) as store:
        entries = [entry for commit in commits for entry in commit.step.entries]
        assert list(store.entries()) == entries
        assert list(store.fingerprints()) == [(it.problem.kind, it.normal, it.key, it.behaviour) for it in entries]
        assert store.last_step() == commits[-1].step.number
        for commit in commits:
            number = commit.step.number
            assert same(store.rollouts(number), [as_kept(rollout) for rollout in commit.step.rollouts])
            for read, made in [(store.metrics(), commit.metrics), (store.clocks(), commit.clocks)]:
                assert same(sorted((name, value) for at, name, value in read if at == number), sorted(made.items()))
            scores = [score for at, score in store.scores() if at == number]
            assert sorted(map(repr, scores)) == sorted(map(repr, commit.scores))
            assert [flag for at, flag in store.flags() if at == number] == list(commit.flags)
        saved = [(it.step.number, it.checkpoint) for it in reversed(commits) if it.checkpoint]
        assert store.checkpoints() == saved


@FEW
@given(runs())
def test_counts_are_those_of_the_step(commits: list[Commit]) -> None:
    with committed(commits, "none") as store:
        tries: Counter[tuple[int, int]] = Counter()
        solved: Counter[tuple[int, int]] = Counter()
        refusals: Counter[tuple[object, ...]] = Counter()
        for commit in commits:
            for it in commit.step.rollouts:
                if it.role is Role.SOLVE and it.entry and it.grade.status is not Status.MASKED:
                    tries[commit.step.number, it.entry] += 1
                    solved[commit.step.number, it.entry] += it.grade.right
            for ruling in commit.step.rulings:
                assert isinstance(ruling.made, Grade)
                refusals[commit.step.number, ruling.draft.kind, ruling.made.status, ruling.made.reason] += 1
        assert store.tries() == sorted((*key, count, solved[key]) for key, count in tries.items())
        read = {(at, it.kind, it.status, it.reason): it for at, it in store.refusals()}
        assert {key: it.count for key, it in read.items()} == refusals
        for (at, kind, status, reason), it in read.items():
            [step] = [commit.step for commit in commits if commit.step.number == at]
            details = [
                ruling.made.detail
                for ruling in step.rulings
                if isinstance(ruling.made, Grade)
                and (ruling.draft.kind, ruling.made.status, ruling.made.reason) == (kind, status, reason)
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
