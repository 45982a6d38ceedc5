"""SQLite in its processes: what a query gets, what it is refused, and what it cannot break."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from absolute_zero.types import Outcome, Result, SandboxError, Verdict
from absolute_zero_sql.executor import SQLExecutor, SQLJob

T = "t(a, b)\n1, 'x'\n2, 'y'\n3, 'x'"
COUNTER = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
LONG = "'" + "b" * 1000 + "'"
HUGE = f"replace({LONG}, 'b', substr({LONG}, 1, 80))"
DOUBLES = "WITH a AS (SELECT 1 x)" + "".join(
    f", a{n} AS (SELECT p.x FROM a{n - 1} p, a{n - 1} q)" for n in range(1, 30)
)
DOUBLES = DOUBLES.replace("a0", "a") + " SELECT count(*) FROM a29"


@pytest.fixture(scope="module")
def executor() -> Iterator[SQLExecutor]:
    opened = SQLExecutor(workers=2)
    yield opened
    opened.close()


def result(executor: SQLExecutor, query: str, tables: str = T, **limits: Any) -> Result:
    [outcome] = executor.run([SQLJob(query, (tables,), **limits)])
    [only] = outcome.results
    return only


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT a FROM t WHERE b = 'x'", "1\n3"),
        ("SELECT b, count(*) FROM t GROUP BY b", "'x', 2\n'y', 1"),
        ("WITH u AS (SELECT max(a) m FROM t) SELECT m, NULL, 1.5, 'it''s' FROM u", "3, NULL, 1.5, 'it''s'"),
        ("SELECT avg(a) FROM t", "2"),
        ("SELECT a FROM t WHERE a > 9", ""),
        ("SELECT a, row_number() OVER (ORDER BY a DESC) FROM t", "1, 3\n2, 2\n3, 1"),
        ("SELECT a FROM t WHERE b LIKE 'X%' UNION SELECT 5", "1\n3\n5"),
        ("VALUES (1), (2)", "1\n2"),
        ("WITH u AS (SELECT 1 x UNION SELECT 2) SELECT count(*) FROM u", "2"),
        ("SELECT count(*) FROM T", "3"),
        ("SELECT u.a FROM (SELECT a FROM t WHERE a > 1) u JOIN t v USING (a)", "2\n3"),
    ],
)
def test_rows(executor: SQLExecutor, query: str, rows: str) -> None:
    assert result(executor, query) == Result(Verdict.VALUE, rows)


def test_an_ordered_job_keeps_the_order(executor: SQLExecutor) -> None:
    assert result(executor, "SELECT a FROM t ORDER BY a DESC", ordered=True).value == "3\n2\n1"


@pytest.mark.parametrize(
    ("query", "verdict"),
    [
        ("ATTACH ':memory:' AS x", Verdict.FORBIDDEN),
        ("ATTACH '/tmp/absolute_zero_sql.db' AS x", Verdict.FORBIDDEN),
        ("VACUUM INTO '/tmp/absolute_zero_sql.db'", Verdict.FORBIDDEN),
        ("DETACH main", Verdict.FORBIDDEN),
        ("PRAGMA temp_store_directory = '/tmp'", Verdict.FORBIDDEN),
        ("SELECT load_extension('/lib/x')", Verdict.FORBIDDEN),
        ("SELECT random()", Verdict.FORBIDDEN),
        ("SELECT hex(randomblob(4))", Verdict.FORBIDDEN),
        ("SELECT date('now')", Verdict.FORBIDDEN),
        ("SELECT strftime('%s', 'now')", Verdict.FORBIDDEN),
        ("SELECT CURRENT_TIMESTAMP", Verdict.FORBIDDEN),
        ("SELECT sqlite_version()", Verdict.FORBIDDEN),
        ("SELECT zeroblob(1000000000)", Verdict.FORBIDDEN),
        ("SELECT printf('%*d', 1000000000, 1)", Verdict.FORBIDDEN),
        ("SELECT name FROM sqlite_master", Verdict.FORBIDDEN),
        ("INSERT INTO t VALUES (4, 'z')", Verdict.FORBIDDEN),
        ("DELETE FROM t", Verdict.FORBIDDEN),
        ("DROP TABLE t", Verdict.FORBIDDEN),
        ("CREATE TEMP TABLE u (a)", Verdict.FORBIDDEN),
        ("BEGIN", Verdict.FORBIDDEN),
        ("SELECT nope FROM t", Verdict.ERROR),
        ("SELEC", Verdict.ERROR),
        ("", Verdict.ERROR),
        ("SELECT 1; SELECT 2", Verdict.ERROR),
        ("SELECT 'a\0b'", Verdict.ERROR),
        ("SELECT '\ud800'", Verdict.ERROR),
        ("SELECT sum(9223372036854775807) FROM t", Verdict.ERROR),
        ("SELECT x'00'", Verdict.UNSERIALISABLE),
        ("SELECT 9e999", Verdict.UNSERIALISABLE),
        ("SELECT char(10)", Verdict.UNSERIALISABLE),
        ("SELECT a FROM t LIMIT 1", Verdict.NONDETERMINISTIC),
        ("SELECT group_concat(a) FROM t", Verdict.NONDETERMINISTIC),
        ("SELECT b, a FROM t GROUP BY b", Verdict.NONDETERMINISTIC),
        ("SELECT rowid, a FROM t", Verdict.NONDETERMINISTIC),
        (f"{COUNTER} SELECT sum(n) FROM c", Verdict.TIMEOUT),
        (f"{COUNTER} SELECT n FROM c", Verdict.TOO_LARGE),
        (f"SELECT {LONG} || {LONG} || {LONG}", Verdict.TOO_LARGE),
        (f"{COUNTER} SELECT count(*) FROM (SELECT {HUGE} || n s FROM c LIMIT 5000) GROUP BY s", Verdict.MEMORY),
        ("WITH RECURSIVE c(s) AS (SELECT 'ab' UNION ALL SELECT s || s FROM c) SELECT length(s) FROM c", Verdict.ERROR),
    ],
)
def test_refused(executor: SQLExecutor, query: str, verdict: Verdict) -> None:
    assert result(executor, query).verdict is verdict


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM json_each('[1]')",
        "SELECT name FROM dbstat",
        "SELECT * FROM pragma_database_list",
        "SELECT writefile('/tmp/x', 'x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT * FROM fsdir('/')",
        "SELECT edit('x')",
    ],
)
def test_what_some_builds_of_sqlite_have(executor: SQLExecutor, query: str) -> None:
    assert result(executor, query).verdict in (Verdict.FORBIDDEN, Verdict.ERROR)


def test_an_order_with_ties_is_none(executor: SQLExecutor) -> None:
    assert result(executor, "SELECT a FROM t ORDER BY b", ordered=True).verdict is Verdict.NONDETERMINISTIC
    assert result(executor, "SELECT a FROM t ORDER BY b, a", ordered=True).value == "1\n3\n2"


def test_a_statement_that_grows_without_end_dies_alone(executor: SQLExecutor) -> None:
    outcomes = executor.run([SQLJob("SELECT a FROM t", (T,)), SQLJob(DOUBLES, (T,)), SQLJob("SELECT a FROM t", (T,))])
    assert outcomes[0] == outcomes[2] == Outcome((Result(Verdict.VALUE, "1\n2\n3"),))
    assert outcomes[1].results[0].verdict in (Verdict.TIMEOUT, Verdict.MEMORY, Verdict.ERROR)


def test_rows_and_bytes_are_refused_never_truncated(executor: SQLExecutor) -> None:
    assert result(executor, "SELECT a FROM t", max_rows=3).verdict is Verdict.VALUE
    assert result(executor, "SELECT a FROM t", max_rows=2).verdict is Verdict.TOO_LARGE
    assert result(executor, "SELECT b FROM t", max_bytes=3).verdict is Verdict.VALUE
    assert result(executor, "SELECT b FROM t", max_bytes=2).verdict is Verdict.TOO_LARGE


def test_whole_numbers_and_fractions_are_two_jobs(executor: SQLExecutor) -> None:
    whole, fraction = SQLJob("SELECT a / 2 FROM t", ("t(a)\n1",)), SQLJob("SELECT a / 2 FROM t", ("t(a)\n1.0",))
    assert len({whole, fraction, SQLJob("SELECT a / 2 FROM t", ("t(a)\n1",))}) == 2
    assert [outcome.results[0].value for outcome in executor.run([whole, fraction])] == ["0", "0.5"]


def test_an_outcome_does_not_depend_on_company(executor: SQLExecutor) -> None:
    jobs = [SQLJob("SELECT count(*) FROM t", (T, "t(a)\n1")), SQLJob("SELECT nope", (T,)), SQLJob("DROP TABLE t", (T,))]
    alone = [executor.run([job])[0] for job in jobs]
    assert executor.run(jobs * 3) == alone * 3
    assert alone[0].ok
    assert not alone[1].ok
    assert not any(outcome.lost for outcome in alone)


def test_tables_that_do_not_read_are_an_outcome(executor: SQLExecutor) -> None:
    assert result(executor, "SELECT 1", tables="nonsense").verdict is Verdict.INVALID_INPUT


def test_a_worker_that_was_killed_is_replaced() -> None:
    executor = SQLExecutor(workers=1)
    worker = executor._idle.get()  # pyright: ignore[reportPrivateUsage]
    os.kill(worker._process.pid, signal.SIGKILL)  # pyright: ignore[reportPrivateUsage]
    executor._idle.put(worker)  # pyright: ignore[reportPrivateUsage]
    assert result(executor, "SELECT a FROM t").value == "1\n2\n3"
    executor.close()


def test_a_worker_that_hangs_is_tried_twice_and_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = SQLExecutor(workers=1, wall_seconds=0.0)  # no worker is that fast
    [outcome] = executor.run([SQLJob("SELECT a FROM t", (T,))])
    assert outcome.lost
    executor.close()


def test_used_up_processor_time_is_the_query_s_fault() -> None:
    executor = SQLExecutor(workers=1, cpu_seconds=0.1, instructions=1 << 40)
    [outcome] = executor.run([SQLJob(f"{COUNTER} SELECT sum(n) FROM c", (T,))])
    assert outcome.results == (Result(Verdict.TIMEOUT),)
    assert result(executor, "SELECT a FROM t").value == "1\n2\n3"
    executor.close()


def test_closing_twice_is_closing_once() -> None:
    executor = SQLExecutor(workers=1)
    executor.close()
    executor.close()
    with pytest.raises(SandboxError, match="closed"):
        executor.run([])
