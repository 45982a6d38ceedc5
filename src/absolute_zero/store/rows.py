"""How values are written as rows of the run database, and read back. Pure functions; no file is touched.

Text. TEXT holds UTF-8, NULs included (SQL's own `length` stops at one; Python does not). A text with a lone surrogate
is not UTF-8: it is stored in the same column as a BLOB of its `surrogatepass` bytes. Prompts and responses are always
BLOBs: zlib over those bytes. A prompt of chat messages is the text of a JSON list of [role, content].

Floats stand in columns without a type, where SQLite keeps all 64 bits (a REAL column loses the sign of zero). It has
no NaN: NaN is written as NULL and read back as NaN.
"""

import hashlib
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from absolute_zero.types import Completion, Grade, Message, Prompt, Role, Rollout, Status, Step, Task

Keep = Literal["all", "sample", "none"]
Row = tuple[Any, ...]

SCHEMA = 2
"""Goes up with every change to TABLES, together with a step in `migrations` that brings older databases here."""

# Every primary key begins with what only grows (the step, the id), so rows are added at the right edge of their tree
# and a million of them make no insert slower. No other index. WITHOUT ROWID is for short rows only.
TABLES = """
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE steps (step INTEGER PRIMARY KEY, tasks INTEGER NOT NULL, state TEXT NOT NULL DEFAULT '{}');
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, kind TEXT NOT NULL,
    exact TEXT NOT NULL, family TEXT NOT NULL, behaviour TEXT NOT NULL,
    trials INTEGER NOT NULL, successes INTEGER NOT NULL, refs TEXT NOT NULL,
    title TEXT NOT NULL, payload TEXT NOT NULL);
CREATE TABLE outcomes (
    step INTEGER, task INTEGER, trials INTEGER NOT NULL, successes INTEGER NOT NULL,
    PRIMARY KEY (step, task)) WITHOUT ROWID;
CREATE TABLE prompts (
    step INTEGER, number INTEGER, format TEXT NOT NULL, opens_thought INTEGER NOT NULL, text BLOB NOT NULL,
    PRIMARY KEY (step, number));
CREATE TABLE rollouts (
    step INTEGER, number INTEGER, role TEXT NOT NULL, kind TEXT NOT NULL, item INTEGER NOT NULL,
    attempt INTEGER NOT NULL, task INTEGER NOT NULL, tokens INTEGER NOT NULL, truncated INTEGER NOT NULL,
    status TEXT NOT NULL, score, reason TEXT NOT NULL, reward, weight, advantage,
    prompt INTEGER, response BLOB, detail TEXT, PRIMARY KEY (step, number));
CREATE TABLE rejections (
    step INTEGER, kind TEXT, status TEXT, reason TEXT, count INTEGER NOT NULL, examples TEXT NOT NULL,
    PRIMARY KEY (step, kind, status, reason)) WITHOUT ROWID;
CREATE TABLE metrics (step INTEGER, name TEXT, value, PRIMARY KEY (step, name)) WITHOUT ROWID;
CREATE TABLE flags (
    step INTEGER, number INTEGER, name TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (step, number)) WITHOUT ROWID;
CREATE TABLE checkpoints (step INTEGER PRIMARY KEY, digest TEXT NOT NULL);
CREATE TABLE clocks (step INTEGER, name TEXT, value, PRIMARY KEY (step, name)) WITHOUT ROWID
"""

KEYS = {
    "run": "key",
    "steps": "step",
    "tasks": "id",
    "outcomes": "step, task",
    "prompts": "step, number",
    "rollouts": "step, number",
    "rejections": "step, kind, status, reason",
    "metrics": "step, name",
    "flags": "step, number",
    "checkpoints": "step",
    "clocks": "step, name",
}
"""Every table and its primary key."""

COMPRESSED = {"prompts": 4, "rollouts": 16}
"""Which column of a table is a compressed text, counted from 0."""

TEXT, CHAT = "text", "chat"
"""Formats of a prompt."""
EXAMPLES = 2
"""Details kept of equal rejections in a step."""
SAMPLE_EVERY = 16
"""Where a sample of the texts is kept, it is that of every sixteenth prompt, about."""
FOLDER = "checkpoint folder"
"""Name among the clocks of the folder of a step's checkpoint."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a step's weights were saved as."""

    digest: str
    """Checksum of its contents."""
    folder: str
    """Where it is, as the caller names it; kept among the clocks, as it is not a fact of the run."""


