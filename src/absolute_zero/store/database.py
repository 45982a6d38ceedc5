"""The run database itself: opened, written by whole steps, read, rewound."""

import os
import sqlite3
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, final

from absolute_zero.store.errors import explain_failures
from absolute_zero.store.files import MOUNTS, network
from absolute_zero.store.migrations import MIGRATIONS, migrate, schema_of
from absolute_zero.store.rows import (
    COMPRESSED,
    FOLDER,
    KEYS,
    SCHEMA,
    TABLES,
    Checkpoint,
    Flag,
    Keep,
    Rejection,
    Row,
    StoredRollout,
    decode_float,
    decode_json,
    decode_prompt,
    decode_rejection,
    decode_rollout,
    decode_task,
    decode_text,
    decompress,
    encode_text,
    number_rows,
    outcome_rows,
    rejection_rows,
    rollout_rows,
    step_row,
    task_row,
)
from absolute_zero.types import Step, Task, UserError

APPLICATION = 0x415A5231
"""Says in the header of the file whose database it is ("AZR1"); the schema's number stands beside it."""
PATIENCE = 10.0
"""Seconds to wait for a lock that another process holds."""
PAGE = 1_000
"""Rows read at a time, so that no reader holds a lock, or a million rows, for long."""
EARLIEST = -(1 << 62)
"""Before the first step of any run."""
HAS_RESPONSE = "CASE WHEN response IS NULL THEN NULL ELSE x'' END"
"""Whether there is a response, without reading it."""
NO_CLOCKS: Mapping[str, float] = MappingProxyType({})


