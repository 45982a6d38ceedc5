"""How values are written down as rows of the run database, and read back. Pure functions; no file is touched.

Text. TEXT holds UTF-8, NULs included (SQL's own `length` stops at one; Python does not). A text with a lone surrogate
is no UTF-8: it is stored in the same column as a BLOB of its `surrogatepass` bytes. Prompts and responses are always
BLOBs: zlib over those bytes.

Floats stand in columns without a type, where SQLite keeps all 64 bits (a REAL column loses the sign of zero). It has
no NaN: one is written as NULL and read back as NaN.
"""

import hashlib
import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from absolute_zero.types import (
    Completion,
    Entry,
    Grade,
    Kind,
    Problem,
    Role,
    Rollout,
    Status,
    Step,
)

Keep = Literal["all", "sample", "none"]
Row = tuple[Any, ...]

SCHEMA = 1
"""Goes up with every change to TABLES; a database of another number is refused."""

# Every primary key begins with what only grows (the step, the id), so rows are added at the right edge of their tree
# and a million of them make no insert slower. No other index. WITHOUT ROWID is for short rows only.
TABLES = """
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE steps (step INTEGER PRIMARY KEY, entries INTEGER NOT NULL);
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, kind TEXT NOT NULL,
    normal TEXT NOT NULL, key TEXT NOT NULL, behaviour TEXT NOT NULL,
    trials INTEGER NOT NULL, successes INTEGER NOT NULL, shown TEXT NOT NULL,
    program TEXT NOT NULL, pairs TEXT NOT NULL, message TEXT NOT NULL);
CREATE TABLE tries (
    step INTEGER, entry INTEGER, trials INTEGER NOT NULL, successes INTEGER NOT NULL,
    PRIMARY KEY (step, entry)) WITHOUT ROWID;
CREATE TABLE prompts (step INTEGER, place INTEGER, text BLOB NOT NULL, PRIMARY KEY (step, place));
CREATE TABLE rollouts (
    step INTEGER, place INTEGER, role TEXT NOT NULL, kind TEXT NOT NULL, item INTEGER NOT NULL,
    attempt INTEGER NOT NULL, entry INTEGER NOT NULL, tokens INTEGER NOT NULL, cut INTEGER NOT NULL,
    standing TEXT NOT NULL, score, reason TEXT NOT NULL, reward, weight, advantage,
    prompt INTEGER, response BLOB, detail TEXT, PRIMARY KEY (step, place));
CREATE TABLE refusals (
    step INTEGER, kind TEXT, standing TEXT, reason TEXT, count INTEGER NOT NULL, examples TEXT NOT NULL,
    PRIMARY KEY (step, kind, standing, reason)) WITHOUT ROWID;
CREATE TABLE metrics (step INTEGER, name TEXT, value, PRIMARY KEY (step, name)) WITHOUT ROWID;
CREATE TABLE evals (
    step INTEGER, suite TEXT, name TEXT, value, low, high, n INTEGER NOT NULL,
    PRIMARY KEY (step, suite, name)) WITHOUT ROWID;
CREATE TABLE flags (
    step INTEGER, place INTEGER, name TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (step, place)) WITHOUT ROWID;
CREATE TABLE checkpoints (step INTEGER PRIMARY KEY, digest TEXT NOT NULL);
CREATE TABLE clocks (step INTEGER, name TEXT, value, PRIMARY KEY (step, name)) WITHOUT ROWID
"""

KEYS = {
    "run": "key",
    "steps": "step",
    "entries": "id",
    "tries": "step, entry",
    "prompts": "step, place",
    "rollouts": "step, place",
    "refusals": "step, kind, standing, reason",
    "metrics": "step, name",
    "evals": "step, suite, name",
    "flags": "step, place",
    "checkpoints": "step",
    "clocks": "step, name",
}
"""Every table and its primary key."""

PACKED = {"prompts": 2, "rollouts": 16}
"""Which column of a table is a compressed text."""

EXAMPLES = 2
"""Details kept of equal refusals in one step."""
ONE_IN = 16
"""Prompts of which one is kept where only a sample is."""
FOLDER = "checkpoint folder"
"""Name among the clocks of the folder of a step's checkpoint."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a step's weights were saved as."""

    digest: str
    """Checksum of its contents."""
    folder: str
    """Where it is, as the caller names it; kept among the clocks, as it is no fact of the run."""


@dataclass(frozen=True, slots=True)
class StepExtras:
    """What a caller has to say of a step that the step does not know."""

    checkpoint: Checkpoint | None = None
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    clocks: Mapping[str, float] = field(default_factory=dict[str, float])
    """Wall times and throughput, which differ between equal runs."""


@dataclass(frozen=True, slots=True)
class Score:
    """One number of an evaluation, with its confidence interval."""

    suite: str
    name: str
    value: float
    low: float
    high: float
    n: int
    """How many problems it is the mean of."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that a person should look at."""

    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Drafts of one step that were refused alike."""

    kind: Kind
    status: Status
    reason: str
    count: int
    examples: tuple[str, ...]
    """Details of the first two."""


@dataclass(frozen=True, slots=True)
class StoredRollout:
    """A rollout as it was kept: without token ids and log-probabilities."""

    rollout: Rollout
    tokens: int
    """How many tokens its completion had."""
    whole: bool
    """False: the run keeps no texts of it; prompt, response and detail are empty here."""


# --- single values ------------------------------------------------------------------------------------------


def word(text: str) -> str | bytes:
    """A text as SQLite takes it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def text_of(stored: str | bytes) -> str:
    """The text that `word` wrote."""
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogatepass")


def pack(text: str) -> bytes:
    """A long text, compressed. Level 1: half the time of the default level, a few percent more bytes."""
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 1)