@dataclass(frozen=True, slots=True)
class StepExtras:
    """What a caller has to say of a step that the step does not know."""

    checkpoint: Checkpoint | None = None
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    clocks: Mapping[str, float] = field(default_factory=dict[str, float])
    """Wall times and throughput, which differ between equal runs."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that a person should look at."""

    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Proposals of a step that became no task, all of a kind and for the same reason."""

    kind: str
    status: Status
    reason: str
    count: int
    examples: tuple[str, ...]
    """Details of the first two."""


@dataclass(frozen=True, slots=True)
class StoredRollout:
    """A rollout as it was kept: without token ids and log-probabilities."""

    rollout: Rollout
    n_tokens: int
    """Length of its completion."""
    has_texts: bool
    """False: the run keeps no texts of it; prompt, response and detail are empty here."""


# --- single values ------------------------------------------------------------------------------------------


def encode_text(text: str) -> str | bytes:
    """Return a text as SQLite takes it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def decode_text(stored: str | bytes) -> str:
    """Return the text that `encode_text` wrote."""
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogatepass")


def compress(text: str) -> bytes:
    """Return a long text, compressed. Level 1: half the time of the default level, a few percent more bytes."""
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 1)


def decompress(stored: bytes) -> str:
    """Return the text that `compress` wrote."""
    return zlib.decompress(stored).decode("utf-8", "surrogatepass")


def encode_float(value: float | None) -> float | None:
    """Return a float as SQLite takes it."""
    return None if value is None or math.isnan(value) else float(value)


def decode_float(stored: float | None) -> float:
    """Return the float that `encode_float` wrote, where it was no None."""
    return math.nan if stored is None else stored