@final
class Store:
    """The database of one run. Made by `open` (the one writer) or `read` (any number, also while the writer writes).

    Belongs to the thread that made it. Readers called with `after` give what came after that step, all by default.
    """

    journal: str
    """`wal`; `delete` where the file system is not known to be local; `memory` for the migrated copy of a reader."""
    note: str
    """One line for the user if commits are slower here, or the file has a new schema now; else empty."""

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

        `rollouts` says of which responses the texts are kept: `all`, one prompt in sixteen with all its rollouts
        (`sample`), or `none`; what they earned is kept always. A database of an older schema is migrated in place,
        whole or not at all. Raises UserError if the folder is missing or cannot be written, if the file is damaged or
        is not a run database or one of a newer version, or if another process is writing to it for longer than
        `patience` seconds.
        """
        if not os.path.isdir(path.parent):  # pathlib's own raises where a folder above may not be entered
            raise UserError(f"{path}: the folder {path.parent} is missing: make it, or use another run folder")
        kind, notes = network(path.parent, mounts), list[str]()
        if kind:
            notes.append(f"it is on {kind}, maybe shared by machines: a rollback journal makes commits take longer")
        with explain_failures(path, failed="not opened"):
            database = sqlite3.connect(path, timeout=patience, isolation_level=None)
            try:
                old = _schema(path, database)
                database.execute(f"PRAGMA journal_mode={'DELETE' if kind else 'WAL'}")
                # FULL syncs at every commit. A rollback journal also has to be gone from its folder: EXTRA syncs that.
                database.execute(f"PRAGMA synchronous={'EXTRA' if kind else 'FULL'}")
                if 0 < old < SCHEMA:
                    migrate(path, database)
                    notes.append(f"it has schema {SCHEMA} now, and had {old}: older versions of azr cannot read it")
                database.execute("BEGIN IMMEDIATE")  # fails here and now where a writer holds on
                if not _schema(path, database):
                    for statement in TABLES.split(";"):
                        database.execute(statement)
                    database.execute(f"PRAGMA application_id={APPLICATION}")
                    database.execute(f"PRAGMA user_version={SCHEMA}")
                database.execute("COMMIT")
                return cls(path, database, rollouts, f"{path}: {'; '.join(notes)}" if notes else "")
            except BaseException:
                database.close()
                raise

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open for reading only, beside a running writer or after it; of an older schema, a migrated copy in memory of
        what is there now. Raises UserError like `open`, and if there is no run in it."""
        if not os.path.isfile(path):
            raise UserError(f"{path}: there is no such run database: name the folder of a run that was started")
        with explain_failures(path, failed="not opened"):
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
            version = _schema(path, database)
            if not version:
                raise UserError(f"{path}: there is no run in it yet: wait, or name another run folder")
            if version < SCHEMA:
                with closing(database) as stored:
                    database = sqlite3.connect(":memory:", isolation_level=None)
                    stored.backup(database)
                migrate(path, database)
                database.execute("PRAGMA query_only=ON")
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
        clocks: Mapping[str, float] = NO_CLOCKS,
        checkpoint: Checkpoint | None = None,
        *,
        flags: Sequence[Flag] = (),
    ) -> None:
        """Keep everything of a step in one transaction; when this returns, it is on the disk.

        `clocks` are wall times and throughput, which differ between equal runs. `step.stats` are not kept of
        themselves: the caller knows which of them are metrics and which are clocks. Raises ValueError, and keeps
        nothing, if the step is not later than the last one, if its tasks do not count on from the last one, if its
        state is not plain data (as JSON has it, with texts for keys), or if two clocks have the same name; UserError if
        the disk is full or fails, or if another process has written.
        """
        number = step.number
        prompts, rollouts = rollout_rows(step, self._keep)
        times: list[Row] = number_rows(number, clocks.items())
        saved: list[Row] = []
        if checkpoint is not None:
            saved.append((number, checkpoint.digest))
            times.append((number, FOLDER, encode_text(checkpoint.folder)))
        rows: dict[str, list[Row]] = {
            "tasks": [task_row(task) for task in step.tasks],
            "outcomes": outcome_rows(step),
            "prompts": prompts,
            "rollouts": rollouts,
            "rejections": rejection_rows(step),
            "metrics": number_rows(number, metrics.items()),
            "flags": [(number, k, encode_text(it.name), encode_text(it.detail)) for k, it in enumerate(flags)],
            "checkpoints": saved,
            "clocks": times,
        }
        with self._transaction(f"step {number} was not kept"):
            last, tasks = self._known
            if last is not None and number <= last:
                raise ValueError(f"step {number} cannot follow step {last}: commit each step once, in order")
            for id_, task in enumerate(step.tasks, start=tasks + 1):
                if (task.id, task.step) != (id_, number):
                    raise ValueError(
                        f"task {task.id} of step {task.step} comes where task {id_} of step {number} is due"
                    )
            rows["steps"] = [step_row(step, tasks + len(step.tasks))]
            for table, lines in rows.items():
                if lines:
                    values = ",".join("?" * len(lines[0]))
                    try:
                        self._database.executemany(f"INSERT INTO {table} VALUES ({values})", lines)
                    except sqlite3.IntegrityError as error:
                        raise ValueError(f"step {number}: two rows of {table} have the same name ({error})") from error

    def rewind(self, step: int) -> None:
        """Forget every later step, in one transaction: as if the run had stopped after this one."""
        with self._transaction(f"not rewound to step {step}"):
            [(tasks,)] = self._database.execute("SELECT coalesce(max(tasks), 0) FROM steps WHERE step <= ?", [step])
            self._database.execute("DELETE FROM tasks WHERE id > ?", [tasks])
            for table, key in KEYS.items():
                if key.startswith("step"):
                    self._database.execute(f"DELETE FROM {table} WHERE step > ?", [step])
            facts = [decode_text(key) for (key,) in self._database.execute("SELECT key FROM run")]
            named = [(key, key.rpartition(" ")[2]) for key in facts]
            later = [encode_text(key) for key, after in named if after.isdecimal() and int(after) > step]
            self._database.executemany("DELETE FROM run WHERE key = ?", [(key,) for key in later])

    def set_fact(self, key: str, value: str) -> None:
        """Keep one fact about the whole run, such as its settings as JSON; what was there under that key is replaced.
        A key whose last word is a number is about that step, and `rewind` forgets it with the step.
        Wall times and paths have no place here, if equal runs are to have equal rows."""
        with self._transaction(f"{key} was not kept"):
            self._database.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", [encode_text(key), encode_text(value)])

    @contextmanager
    def _transaction(self, failed: str) -> Generator[None]:
        """Keep all or nothing, and only on top of what this writer knows to be there."""
        with explain_failures(self.path, failed=failed):
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
        """Return the last step, and the id of the last task then."""
        rows = self._database.execute("SELECT step, tasks FROM steps ORDER BY step DESC LIMIT 1").fetchall()
        return rows[0] if rows else (None, 0)

    # --- reading --------------------------------------------------------------------------------------------

    def last_step(self) -> int | None:
        """Return the last step that is there whole; None before the first."""
        return self._tip()[0]

    def get_fact(self, key: str) -> str | None:
        """Return what `set_fact` kept under this key; None if nothing."""
        rows = self._rows("SELECT value FROM run WHERE key = ?", encode_text(key))
        return decode_text(rows[0][0]) if rows else None

    def fact_keys(self) -> list[str]:
        """Return the names of all facts."""
        return [decode_text(key) for (key,) in self._rows("SELECT key FROM run ORDER BY key")]

    def state(self) -> Mapping[str, Any]:
        """Return what the advantage estimators remembered after the last step; nothing before the first."""
        rows = self._rows("SELECT state FROM steps ORDER BY step DESC LIMIT 1")
        return decode_json(rows[0][0]) if rows else {}

    def tasks(self, after: int = 0) -> Iterator[Task]:
        """Yield accepted tasks with a larger id than `after`, by id. Read in pages, each in a lock of its own: no
        cursor stays open in between, so a reader that stops half-way blocks nobody."""
        query = f"SELECT * FROM tasks WHERE id > ? ORDER BY id LIMIT {PAGE}"
        while page := self._rows(query, after):
            yield from map(decode_task, page)
            after = page[-1][0]

    def outcomes(self, after: int = EARLIEST) -> list[tuple[int, int, int, int]]:
        """Return (step, task, trials, successes): how many rollouts a task had in a step and how many were correct,
        those of its own first step included."""
        return self._rows("SELECT * FROM outcomes WHERE step > ? ORDER BY step, task", after)

    def rollouts(self, step: int, texts: bool = True) -> list[StoredRollout]:
        """Return every response of a step in the order it came with, as far as it was kept; without `texts`, what it
        came to only, with empty prompts, responses and details: much faster where the texts are long."""
        response, detail, prompt = "response", "detail", "format, opens_thought, text"
        if not texts:
            response, detail, prompt = HAS_RESPONSE, "''", "NULL, NULL, NULL"
        rows = self._rows(
            "SELECT rollouts.step, rollouts.number, role, kind, item, attempt, task, tokens, truncated, status, score,"
            f" reason, reward, weight, advantage, prompt, {response}, {detail}, {prompt} FROM rollouts"
            " LEFT JOIN prompts ON prompts.step = rollouts.step AND prompts.number = prompt"
            " WHERE rollouts.step = ? ORDER BY rollouts.number",
            step,
        )
        return [decode_rollout(row[:-3], decode_prompt(*row[-3:])) for row in rows]

    def rejections(self, after: int = EARLIEST) -> list[tuple[int, Rejection]]:
        """Return (step, proposals that were rejected alike)."""
        rows = self._rows("SELECT * FROM rejections WHERE step > ? ORDER BY step, kind, status, reason", after)
        return [(row[0], decode_rejection(row)) for row in rows]

    def metrics(self, after: int = EARLIEST) -> list[tuple[int, str, float]]:
        """Return (step, name, value), by step and name."""
        rows = self._rows("SELECT * FROM metrics WHERE step > ? ORDER BY step, name", after)
        return [(step, decode_text(name), decode_float(value)) for step, name, value in rows]

    def clocks(self, after: int = EARLIEST) -> list[tuple[int, str, float]]:
        """Return (step, name, value) of what differs between equal runs."""
        rows = self._rows("SELECT * FROM clocks WHERE step > ? AND name <> ? ORDER BY step, name", after, FOLDER)
        return [(step, decode_text(name), decode_float(value)) for step, name, value in rows]

    def flags(self, after: int = EARLIEST) -> list[tuple[int, Flag]]:
        """Return (step, what a person should look at)."""
        rows = self._rows("SELECT step, name, detail FROM flags WHERE step > ? ORDER BY step, number", after)
        return [(step, Flag(decode_text(name), decode_text(detail))) for step, name, detail in rows]

    def checkpoints(self) -> list[tuple[int, Checkpoint]]:
        """Return (step, checkpoint), the newest first. Whether it is still there and whole is for the caller to see."""
        rows = self._rows(
            "SELECT step, digest, value FROM checkpoints JOIN clocks USING (step) WHERE name = ? ORDER BY step DESC",
            FOLDER,
        )
        return [(step, Checkpoint(decode_text(digest), decode_text(folder))) for step, digest, folder in rows]

    def dump(self, clocks: bool = False) -> Iterator[str]:
        """Yield every row of every table but `clocks`, a line each, by primary key: equal runs, equal lines."""
        with explain_failures(self.path, failed="not read"):
            for table, key in KEYS.items():
                if table != "clocks" or clocks:
                    compressed = COMPRESSED.get(table)
                    for row in self._database.execute(f"SELECT * FROM {table} ORDER BY {key}"):
                        values = [decompress(it) if k == compressed and it else it for k, it in enumerate(row)]
                        yield f"{table} {values!r}"

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with explain_failures(self.path, failed="not read"):
            return self._database.execute(query, values).fetchall()


def _schema(path: Path, database: sqlite3.Connection) -> int:
    """Return the number of a run's schema, this or an older one; 0 if there is nothing yet. Raises UserError for a
    database of another program, and for one that this version cannot read."""
    [(tables,)] = database.execute("SELECT count(*) FROM sqlite_master")
    if not tables:
        return 0
    [(application,)] = database.execute("PRAGMA application_id")
    if application != APPLICATION:
        raise UserError(f"{path}: it is a database of another program: use another run folder")
    version = schema_of(database)
    if version != SCHEMA and version not in MIGRATIONS:
        raise UserError(
            f"{path}: it has schema {version}, and this version of azr reads {SCHEMA}:"
            " use the version that wrote it, or start a new run"
        )
    return version