def unpack(stored: bytes) -> str:
    return zlib.decompress(stored).decode("utf-8", "surrogatepass")


def real(value: float | None) -> float | None:
    """A float as SQLite takes it."""
    return None if value is None or math.isnan(value) else float(value)


def real_of(stored: float | None) -> float:
    return math.nan if stored is None else stored


def listing(parts: Sequence[object]) -> str | bytes:
    """Nested lists of texts and integers as JSON. Unescaped, or two lone surrogates in a row would come back as the
    one character that they are the halves of."""
    return word(json.dumps(parts, ensure_ascii=False, separators=(",", ":")))


def listing_of(stored: str | bytes) -> list[Any]:
    return json.loads(text_of(stored))


# --- whole rows ---------------------------------------------------------------------------------------------


def entry_row(entry: Entry) -> Row:
    """Row of `entries`: what the gate folds over stands before the long texts."""
    problem = entry.problem
    marks = (word(entry.normal), word(entry.key), word(entry.behaviour))
    counts = (entry.trials, entry.successes, listing(entry.references))
    texts = (word(problem.program), listing(problem.pairs), word(problem.message))
    return (entry.id, entry.step, problem.kind.value, *marks, *counts, *texts)


def entry_of(row: Row) -> Entry:
    """The entry that `entry_row` wrote."""
    id_, step, kind, normal, key, behaviour, trials, successes, shown, program, pairs, message = row
    both = tuple((given, came) for given, came in listing_of(pairs))
    return Entry(
        id=id_,
        problem=Problem(Kind(kind), text_of(program), both, text_of(message)),
        step=step,
        references=tuple(listing_of(shown)),
        normal=text_of(normal),
        key=text_of(key),
        behaviour=text_of(behaviour),
        trials=trials,
        successes=successes,
    )


def sampled(step: int, rollout: Rollout) -> bool:
    """Whether its texts are kept where those of one prompt in sixteen are. All tries of a prompt share the answer."""
    name = f"{step} {rollout.role.value} {rollout.kind.value} {rollout.item}"
    return hashlib.blake2b(name.encode(), digest_size=1).digest()[0] % ONE_IN == 0


def rollout_rows(step: Step, keep: Keep) -> tuple[list[Row], list[Row]]:
    """Rows of `prompts`, each text of the step once, and of `rollouts`.

    Raises ValueError for a reward of NaN, which could not be told from one that left the batch.
    """
    places: dict[str, int] = {}
    rows: list[Row] = []
    for place, rollout in enumerate(step.rollouts):
        if rollout.reward is not None and math.isnan(rollout.reward):
            raise ValueError(f"step {step.number}: the reward of rollout {place} is NaN: use None to leave it out")
        judged, said = rollout.grade, rollout.completion
        texts: Row = (None, None, None)
        if keep == "all" or (keep == "sample" and sampled(step.number, rollout)):
            prompt = places.setdefault(rollout.prompt, len(places))
            texts = (prompt, pack(said.text), word(judged.detail))
        address = (step.number, place, rollout.role.value, rollout.kind.value, rollout.item, rollout.attempt)
        facts = (rollout.entry, len(said.tokens), said.truncated, judged.status.value, real(judged.score))
        earned = (real(rollout.reward), real(rollout.weight), real(rollout.advantage))
        rows.append((*address, *facts, word(judged.reason), *earned, *texts))
    return [(step.number, place, pack(text)) for text, place in places.items()], rows


def kept_of(row: Row, prompt: bytes | None) -> StoredRollout:
    """The rollout of a row of `rollouts`, with the stored prompt that it points to."""
    role, kind, item, attempt, entry, tokens, cut, status, score, reason, reward, weight, advantage = row[2:15]
    response, detail = row[16:]
    grade = Grade(Status(status), real_of(score), text_of(reason), text_of(detail or ""))
    completion = Completion(unpack(response) if response else "", tokens=(), logprobs=(), truncated=bool(cut))
    rollout = Rollout(
        role=Role(role),
        kind=Kind(kind),
        item=item,
        attempt=attempt,
        entry=entry,
        prompt=unpack(prompt) if prompt else "",
        completion=completion,
        grade=grade,
        reward=reward,
        weight=real_of(weight),
        advantage=real_of(advantage),
    )
    return StoredRollout(rollout, tokens, whole=response is not None)


def tries_rows(step: Step) -> list[Row]:
    """Rows of `tries`: how often each task was tried and solved in this step; what was not to be judged is no try."""
    counts: dict[int, list[int]] = {}
    for rollout in step.rollouts:
        status = rollout.grade.status
        if rollout.role is Role.SOLVE and rollout.entry > 0 and status is not Status.MASKED:
            count = counts.setdefault(rollout.entry, [0, 0])
            count[0] += 1
            count[1] += rollout.grade.right
    return [(step.number, entry, *count) for entry, count in counts.items()]


def refusal_rows(step: Step) -> list[Row]:
    """Rows of `refusals`: drafts that became no task, counted by why."""
    details: dict[tuple[str, str, str], list[str]] = {}
    for ruling in step.rulings:
        if isinstance(ruling.made, Grade):
            why = (ruling.draft.kind.value, ruling.made.status.value, ruling.made.reason)
            details.setdefault(why, []).append(ruling.made.detail)
    return [
        (step.number, kind, status, word(reason), len(found), listing(found[:EXAMPLES]))
        for (kind, status, reason), found in details.items()
    ]


def numbers(step: int, named: Iterable[tuple[str, float]]) -> list[Row]:
    """Rows of `metrics` and `clocks`."""
    return [(step, word(name), real(value)) for name, value in named]
