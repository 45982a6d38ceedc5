"""How a run of an older version becomes one of this version: its database, and its settings.

A step of MIGRATIONS brings a database from its number to the next, in one transaction: whatever happens in between,
the database stays what it was. Steps are frozen: they know the tables and words of their two schemas, and not those
of today in `rows`. What they write is what today's code would have written for an equal run.
"""

import json
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from absolute_zero.renamed import SETTINGS
from absolute_zero.store.rows import Row, decode_json, decode_text, decompress, encode_json, encode_text
from absolute_zero.types import UserError


def schema_of(database: sqlite3.Connection) -> int:
    """Return the number of the schema that the header of a database holds."""
    [(version,)] = database.execute("PRAGMA user_version")
    return version


def migrate(path: Path, database: sqlite3.Connection) -> None:
    """Bring a database to the newest schema, one that is there already not at all.

    `path` is where it lies, for people. Raises UserError, and leaves the last schema that was reached whole, for rows
    that cannot be read; whatever SQLite raises passes.
    """
    while (version := schema_of(database)) in MIGRATIONS:
        database.execute("BEGIN IMMEDIATE")
        try:
            if schema_of(database) == version:  # nobody has done it while we waited
                MIGRATIONS[version](database)
                database.execute(f"PRAGMA user_version={version + 1}")
            database.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            if isinstance(error, (ValueError, TypeError, LookupError, AttributeError, zlib.error)):
                raise UserError(
                    f"{path}: it has schema {version}, and rows that cannot be migrated ({error}):"
                    " put a copy in its place, or start a new run"
                ) from error
            raise


# --- from 1 to 2: one word for each thing, payloads in place of programs, prompts with their format ---------

_RENAMED_TABLES: Final = """
ALTER TABLE steps RENAME COLUMN entries TO tasks;
ALTER TABLE steps ADD COLUMN state TEXT NOT NULL DEFAULT '{}';
ALTER TABLE tries RENAME TO outcomes;
ALTER TABLE outcomes RENAME COLUMN entry TO task;
ALTER TABLE rollouts RENAME COLUMN place TO number;
ALTER TABLE rollouts RENAME COLUMN entry TO task;
ALTER TABLE rollouts RENAME COLUMN cut TO truncated;
ALTER TABLE rollouts RENAME COLUMN standing TO status;
ALTER TABLE refusals RENAME TO rejections;
ALTER TABLE rejections RENAME COLUMN standing TO status;
ALTER TABLE flags RENAME COLUMN place TO number;
ALTER TABLE prompts RENAME TO prompts_1;
CREATE TABLE prompts (
    step INTEGER, number INTEGER, format TEXT NOT NULL, opens_thought INTEGER NOT NULL, text BLOB NOT NULL,
    PRIMARY KEY (step, number));
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, kind TEXT NOT NULL,
    exact TEXT NOT NULL, family TEXT NOT NULL, behaviour TEXT NOT NULL,
    trials INTEGER NOT NULL, successes INTEGER NOT NULL, refs TEXT NOT NULL,
    title TEXT NOT NULL, payload TEXT NOT NULL);
DROP TABLE evals
"""
"""Nothing was ever written to `evals`."""

_RENAMED_WORDS: Final = """
UPDATE rollouts SET status = 'neutral' WHERE status = 'unpaid';
UPDATE rollouts SET status = 'masked' WHERE status = 'void';
UPDATE rollouts SET reason = 'truncated' WHERE reason = 'cut';
UPDATE rollouts SET reason = 'no_rollouts' WHERE reason = 'no_trials';
UPDATE rollouts SET detail = 'of task ' || substr(detail, 10) WHERE reason = 'copy' AND detail LIKE 'of entry %';
UPDATE rejections SET status = 'neutral' WHERE status = 'unpaid';
UPDATE rejections SET status = 'masked' WHERE status = 'void';
UPDATE rejections SET reason = 'truncated' WHERE reason = 'cut';
UPDATE rejections SET examples = replace(examples, '"of entry ', '"of task ') WHERE reason = 'copy';
UPDATE metrics SET name = renamed_metric(name) WHERE name <> renamed_metric(name);
UPDATE clocks SET name = 'time/step' WHERE name = 'seconds';
UPDATE clocks SET name = 'time/' || substr(name, 9) WHERE name LIKE 'seconds/%'
"""

_BY_KIND: Final[Mapping[str, str]] = {
    "proposals": "proposals/total",
    "read": "proposals/parsed",
    "valid": "proposals/valid",
    "accepted": "proposals/accepted",
    "refused": "proposals/rejected",
    "solve_rate/new": "difficulty/success_rate",
    "solve_rate/base": "difficulty/success_rate_base",
    "solve_rate/output": "difficulty/success_rate",
    "learnable": "difficulty/learnable",
    "solved": "difficulty/histogram",
}
_BY_ROLE: Final[Mapping[str, str]] = {
    "responses": "rollouts/total",
    "void": "rollouts/masked",
    "malformed": "rollouts/malformed",
    "right": "rollouts/correct",
    "tokens": "response_tokens/mean",
    "reward": "reward/mean",
}
"""Metrics by what stood before `/KIND` or `/ROLE/KIND`."""
_UPDATES: Final[Mapping[str, str]] = {
    "update/loss": "loss",
    "update/learning_rate": "lr",
    "update/grad_norm": "grad_norm",
    "update/entropy": "entropy",
    "update/kl": "kl",
    "update/clipped": "clip_fraction",
    "update/ratio": "ratio/mean",
    "update/ratio_max": "ratio/max",
    "update/mismatch": "mismatch/mean",
    "update/mismatch_max": "mismatch/max",
}
_OF_KIND: Final = re.compile(rf"(proposals(?=/[^/]+\Z)|{'|'.join([*_BY_KIND][1:])})(/[^/]+)((?:/.*)?)", re.DOTALL)
_OF_ROLE: Final = re.compile(rf"({'|'.join(_BY_ROLE)})(/(?:propose|solve)/[^/]+)", re.DOTALL)
_SKILL: Final = "update/skill "


