"""What runs in a process of its own: one query on fresh tables in memory, again and again.

Reads requests from standard input and writes replies to standard output, each a length (four bytes, big-endian) and
JSON. Started as a file, isolated from the environment: standard library only, and nothing of this package.

A query may read the tables it was sent, and call functions of FUNCTIONS: none of them knows the time, draws at random
or touches a file. SQLite's authorizer says no to all else (ATTACH, PRAGMA, writing, loading code, reading the schema),
and the process cannot open a file at all. Limits: instructions of SQLite's machine, its memory, rows and bytes of the
result (refused, never truncated); behind them processor time and address space, at which the process dies.
"""

import json
import math
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO, Final

FUNCTIONS: Final = frozenset(
    "count sum total avg min max group_concat abs coalesce ifnull nullif iif length lower upper substr substring trim "
    "ltrim rtrim replace instr round sign typeof hex char unicode like glob row_number rank dense_rank percent_rank "
    "cume_dist ntile lag lead first_value last_value nth_value".split()
)
LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: 100_000, sqlite3.SQLITE_LIMIT_SQL_LENGTH: 20_000, sqlite3.SQLITE_LIMIT_COLUMN: 64,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100, sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 20,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 50_000, sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 16, sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100, sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}  # fmt: skip
TICK: Final = 1000
"""Instructions between two looks at the budget."""
RUNS: Final = ((False, False), (False, True), (True, False))
"""(rows inserted backwards, unordered reads reversed): an order that nobody asked for differs between them."""


def main() -> None:
    """Answer requests until the other side closes."""
    options = json.loads(sys.argv[1])
    confine(options["memory_mb"])
    answer({"query": "SELECT a FROM t", "tables": [["t", ["a"], [[1]]]], "rows": 1, "bytes": 9, "instructions": 9999})
    # From here on no file can be opened: what Python and SQLite load late was loaded for the query above.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (request := receive(source)) is not None:
        soft = math.ceil(time.process_time() + options["cpu_seconds"])
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
        reply = json.dumps(answer(request)).encode()
        sink.write(len(reply).to_bytes(4, "big") + reply)
        sink.flush()


def confine(memory_mb: int) -> None:
    """Take what this process will not need."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    most = used + (2 * memory_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(limit, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the other side, which closes this one
    with sqlite3.connect(":memory:") as connection:
        connection.execute(f"PRAGMA hard_heap_limit = {memory_mb << 20}")  # of the process, for good
    connection.close()


def receive(source: BinaryIO) -> dict[str, Any] | None:
    """Return the next request; None at the end."""
    header = source.read(4)
    return json.loads(source.read(int.from_bytes(header, "big"))) if len(header) == 4 else None


def answer(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the query came to in each of RUNS, up to the first that gave no rows."""
    results: list[dict[str, Any]] = []
    for backwards in (False, True):
        connection = sqlite3.connect(":memory:", isolation_level=None)
        try:
            _create(connection, request["tables"], backwards)
            for reverse in (turned for other, turned in RUNS if other is backwards):
                results.append(_answer(connection, request, reverse))
                if results[-1]["status"] != "value":
                    return results
        finally:
            connection.close()
    return results


def _create(connection: sqlite3.Connection, tables: list[Any], backwards: bool) -> None:
    connection.execute("PRAGMA temp_store = MEMORY")
    for name, columns, rows in tables:
        connection.execute(f'CREATE TABLE "{name}" ({", ".join(map(_quoted, columns))})')
        marks = ", ".join("?" * len(columns))
        connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows[::-1] if backwards else rows)


def _answer(connection: sqlite3.Connection, request: dict[str, Any], reverse: bool) -> dict[str, Any]:
    connection.set_authorizer(None)
    if reverse:
        connection.execute("PRAGMA reverse_unordered_selects = 1")
    _shut(connection, request)
    try:
        return {"status": "value", "rows": _fetch(connection.execute(request["query"]), request)}
    except _Refused as error:
        return {"status": str(error)}
    except MemoryError:
        return {"status": "memory"}
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        code = getattr(error, "sqlite_errorcode", 0)
        known = {sqlite3.SQLITE_INTERRUPT: "timeout", sqlite3.SQLITE_AUTH: "forbidden", sqlite3.SQLITE_NOMEM: "memory"}
        status = "forbidden" if str(error).startswith("not authorized") else known.get(code, "error")
        return {"status": status, "detail": " ".join(str(error).split())[:200]}


def _shut(connection: sqlite3.Connection, request: dict[str, Any]) -> None:
    """Shut the door: from here on the connection answers the query, within the limits."""
    for limit, most in LIMITS.items():
        connection.setlimit(limit, most)
    left = request["instructions"] // TICK

    def tick() -> int:
        nonlocal left
        left -= 1
        return left < 0

    connection.set_progress_handler(tick, TICK)
    connection.set_authorizer(_guard(request["tables"]))


def _quoted(name: str) -> str:
    return f'"{name}"'


def _guard(tables: list[Any]) -> Callable[..., int]:
    """Return the authorizer of a query: what it may do, asked by SQLite while it compiles."""
    names = {name.lower() for name, _, _ in tables}

    def authorize(action: int, first: str | None, second: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_READ:  # a table of which no column is read may be a WITH clause, by its name only
            schema = (first or "").lower().startswith(("sqlite_", "pragma_"))
            allowed = (first or "").lower() in names or (not second and not schema)
        elif action == sqlite3.SQLITE_FUNCTION:
            allowed = (second or "").lower() in FUNCTIONS
        else:
            allowed = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE)
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    return authorize


class _Refused(Exception):
    """The rows cannot be given; its text is the status."""


def _fetch(cursor: sqlite3.Cursor, request: dict[str, Any]) -> list[tuple[Any, ...]]:
    if cursor.description is None:
        raise sqlite3.Warning("no query")
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in cursor:
        size += sum(len(cell.encode()) if isinstance(cell, str) else 8 for cell in row)
        if len(rows) >= request["rows"] or size > request["bytes"]:
            raise _Refused("too_large")
        if not all(map(_is_plain, row)):
            raise _Refused("unserialisable")
        rows.append(row)
    return rows


def _is_plain(cell: object) -> bool:
    if isinstance(cell, float):
        return math.isfinite(cell)
    return cell is None or isinstance(cell, int) or (isinstance(cell, str) and (cell.isprintable() or not cell))


if __name__ == "__main__":
    main()
