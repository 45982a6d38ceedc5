"""The run database itself: opened, written by whole steps, read, rewound."""

import os
import sqlite3
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, final

from absolute_zero.store.files import MOUNTS, explained, network
from absolute_zero.store.rows import (
    FOLDER,
    KEYS,
    PACKED,
    SCHEMA,
    TABLES,
    Checkpoint,
    Flag,
    Keep,
    Refused,
    Row,
    Score,
    StoredRollout,
    entry_of,
    entry_row,
    kept_of,
    listing_of,
    numbers,
    real,
    real_of,
    refusal_rows,
    rollout_rows,
    text_of,
    tries_rows,
    unpack,
    word,
)
from absolute_zero.types import Entry, Kind, Status, Step, UserError

APPLICATION = 0x415A5231
"""Says in the header of the file whose database it is ("AZR1"); the schema's number stands beside it."""
PATIENCE = 10.0
"""Seconds to wait for a lock that another process holds."""
PAGE = 1_000
"""Rows read at a time, so that no reader holds a lock, or a million rows, for long."""
ALL = -(1 << 62)
"""Before the first step of any run."""
NO_TEXT = "CASE WHEN response IS NULL THEN NULL ELSE x'' END"
"""Whether there is a response, without reading it."""
NOTHING: Mapping[str, float] = MappingProxyType({})


