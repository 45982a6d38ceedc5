"""SQLite in processes of its own: what a query gives on tables, within limits.

Promises: never raises for what a query does; outcomes come in the order of the jobs, and each is a function of its job
alone: every query meets a fresh database. A query counts as deterministic if three runs agree, with the rows stored and
read in other orders. A worker that dies or hangs is replaced and its job tried once more; then it is lost, unless the
query used up its processor time: that is the query's own fault. Does not decide what may be asked (`worker` does).
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, final

from absolute_zero.types import Outcome, Refusal, Result, SandboxError, Verdict
from absolute_zero_sql.values import read_tables, write_rows

WORKER: Final = Path(__file__).with_name("worker.py")
MAX_STORED_ROWS: Final = 10_000
"""Rows of a table in a job: far above what any task may have, whose own limit is in the settings."""


@final
@dataclass(frozen=True, slots=True)
class SQLJob:
    """A query, and the texts of the tables to run it on, one after the other.

    >>> SQLJob("SELECT a FROM t ORDER BY a", ("t(a)\\n1",), ordered=True).max_rows
    20
    """

    query: str
    databases: tuple[str, ...]
    """Texts (`values.write_tables`) and not values: 1 and 1.0 are equal in Python, and not in SQL."""
    ordered: bool = False
    """The order of the rows counts."""
    max_rows: int = 20
    max_bytes: int = 2048


@final
class SQLExecutor:
    """This many workers, each with one SQLite."""

    level = "process"
    """How well it isolates: a process without files, and SQLite's own authorizer in it."""

    def __init__(
        self, workers: int = 0, memory_mb: int = 64, cpu_seconds: float = 1.0, instructions: int = 1_000_000,
        wall_seconds: float = 30.0,
    ) -> None:  # fmt: skip
        """Start the workers; 0 is one per processor.

        `instructions` bounds a query deterministically; `cpu_seconds` is behind it, rounded up to whole seconds, and
        `wall_seconds` behind that: a worker that is silent for so long has been lost to the machine.
        """
        count = workers or len(os.sched_getaffinity(0))
        self._options = json.dumps({"memory_mb": memory_mb, "cpu_seconds": cpu_seconds})
        self._instructions, self._wall_seconds = instructions, wall_seconds
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._threads = ThreadPoolExecutor(count, "sql")
        self._closed = False
        for _ in range(count):
            self._idle.put(_Worker(self._options))

    def run(self, jobs: Sequence[SQLJob]) -> list[Outcome]:
        """Return the outcomes, one result per database each; the value of a result is `values.write_rows`."""
        if self._closed:
            raise SandboxError("the executor is closed: open another")
        return list(self._threads.map(self._outcome, jobs))

    def close(self) -> None:
        """End the workers."""
        if not self._closed:
            self._closed = True
            self._threads.shutdown()
            while not self._idle.empty():
                self._idle.get().close()

    # --- one job --------------------------------------------------------------------------------------------

    def _outcome(self, job: SQLJob) -> Outcome:
        worker = self._idle.get()
        try:
            results: list[Result] = []
            for database in job.databases:
                result, worker = self._result(worker, job, database)
                results.append(result)
            return Outcome(tuple(results))
        finally:
            self._idle.put(worker)

    def _result(self, worker: "_Worker", job: SQLJob, database: str) -> tuple[Result, "_Worker"]:
        """Return the result on one database, and the worker to go on with."""
        tables = read_tables(database, MAX_STORED_ROWS)
        if isinstance(tables, Refusal):
            return Result(Verdict.INVALID_INPUT, detail=tables.detail), worker
        request = {
            "query": job.query, "tables": [[table.name, table.columns, table.rows] for table in tables],
            "rows": job.max_rows, "bytes": job.max_bytes, "instructions": self._instructions,
        }  # fmt: skip
        for _ in range(2):
            replies = worker.ask(request, self._wall_seconds)
            if isinstance(replies, list):
                return _agreed(replies, job.ordered), worker
            worker.close()
            worker = _Worker(self._options)
            if replies == signal.SIGXCPU:
                return Result(Verdict.TIMEOUT), worker
        return Result(Verdict.INFRASTRUCTURE), worker


def _agreed(replies: Sequence[Mapping[str, Any]], ordered: bool) -> Result:
    """Return what all runs came to, if it is the same."""
    last = replies[-1]
    if last["status"] != "value":  # an error in a later run only (a sum that overflows half-way) depends on the order
        return Result(Verdict(last["status"]), detail=last.get("detail", ""))
    texts = {write_rows(reply["rows"], ordered) for reply in replies}
    return Result(Verdict.VALUE, texts.pop()) if len(texts) == 1 else Result(Verdict.NONDETERMINISTIC)


@final
class _Worker:
    """One process, and the two ends of its pipes."""

    def __init__(self, options: str) -> None:
        # -I: nothing of the environment, the folder or the user; -S: no packages.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WORKER), options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, bufsize=0,
        )  # fmt: skip

    def ask(self, request: Mapping[str, Any], seconds: float) -> list[Any] | int:
        """Return the replies; or the signal by which the worker died, 0 if it ended or did not answer in time."""
        data = json.dumps(request).encode()
        deadline = time.monotonic() + seconds
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            _write(stdin.fileno(), len(data).to_bytes(4, "big") + data, deadline)
            size = int.from_bytes(_read(stdout.fileno(), 4, deadline), "big")
            return json.loads(_read(stdout.fileno(), size, deadline))
        except (OSError, ValueError):
            self._process.kill()  # no effect on one that is dead already
            return max(0, -self._process.wait())

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _wait(descriptor: int, event: int, deadline: float) -> None:
    waiting = select.poll()
    waiting.register(descriptor, event)
    if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _write(descriptor: int, data: bytes, deadline: float) -> None:
    """Write it all. Raises OSError; TimeoutError is one."""
    while data:
        _wait(descriptor, select.POLLOUT, deadline)
        data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]  # so much never waits


def _read(descriptor: int, count: int, deadline: float) -> bytes:
    """Return this many bytes. Raises OSError."""
    data = b""
    while len(data) < count:
        _wait(descriptor, select.POLLIN, deadline)
        more = os.read(descriptor, count - len(data))
        if not more:
            raise ConnectionError("the worker has ended")
        data += more
    return data