def metric_name(name: str) -> str:
    """Return what a metric of schema 1 is called in schema 2; any other name as it is.

    >>> metric_name("refused/deduction/cut"), metric_name("update/ratio_max")
    ('proposals/rejected/deduction/truncated', 'ratio/max')
    """
    if match := _OF_KIND.fullmatch(name):
        part, kind, more = match.groups()
        more = "/truncated" if part == "refused" and more == "/cut" else more
        return f"{_BY_KIND[part]}{kind}{more}"
    if match := _OF_ROLE.fullmatch(name):
        return _BY_ROLE[match[1]] + match[2]
    if name.startswith(_SKILL):
        return "skill/" + name.removeprefix(_SKILL).replace(" ", "/")
    return _UPDATES.get(name, name)


_EVALS: Final[Mapping[str, str]] = {"right": "correct", "tries": "n", "family": "group"}


def _run_rows(database: sqlite3.Connection) -> Iterator[tuple[str | bytes, str | bytes, str | bytes]]:
    """Yield (new key, new value, old key) of what was measured on held-out tasks."""
    for key, value in database.execute("SELECT key, value FROM run").fetchall():
        if decode_text(key).startswith("marks "):
            results = [{_EVALS.get(name, name): it for name, it in row.items()} for row in decode_json(value)]
            yield encode_text("evals " + decode_text(key).removeprefix("marks ")), json.dumps(results), key


def _prompt_rows(database: sqlite3.Connection) -> Iterator[Row]:
    for step, number, text in database.execute("SELECT step, place, text FROM prompts_1 ORDER BY step, place"):
        yield (step, number, "text", int(decompress(text).rstrip().endswith("<think>")), text)


def _task_rows(database: sqlite3.Connection) -> Iterator[Row]:
    """Yield rows of `tasks`: the payload and title are what the domain `python` writes."""
    rows = database.execute(
        "SELECT id, step, kind, key, normal, behaviour, trials, successes, shown, program, pairs, message"
        " FROM entries ORDER BY id"
    )
    for *facts, program, pairs, message in rows:
        source = decode_text(program)
        payload = {"program": source, "pairs": decode_json(pairs), "message": decode_text(message)}
        yield (*facts, encode_text(source.partition("\n")[0][:80]), encode_json(payload))


def _from_1_to_2(database: sqlite3.Connection) -> None:
    def renamed_metric(name: str | bytes) -> str | bytes:
        return encode_text(metric_name(decode_text(name)))

    database.create_function("renamed_metric", 1, renamed_metric, deterministic=True)
    for statement in _RENAMED_TABLES.split(";"):
        database.execute(statement)
    database.executemany("INSERT INTO prompts VALUES (?, ?, ?, ?, ?)", _prompt_rows(database))
    database.execute("DROP TABLE prompts_1")
    database.executemany("INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _task_rows(database))
    database.execute("DROP TABLE entries")
    for statement in _RENAMED_WORDS.split(";"):
        database.execute(statement)
    database.executemany("UPDATE run SET key = ?, value = ? WHERE key = ?", _run_rows(database))


MIGRATIONS: Mapping[int, Callable[[sqlite3.Connection], None]] = MappingProxyType({1: _from_1_to_2})
"""By the number of the schema that a step begins with."""

# --- settings -----------------------------------------------------------------------------------------------


def migrate_config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a stored run under the names of today; those that have them already stay, and win.

    Pure. `settings` is what `config.json` holds: an older one says nothing of its domain, which is `python`.

    >>> migrate_config({"solve": {"lam": 16.0}, "checkpoint_every": 5})
    {'solve': {'solver_weight': 16.0}, 'domain': 'python', 'checkpoints': {'every': 5}}
    """
    migrated = dict(settings)
    sections: dict[str, dict[str, Any]] = {"": migrated}
    for name, value in settings.items():
        if isinstance(value, dict):
            migrated[name] = sections[name] = dict(cast("dict[str, Any]", value))
    migrated.setdefault("domain", "python")
    for old, new in SETTINGS.items():
        (section, _, name), (new_section, _, new_name) = old.rpartition("."), new.rpartition(".")
        if name in sections.get(section, {}):
            value = sections[section].pop(name)
            if new_section not in sections:
                migrated[new_section] = sections[new_section] = {}
            sections[new_section].setdefault(new_name, value)
    return migrated