@final
class Store:
    """The database of one run. Made by `open` (the one writer) or `read` (any number, also while the writer writes).

    Belongs to the thread that made it. Readers called with `after` give what came after that step, all by default.
    """

    journal: str
    """`wal`, or `delete` where the file system is not known to be local."""
    note: str
    """One line for the user if that makes commits slower; else empty."""

    def __init__(self, path: Path, database: sqlite3.Connection, keep: Keep = "all", note: str = "") -> None:
        self.path = path
        self.note = note
        self._database = database
        self._keep: Keep = keep
        [(self.journal,)] = database.execute("PRAGMA journal_mode")
        self._known = self._tip()

    @classmethod
    def open(cls, path: Path, rollouts: Keep = "all", *, mounts: Path = MOUNTS, patience: float = PATIENCE) -> Self:
        """Open for writing, and make what is missing but the folder.

        `rollouts` says of which responses the texts are kept: `all`, one prompt in sixteen with all its tries
        (`sample`), or `none`; what they earned is kept always. Raises UserError if the folder is missing or cannot be
        written, if the file is damaged or is no run database or one of another version, or if another process is
        writing to it for longer than `patience` seconds.
        """
        if not os.path.isdir(path.parent):  # pathlib's own raises where a folder above may not be entered
            raise UserError(f"{path}: the folder {path.parent} is missing: make it, or use another run folder")
        kind = network(path.parent, mounts)
        note = f"{path} is on {kind}, maybe shared by machines: it keeps a rollback journal, and commits take longer"
        with explained(path, "not opened"):
            database = sqlite3.connect(path, timeout=patience, isolation_level=None)
            try:
                _refuse_foreign(path, database)
                database.execute(f"PRAGMA journal_mode={'DELETE' if kind else 'WAL'}")
                # FULL syncs at every commit. A rollback journal also has to be gone from its folder: EXTRA syncs that.
                database.execute(f"PRAGMA synchronous={'EXTRA' if kind else 'FULL'}")
                database.execute("BEGIN IMMEDIATE")  # fails here and now where a writer holds on
                if not _tables(database):
                    for statement in TABLES.split(";"):
                        database.execute(statement)
                    database.execute(f"PRAGMA application_id={APPLICATION}")
                    database.execute(f"PRAGMA user_version={SCHEMA}")
                database.execute("COMMIT")
                return cls(path, database, rollouts, note if kind else "")
            except BaseException:
                database.close()
                raise

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open for reading only, beside a running writer or after it. Raises UserError like `open`, and if there is
        no run in it."""
        if not os.path.isfile(path):
            raise UserError(f"{path}: there is no such run database: name the folder of a run that was started")
        with explained(path, "not opened"):
            try:
                return cls._read(path, "mode=ro")
            except sqlite3.OperationalError as error:
                # In WAL mode a reader makes a file beside the database. Where it may not, a database that was closed
                # in order can be read all the same, as one that nobody changes; a writer that is alive or was killed
                # has left a journal there.
                refused = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
                if not refused or any(os.path.exists(f"{path}-{journal}") for journal in ("wal", "journal")):
                    raise
                return cls._read(path, "immutable=1")

    @classmethod
    def _read(cls, path: Path, option: str) -> Self:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?{option}", uri=True, isolation_level=None)
        try:
            _refuse_foreign(path, database)
            if not _tables(database):
                raise UserError(f"{path}: there is no run in it yet: wait, or name another run folder")
            return cls(path, database)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Let go of the file. Closing twice is closing once."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- writing --------------------------------------------------------------------------------------------

    def commit(
        self,
        step: Step,
        metrics: Mapping[str, float],
        clocks: Mapping[str, float] = NOTHING,
        checkpoint: Checkpoint | None = None,
        *,
        scores: Sequence[Score] = (),
        flags: Sequence[Flag] = (),
    ) -> None:
        """Keep everything of a step in one transaction; when this returns, it is on the disk.

        `clocks` are wall times and throughput, which differ between equal runs. `step.stats` are not kept of
        themselves: the caller knows which of them are metrics and which are clocks. Raises ValueError, and keeps
        nothing, if the step is not later than the last one, if its entries do not count on from the last one, or if
        two scores have one name; UserError if the disk is full or fails, or if another process has written.
        """
        number = step.number
        prompts, rollouts = rollout_rows(step, self._keep)
        times: list[Row] = numbers(number, clocks.items())
        saved: list[Row] = []
        if checkpoint is not None:
            saved.append((number, checkpoint.digest))
            times.append((number, FOLDER, word(checkpoint.folder)))
        rows: dict[str, list[Row]] = {
            "entries": [entry_row(entry) for entry in step.entries],
            "tries": tries_rows(step),
            "prompts": prompts,
            "rollouts": rollouts,
            "refusals": refusal_rows(step),
            "metrics": numbers(number, metrics.items()),
            "evals": [
                (number, word(it.suite), word(it.name), real(it.value), real(it.low), real(it.high), it.n)
                for it in scores
            ],
            "flags": [(number, place, word(it.name), word(it.detail)) for place, it in enumerate(flags)],
            "checkpoints": saved,
            "clocks": times,
        }
        with self._transaction(f"step {number} was not kept"):
            last, entries = self._known
            if last is not None and number <= last:
                raise ValueError(f"step {number} cannot follow step {last}: commit each step once, in order")
            for place, entry in enumerate(step.entries, start=entries + 1):
                if (entry.id, entry.step) != (place, number):
                    raise ValueError(
                        f"entry {entry.id} of step {entry.step} comes where entry {place} of step {number} is due"
                    )
            rows["steps"] = [(number, entries + len(step.entries))]
            for table, lines in rows.items():
                if lines:
                    marks = ",".join("?" * len(lines[0]))
                    try:
                        self._database.executemany(f"INSERT INTO {table} VALUES ({marks})", lines)
                    except sqlite3.IntegrityError as error:
                        raise ValueError(f"step {number}: two rows of {table} have one name ({error})") from error

    def rewind(self, step: int) -> None:
        """Forget every later step, in one transaction: as if the run had stopped after this one."""
        with self._transaction(f"not rewound to step {step}"):
            [(entries,)] = self._database.execute("SELECT coalesce(max(entries), 0) FROM steps WHERE step <= ?", [step])
            self._database.execute("DELETE FROM entries WHERE id > ?", [entries])
            for table, key in KEYS.items():
                if key.startswith("step"):
                    self._database.execute(f"DELETE FROM {table} WHERE step > ?", [step])
            facts = [text_of(key) for (key,) in self._database.execute("SELECT key FROM run")]
            later = [word(key) for key in facts if (after := key.rpartition(" ")[2]).isdecimal() and int(after) > step]
            self._database.executemany("DELETE FROM run WHERE key = ?", [(key,) for key in later])

    def set_run(self, key: str, value: str) -> None:
        """Keep one fact about the whole run, such as its settings as JSON; what was there under that key is replaced.
        One whose key ends in a word that is a number is about that step, and `rewind` forgets it with the step.
        Wall times and paths have no place here, if equal runs are to have equal rows."""
        with self._transaction(f"{key} was not kept"):
            self._database.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", [word(key), word(value)])

    @contextmanager
    def _transaction(self, failed: str) -> Generator[None]:
        """All or nothing, and only on top of what this writer knows to be there."""
        with explained(self.path, failed):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                if self._tip() != self._known:
                    raise UserError(
                        f"{self.path}: {failed}: another process has written to it since:"
                        " end one of the two, then resume the run"
                    )
                yield
                tip = self._tip()
                self._database.execute("COMMIT")
            except BaseException:
                # On some failures SQLite has rolled back already and says that there is nothing to roll back.
                with suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise
            self._known = tip

    def _tip(self) -> tuple[int | None, int]:
        """The last step, and the id of the last entry then."""
        rows = self._database.execute("SELECT step, entries FROM steps ORDER BY step DESC LIMIT 1").fetchall()
        return rows[0] if rows else (None, 0)

    # --- reading --------------------------------------------------------------------------------------------

    def last_step(self) -> int | None:
        """The last step that is there whole; None before the first."""
        return self._tip()[0]

    def run(self, key: str) -> str | None:
        """What `set_run` kept under this key."""
        rows = self._rows("SELECT value FROM run WHERE key = ?", word(key))
        return text_of(rows[0][0]) if rows else None

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Accepted tasks with a larger id than `after`, by id. Lazily: read in pages, each in a lock of its own."""
        return map(entry_of, self._pages("*", after))

    def fingerprints(self) -> Iterator[tuple[Kind, str, str, str]]:
        """(kind, normal, key, behaviour) of every entry, by id from 1: what the gate needs to know of the past."""
        kinds = {kind.value: kind for kind in Kind}
        for _, kind, normal, key, behaviour in self._pages("id, kind, normal, key, behaviour", after=0):
            yield kinds[kind], text_of(normal), text_of(key), text_of(behaviour)

    def tries(self, after: int = ALL) -> list[tuple[int, int, int, int]]:
        """(step, entry, trials, successes): how often each task was tried and solved, trials at its birth included."""
        return self._rows("SELECT * FROM tries WHERE step > ? ORDER BY step, entry", after)

    def rollouts(self, step: int, texts: bool = True) -> list[StoredRollout]:
        """Every response of a step in the order it came with, as far as it was kept; without `texts`, what it came to
        only, with empty prompts, responses and details: much faster where the texts are long."""
        said, detail, asked = ("response", "detail", "text") if texts else (NO_TEXT, "''", "NULL")
        rows = self._rows(
            "SELECT rollouts.step, rollouts.place, role, kind, item, attempt, entry, tokens, cut, standing, score,"
            f" reason, reward, weight, advantage, prompt, {said}, {detail}, {asked} FROM rollouts LEFT JOIN prompts"
            " ON prompts.step = rollouts.step AND prompts.place = prompt"
            " WHERE rollouts.step = ? ORDER BY rollouts.place",
            step,
        )
        return [kept_of(row[:-1], row[-1]) for row in rows]

    def refusals(self, after: int = ALL) -> list[tuple[int, Refused]]:
        """(step, what was refused alike)."""
        rows = self._rows("SELECT * FROM refusals WHERE step > ? ORDER BY step, kind, standing, reason", after)
        return [
            (step, Refused(Kind(kind), Status(status), text_of(reason), count, tuple(listing_of(examples))))
            for step, kind, status, reason, count, examples in rows
        ]

    def metrics(self, after: int = ALL) -> list[tuple[int, str, float]]:
        """(step, name, value), by step and name."""
        rows = self._rows("SELECT * FROM metrics WHERE step > ? ORDER BY step, name", after)
        return [(step, text_of(name), real_of(value)) for step, name, value in rows]

    def clocks(self, after: int = ALL) -> list[tuple[int, str, float]]:
        """(step, name, value) of what differs between equal runs."""
        rows = self._rows("SELECT * FROM clocks WHERE step > ? AND name <> ? ORDER BY step, name", after, FOLDER)
        return [(step, text_of(name), real_of(value)) for step, name, value in rows]

    def scores(self, after: int = ALL) -> list[tuple[int, Score]]:
        """(step, one number of an evaluation)."""
        rows = self._rows("SELECT * FROM evals WHERE step > ? ORDER BY step, suite, name", after)
        return [
            (step, Score(text_of(suite), text_of(name), real_of(value), real_of(low), real_of(high), n))
            for step, suite, name, value, low, high, n in rows
        ]

    def flags(self, after: int = ALL) -> list[tuple[int, Flag]]:
        """(step, what a person should look at)."""
        rows = self._rows("SELECT step, name, detail FROM flags WHERE step > ? ORDER BY step, place", after)
        return [(step, Flag(text_of(name), text_of(detail))) for step, name, detail in rows]

    def checkpoints(self) -> list[tuple[int, Checkpoint]]:
        """(step, checkpoint), the newest first. Whether it is still there and whole is for the caller to see."""
        rows = self._rows(
            "SELECT step, digest, value FROM checkpoints JOIN clocks USING (step) WHERE name = ? ORDER BY step DESC",
            FOLDER,
        )
        return [(step, Checkpoint(text_of(digest), text_of(folder))) for step, digest, folder in rows]

    def dump(self, clocks: bool = False) -> Iterator[str]:
        """Every row of every table but `clocks`, a line each, by primary key: equal runs, equal lines."""
        with explained(self.path, "not read"):
            for table, key in KEYS.items():
                if table != "clocks" or clocks:
                    packed = PACKED.get(table)
                    for row in self._database.execute(f"SELECT * FROM {table} ORDER BY {key}"):
                        values = [unpack(it) if place == packed and it else it for place, it in enumerate(row)]
                        yield f"{table} {values!r}"

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with explained(self.path, "not read"):
            return self._database.execute(query, values).fetchall()

    def _pages(self, columns: str, after: int) -> Iterator[Row]:
        """Rows of `entries` by id. No cursor stays open in between, so a reader that stops half-way blocks nobody."""
        while page := self._rows(f"SELECT {columns} FROM entries WHERE id > ? ORDER BY id LIMIT {PAGE}", after):
            yield from page
            after = page[-1][0]


def _tables(database: sqlite3.Connection) -> int:
    [(count,)] = database.execute("SELECT count(*) FROM sqlite_master")
    return count


def _refuse_foreign(path: Path, database: sqlite3.Connection) -> None:
    """Raise UserError for a database that holds something, but not a run in this schema."""
    if _tables(database):
        [(application,)] = database.execute("PRAGMA application_id")
        [(version,)] = database.execute("PRAGMA user_version")
        if application != APPLICATION:
            raise UserError(f"{path}: it is a database of another program: use another run folder")
        if version != SCHEMA:
            raise UserError(
                f"{path}: it has schema {version}, and this version of azr reads {SCHEMA}:"
                " use the version that wrote it, or start a new run"
            )