def to_json(value: object) -> str:
    """Return plain data as JSON. Unescaped, or two lone surrogates in a row would come back as the one character that
    they are the halves of."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encode_json(value: object) -> str | bytes:
    """Return plain data as SQLite takes it."""
    return encode_text(to_json(value))


def decode_json(stored: str | bytes) -> Any:
    """Return what `encode_json` wrote; tuples come back as lists."""
    return json.loads(decode_text(stored))


# --- whole rows ---------------------------------------------------------------------------------------------


def step_row(step: Step, tasks: int) -> Row:
    """Return the row of `steps`; `tasks` is the id of the last task then. Raises ValueError for a state that is no
    plain data."""
    try:
        state = encode_json(dict(step.state))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"step {step.number}: the state of the estimators is not plain data: {error}") from error
    return (step.number, tasks, state)


def task_row(task: Task) -> Row:
    """Return the row of `tasks`: the short values that are counted stand before the long texts."""
    identity = (encode_text(task.exact), encode_text(task.family), encode_text(task.behaviour))
    texts = (encode_text(task.title), encode_text(task.payload))
    return (task.id, task.step, task.kind, *identity, task.trials, task.successes, encode_json(task.references), *texts)


def decode_task(row: Row) -> Task:
    """Return the task that `task_row` wrote, without its label and group."""
    id_, step, kind, exact, family, behaviour, trials, successes, references, title, payload = row
    return Task(
        kind=kind,
        payload=decode_text(payload),
        title=decode_text(title),
        id=id_,
        step=step,
        references=tuple(decode_json(references)),
        exact=decode_text(exact),
        family=decode_text(family),
        behaviour=decode_text(behaviour),
        trials=trials,
        successes=successes,
    )


def prompt_row(step: int, number: int, prompt: Prompt) -> Row:
    """Return the row of `prompts`. Of a prompt with messages only these are kept."""
    format_, text = (CHAT, to_json(prompt.messages)) if prompt.messages else (TEXT, prompt.text)
    return (step, number, format_, int(prompt.opens_thought), compress(text))


def decode_prompt(format_: str | None, opens_thought: int | None, text: bytes | None) -> Prompt:
    """Return the prompt of a row of `prompts`; an empty one of nothing."""
    stored = decompress(text) if text else ""
    if format_ == CHAT and stored:
        messages = tuple(Message(role, content) for role, content in json.loads(stored))
        return Prompt(messages=messages, opens_thought=bool(opens_thought))
    return Prompt(stored, opens_thought=bool(opens_thought))


def is_sampled(step: int, rollout: Rollout) -> bool:
    """Return whether its texts are kept where those of every sixteenth prompt are. Rollouts of a prompt agree."""
    name = f"{step} {rollout.role.value} {rollout.kind} {rollout.item}"
    return hashlib.blake2b(name.encode(), digest_size=1).digest()[0] % SAMPLE_EVERY == 0


def rollout_rows(step: Step, keep: Keep) -> tuple[list[Row], list[Row]]:
    """Return the rows of `prompts`, each prompt of the step once, and of `rollouts`.

    Raises ValueError for a reward of NaN, which could not be told from one that left the batch.
    """
    prompts: dict[Prompt, int] = {}
    rows: list[Row] = []
    for number, rollout in enumerate(step.rollouts):
        if rollout.reward is not None and math.isnan(rollout.reward):
            raise ValueError(f"step {step.number}: the reward of rollout {number} is NaN: use None to leave it out")
        grade, completion = rollout.grade, rollout.completion
        texts: Row = (None, None, None)
        if keep == "all" or (keep == "sample" and is_sampled(step.number, rollout)):
            prompt = prompts.setdefault(rollout.prompt, len(prompts))
            texts = (prompt, compress(completion.text), encode_text(grade.detail))
        address = (step.number, number, rollout.role.value, rollout.kind, rollout.item, rollout.attempt)
        facts = (rollout.task, len(completion.tokens), completion.truncated)
        graded = (grade.status.value, encode_float(grade.score), encode_text(grade.reason))
        earned = (encode_float(rollout.reward), encode_float(rollout.weight), encode_float(rollout.advantage))
        rows.append((*address, *facts, *graded, *earned, *texts))
    return [prompt_row(step.number, number, prompt) for prompt, number in prompts.items()], rows


def decode_rollout(row: Row, prompt: Prompt) -> StoredRollout:
    """Return the rollout of a row of `rollouts`, with the stored prompt that it points to."""
    role, kind, item, attempt, task, tokens, truncated, status, score, reason, reward, weight, advantage = row[2:15]
    response, detail = row[16:]
    grade = Grade(Status(status), decode_float(score), decode_text(reason), decode_text(detail or ""))
    text = decompress(response) if response else ""
    rollout = Rollout(
        role=Role(role),
        kind=kind,
        item=item,
        attempt=attempt,
        task=task,
        prompt=prompt,
        completion=Completion(text, tokens=(), logprobs=(), truncated=bool(truncated)),
        grade=grade,
        reward=reward,
        weight=decode_float(weight),
        advantage=decode_float(advantage),
    )
    return StoredRollout(rollout, tokens, has_texts=response is not None)


def outcome_rows(step: Step) -> list[Row]:
    """Return the rows of `outcomes`: rollouts of each task in this step, masked ones left out, and how many were
    correct."""
    counts: dict[int, list[int]] = {}
    for rollout in step.rollouts:
        status = rollout.grade.status
        if rollout.role is Role.SOLVE and rollout.task > 0 and status is not Status.MASKED:
            count = counts.setdefault(rollout.task, [0, 0])
            count[0] += 1
            count[1] += rollout.grade.correct
    return [(step.number, task, *count) for task, count in counts.items()]


def rejection_rows(step: Step) -> list[Row]:
    """Return the rows of `rejections`: proposals that became no task, counted by why."""
    details: dict[tuple[str, str, str], list[str]] = {}
    for validation in step.validations:
        if isinstance(grade := validation.result, Grade):
            why = (validation.proposal.kind, grade.status.value, grade.reason)
            details.setdefault(why, []).append(grade.detail)
    return [
        (step.number, kind, status, encode_text(reason), len(lines), encode_json(lines[:EXAMPLES]))
        for (kind, status, reason), lines in details.items()
    ]


def decode_rejection(row: Row) -> Rejection:
    """Return the rejection of a row of `rejections`."""
    _, kind, status, reason, count, examples = row
    return Rejection(kind, Status(status), decode_text(reason), count, tuple(decode_json(examples)))


def number_rows(step: int, values: Iterable[tuple[str, float]]) -> list[Row]:
    """Return rows of `metrics` or `clocks`."""
    return [(step, encode_text(name), encode_float(value)) for name, value in values]
