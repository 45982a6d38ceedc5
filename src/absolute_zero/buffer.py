"""The tasks at hand: what proposers are shown, what solvers practise on, and what counts as new (paper section 3.3).

Promises: bounded, and never refuses the newest: beyond `buffer.capacity` entries of a kind, and as many learnable ones,
the oldest leaves. What was ever accepted stays known, so that it is not accepted again. Equal to the fold of the stored
entries: `Buffer`, then `admit` and `add` live, or `fold` of what the store kept, give the same draws ever after. All
draws are addressed. Does not touch files (but for the list of held-out programs), and does not judge what programs do:
that is `absolute_zero.novelty`. Floor 2.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Final, final

from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.novelty import ENTRY, Facts, digest, functions, normal_form
from absolute_zero.types import Entry, Grade, Kind, Problem, Status, UserError, Verdict
from absolute_zero.values import Unreadable

ZERO: Final = Entry(
    id=0,
    problem=Problem(Kind.DEDUCTION, "def f(x):\n    return x", (("1", "1"),)),
    step=-(1 << 31),
    references=(),
    normal=digest("def f($0):\n    return $0"),
    key=digest(digest("def f($0):\n    return $0"), "0=1"),
    behaviour=digest("argument", "0"),
)
"""The zero triplet: the one reference where nothing has been accepted yet (paper figure 5). Never practised on."""

SOURCES: Final[Mapping[Kind, tuple[Kind, ...]]] = {
    Kind.DEDUCTION: (Kind.DEDUCTION,),
    Kind.ABDUCTION: (Kind.ABDUCTION,),
    Kind.INDUCTION: (Kind.DEDUCTION, Kind.ABDUCTION),
}
"""Whose entries are shown to the proposer of each kind."""
ONE_PROGRAM: Final = frozenset({Kind.INDUCTION})
"""Kinds whose proposals are about one program of an entry, instead of looking at up to K of them."""
_LOOK: Final = 8
"""Entries drawn for one program that leaves room for another task: induction of a full cell would be refused."""


@final
class _Ring:
    """The newest entries, oldest first: appending to a full one drops its oldest."""

    def __init__(self, capacity: int) -> None:
        self._capacity, self._items, self._oldest = capacity, list[Entry](), 0

    def append(self, entry: Entry) -> None:
        if len(self._items) < self._capacity:
            self._items.append(entry)
        else:
            self._items[self._oldest] = entry
            self._oldest = (self._oldest + 1) % self._capacity

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: int) -> Entry:
        return self._items[(self._oldest + place) % len(self._items)]


@final
class Buffer:
    """What one run has accepted. `held_out`: digests of normal forms that are never accepted."""

    def __init__(self, cfg: Config, held_out: Set[str] = frozenset()) -> None:
        self._cfg, self._held_out = cfg, held_out
        self._kept = {kind: _Ring(cfg.buffer.capacity) for kind in Kind}
        self._learnable = {kind: _Ring(cfg.buffer.capacity) for kind in Kind}
        self._shown = self._learnable if cfg.propose.choice == "learnable" else self._kept
        self._practised = self._learnable if cfg.solve.practice == "learnable" else self._kept
        self._last = 0
        self._keys = {kind: set[int]() for kind in Kind}
        self._cells = {kind: Counter[int]() for kind in Kind}

    @classmethod
    def fold(cls, entries: Iterable[Entry], cfg: Config, held_out: Set[str] = frozenset()) -> "Buffer":
        """The buffer of a run that accepted these, in this order."""
        buffer = cls(cfg, held_out)
        for entry in entries:
            buffer._note(entry)
            buffer.add([entry])
        return buffer

    def size(self, kind: Kind) -> int:
        """How many entries of a kind are at hand."""
        return len(self._kept[kind])

    # --- what is new ----------------------------------------------------------------------------------------

    def admit(self, problem: Problem, facts: Facts, step: int, references: Sequence[Entry]) -> Entry | Grade:
        """A valid problem as an entry, known from now on; or why it is refused (ALGORITHM.md 4.2).

        -0.5 for what the proposer could see: a program that ignores its input, a copy of a reference in its prompt.
        0 for what it could not. A held-out program leaves the batch. Of equals, the first one asked is accepted.
        """
        kind = problem.kind
        if facts.lost:
            return Grade(Status.MASKED, reason=Verdict.INFRASTRUCTURE.value)
        if facts.normal in self._held_out:
            return Grade(Status.MASKED, reason="held_out")
        if not facts.reads:
            return Grade(Status.FAILED, reason="ignores_input")
        for shown in references:
            if shown.key == facts.key:
                return Grade(Status.FAILED, reason="copy", detail=f"of entry {shown.id}")
        if facts.constant:
            return Grade(Status.NEUTRAL, reason="constant")
        if int(facts.key, 16) in self._keys[kind]:
            return Grade(Status.NEUTRAL, reason="duplicate")
        if self._crowded(kind, facts.normal, facts.behaviour):
            return Grade(Status.NEUTRAL, reason="crowded")
        shown_ids = tuple(reference.id for reference in references)
        entry = Entry(self._last + 1, problem, step, shown_ids, facts.normal, facts.key, facts.behaviour)
        self._note(entry)
        return entry

    def _crowded(self, kind: Kind, normal: str, behaviour: str) -> bool:
        """By behaviour, and by program too: there is no end of types on which `len` is another function."""
        cells, most = self._cells[kind], self._cfg.buffer.per_behaviour
        return cells[int(normal, 16)] >= most or cells[int(behaviour, 16)] >= most

    def _note(self, entry: Entry) -> None:
        kind = entry.problem.kind
        self._last = entry.id
        self._keys[kind].add(int(entry.key, 16))
        self._cells[kind].update({int(entry.normal, 16), int(entry.behaviour, 16)})

    # --- what is at hand ------------------------------------------------------------------------------------

    def add(self, entries: Iterable[Entry]) -> None:
        """Put admitted entries, with their trials, where references and practice are drawn from."""
        for entry in entries:
            kind = entry.problem.kind
            self._kept[kind].append(entry)
            if _teaches(entry):
                self._learnable[kind].append(entry)

    def references(self, kind: Kind, key: Key) -> tuple[Entry, ...]:
        """What a proposer of this kind is shown: up to K entries without repetition, or one program."""
        alone = kind in ONE_PROGRAM
        if not alone and not self._cfg.propose.references:
            return ()
        pools = [self._shown[source] for source in SOURCES[kind]]
        if not any(map(len, pools)):
            pools = [self._kept[source] for source in SOURCES[kind]]
        starts = [len(pool) // 2 if self._cfg.propose.choice == "recent" else 0 for pool in pools]
        sizes = [len(pool) - start for pool, start in zip(pools, starts, strict=True)]
        drawn: list[Entry] = []
        for place in key.choose(sum(sizes), _LOOK if alone else self._cfg.propose.references):
            for pool, start, size in zip(pools, starts, sizes, strict=True):
                if place < size:
                    drawn.append(pool[start + place])
                    break
                place -= size
        if alone:
            free = [entry for entry in drawn if not self._crowded(kind, entry.normal, entry.behaviour)]
            drawn = (free or drawn)[:1]
        return tuple(drawn) or (ZERO,)

    def practises(self, entry: Entry) -> bool:
        """Whether a task, with its trials, is one of those that practice is on."""
        return self._practised is self._kept or _teaches(entry)

    def practice(self, kind: Kind, count: int, but: Set[int], key: Key) -> list[Entry]:
        """Up to `count` entries of a kind to practise on, uniform without repetition, none with an id in `but`."""
        pool = self._practised[kind]
        drawn = [pool[place] for place in key.choose(len(pool), max(count, 0) + len(but))]
        return [entry for entry in drawn if entry.id not in but][: max(count, 0)]


def _teaches(entry: Entry) -> bool:
    """Solved by some trials and not by all; or a seed, which nobody tries. Not a task of which all trials were void."""
    return 0 < entry.successes < entry.trials or (entry.step <= 0 and not entry.trials)


def held_out(paths: Iterable[str]) -> frozenset[str]:
    """Digests of the programs in JSONL files, which `Buffer` never accepts. Raises UserError as `held_out_forms`."""
    return frozenset(digest(form) for path in paths for form in held_out_forms(Path(path)))


def held_out_forms(path: Path) -> Iterator[str]:
    """Normal forms of the programs in a JSONL file: each row has a `program` or `code`, with a function `f` or others,
    each of which then counts as `f`. Raises UserError with the file and line of what cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # other ends of lines may stand in a JSON string
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the held-out programs of {str(path)!r}: {error}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            program = row.get("program") or row["code"]
            names = functions(program)
            if not names:
                raise ValueError("no function, so that nothing would be held out")
            for name in [ENTRY] if ENTRY in names else names:  # any of them may be what an evaluation calls
                yield normal_form(program, called=name)
        except (ValueError, LookupError, AttributeError, TypeError, Unreadable):
            raise UserError(
                f"{path}:{number}: not a JSON object with a Python function under `program` or `code`: mend the row"
            ) from None
