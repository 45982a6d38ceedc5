"""The three kinds: prompts, proposals, grades, and what they promise to the loop."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import make_suite
from absolute_zero import plugins
from absolute_zero.keys import Key
from absolute_zero.ports import Domain, Executor, Policy
from absolute_zero.text import render_block, thought_and_answer
from absolute_zero.types import (
    Grade,
    Identity,
    Outcome,
    Proposal,
    Refusal,
    Result,
    Role,
    Status,
    Task,
    UserError,
    Verdict,
)
from absolute_zero_sql import TEMPLATES
from absolute_zero_sql.domain import DOMAIN
from absolute_zero_sql.executor import SQLExecutor, SQLJob
from absolute_zero_sql.payload import CORRECT, KINDS, QUERY, ROWS, TABLES, WRONG, Payload
from absolute_zero_sql.prompts import NAMES, Prompts
from absolute_zero_sql.scripted import Scripted
from absolute_zero_sql.settings import DEFAULTS, Settings

CFG: Any = SimpleNamespace(
    domain_section=Settings(pairs=2, rows=4, query_characters=80, message_characters=40),
    sandbox=SimpleNamespace(workers=1, memory_mb=64, cpu_seconds=1.0, value_bytes=500),
    templates=str(TEMPLATES),
)
TYPES: dict[str, Any] = {task_type.kind: task_type for task_type in DOMAIN.task_types(CFG)}
QUERY_TEXT = "SELECT a FROM t WHERE a > 1 ORDER BY a DESC"
PLAIN = "SELECT a FROM t WHERE a > 1"
ONE, TWO = "t(a)\n1\n2\n3", "t(a)\n0\n1\n5"


@pytest.fixture(scope="module")
def executor() -> Iterator[SQLExecutor]:
    opened = DOMAIN.open_executor(CFG)
    yield opened
    opened.close()


def proposed(query: str = QUERY_TEXT, tables: str = ONE) -> str:
    return f"{render_block('sql', query)}\n{render_block('tables', tables)}"


def versions(*tables: str, message: str = "Large ones.") -> str:
    return "\n".join([*(render_block("tables", text) for text in tables), render_block("message", message)])


def task(executor: SQLExecutor, kind: str, query: str = QUERY_TEXT, *tables: str) -> Any:
    """What the loop makes of a proposal: a task, or the grade that says why not."""
    references = [Payload(query, ((ONE, ""),)).task(ROWS)] if kind == QUERY else []
    answer = versions(*(tables or (ONE, TWO))) if kind == QUERY else proposed(query, *tables)
    parsed = TYPES[kind].parse_proposal(references, answer)
    if isinstance(parsed, Grade):
        return parsed
    [outcome] = executor.run([parsed.job])
    return TYPES[kind].build_task(parsed, outcome)


def graded(executor: SQLExecutor, posed: Task, answer: str) -> Grade:
    decided = TYPES[posed.kind].check(posed, answer)
    if isinstance(decided, Grade):
        return decided
    [outcome] = executor.run([decided])
    return TYPES[posed.kind].check_result(posed, outcome)


# --- proposals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_proposal_becomes_a_task(executor: SQLExecutor, kind: str) -> None:
    made = task(executor, kind)
    assert isinstance(made, Task)
    assert (made.kind, made.title, made.label) == (kind, QUERY_TEXT, "ordered")
    assert Payload.of(made).pairs[0] == (ONE, "3\n2")
    assert Payload.of(made).task(kind) == made
    assert TYPES[kind].solve_prompt(made).messages[0].role == "user"
    shown = TYPES[kind].show(made)
    assert shown[-1] == ("answer", {ROWS: "3\n2", TABLES: ONE, QUERY: QUERY_TEXT}[kind])


def test_the_answer_is_not_in_the_prompt(executor: SQLExecutor) -> None:
    assert "\n3\n2\n" not in TYPES[ROWS].solve_prompt(task(executor, ROWS)).shown
    assert ONE not in TYPES[TABLES].solve_prompt(task(executor, TABLES)).shown
    prompt = TYPES[QUERY].solve_prompt(task(executor, QUERY)).shown
    assert QUERY_TEXT not in prompt
    assert ONE in prompt
    assert TWO not in prompt


@pytest.mark.parametrize("kind", [ROWS, TABLES])
@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ("", Status.MALFORMED, "no_block"),
        (render_block("sql", QUERY_TEXT), Status.MALFORMED, "no_block"),
        ("```sql\nSELECT a FROM t\n```\n```tables\nt(a)\n1", Status.MALFORMED, "open_block"),
        (proposed("DELETE FROM t"), Status.FAILED, "query"),
        (proposed("SELECT a FROM t -- " + "x" * 2000), Status.FAILED, "query"),
        (proposed("SELECT 1; SELECT a FROM t"), Status.FAILED, "query"),
        (proposed(tables="t(a)\n1\n2\n3\n4\n5"), Status.FAILED, "tables"),
        (proposed(tables="t(a)\nx"), Status.FAILED, "row"),
        (proposed("SELECT 1"), Status.FAILED, "ignores_tables"),
    ],
)
def test_proposals_that_are_none(kind: str, answer: str, status: Status, reason: str) -> None:
    parsed = TYPES[kind].parse_proposal([], answer)
    assert isinstance(parsed, Grade)
    assert (parsed.status, parsed.reason) == (status, reason)


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (versions(ONE), Status.MALFORMED, "count"),
        (versions(ONE, TWO, ONE), Status.MALFORMED, "count"),
        ("\n".join([render_block("tables", ONE)] * 2), Status.MALFORMED, "no_block"),
        (versions(ONE, ONE), Status.FAILED, "repeated_tables"),
        (versions(ONE, "t(a)\nx"), Status.FAILED, "row"),
        (versions(ONE, TWO, message="x" * 41), Status.FAILED, "message_too_long"),
        (versions(ONE, TWO, message="try select a"), Status.FAILED, "code_in_message"),
    ],
)
def test_versions_that_are_none(answer: str, status: Status, reason: str) -> None:
    parsed = TYPES[QUERY].parse_proposal([], answer)
    assert isinstance(parsed, Grade)
    assert (parsed.status, parsed.reason) == (status, reason)


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("SELECT random() FROM t", Status.FAILED, "forbidden"),
        ("SELECT a FROM t LIMIT 1", Status.FAILED, "nondeterministic"),
        ("SELECT b FROM t", Status.FAILED, "error"),
        ("SELECT x.a FROM t x, t y, t z", Status.FAILED, "too_large"),
        ("SELECT a FROM t WHERE a > 9", Status.NEUTRAL, "no_rows"),
    ],
)
def test_queries_that_make_no_task(executor: SQLExecutor, query: str, status: Status, reason: str) -> None:
    for kind in (ROWS, TABLES):
        made = task(executor, kind, query)
        assert isinstance(made, Grade)
        assert (made.status, made.reason) == (status, reason)


def test_versions_with_the_same_rows_make_no_task(executor: SQLExecutor) -> None:
    made = task(executor, QUERY, QUERY_TEXT, ONE, "t(a)\n3\n2\n1")
    assert isinstance(made, Grade)
    assert (made.status, made.reason) == (Status.NEUTRAL, "few_results")


# --- what is alike ------------------------------------------------------------------------------------------


def marks(executor: SQLExecutor, made: Task, key: Key = Key(0)) -> Identity | Grade:  # noqa: B008
    [outcome] = executor.run([TYPES[made.kind].probe(made, key)])
    return TYPES[made.kind].identity(made, outcome)


def test_identity(executor: SQLExecutor) -> None:
    first = marks(executor, task(executor, ROWS, PLAIN))
    assert isinstance(first, Identity)
    spelt = marks(executor, task(executor, ROWS, "select a from t where a>1"))
    turned = marks(executor, task(executor, ROWS, PLAIN, "t(a)\n3\n1\n2"))
    other = marks(executor, task(executor, ROWS, "SELECT a FROM t WHERE a > 2"))
    assert spelt == first
    assert isinstance(turned, Identity)
    assert isinstance(other, Identity)
    assert (turned.exact, turned.family) == (first.exact, first.family)  # tables have no order
    assert other.exact != first.exact
    assert other.family != first.family
    same = task(executor, ROWS, PLAIN)
    assert marks(executor, same, Key(1)) == marks(executor, same, Key(1))
    assert TYPES[ROWS].probe(same, Key(1)) != TYPES[ROWS].probe(same, Key(2))


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_that_ignores_what_it_reads_is_no_task(executor: SQLExecutor, kind: str) -> None:
    made = Payload("SELECT 7 FROM (SELECT count(*) FROM t)", ((ONE, "7"), (TWO, "7"))).task(kind)
    grade = marks(executor, made)
    assert isinstance(grade, Grade)
    assert (grade.status, grade.reason) == (Status.NEUTRAL, "constant")


def test_what_has_no_query_has_no_probe() -> None:
    [made] = DOMAIN.read_row({"kind": QUERY, "pairs": [[ONE, "2\n3"], [TWO, "5"]], "message": "Large ones."})
    assert TYPES[QUERY].probe(made, Key(0)) is None
    assert TYPES[QUERY].identity(made, None).family == ""
    assert TYPES[QUERY].show(made)[-1][0] != "answer"


# --- answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "query", "answer", "expected"),
    [
        (ROWS, QUERY_TEXT, render_block("rows", "(3),\n(2)"), CORRECT),
        (ROWS, QUERY_TEXT, "```\n3\n2.0\n```", CORRECT),
        (ROWS, QUERY_TEXT, render_block("rows", "2\n3"), WRONG),
        (ROWS, PLAIN, render_block("rows", "2\n3"), CORRECT),
        (ROWS, PLAIN, render_block("rows", "2\n3\n3"), WRONG),
        (ROWS, PLAIN, render_block("rows", ""), WRONG),
        (TABLES, QUERY_TEXT, render_block("tables", "t(a)\n3\n2"), CORRECT),
        (TABLES, QUERY_TEXT, render_block("tables", "T(A)\n-1\n2\n3.0"), CORRECT),
        (TABLES, QUERY_TEXT, render_block("tables", "t(a)\n3"), WRONG),
        (QUERY, QUERY_TEXT, render_block("sql", "SELECT a FROM t WHERE a >= 2 ORDER BY -a"), CORRECT),
        (QUERY, QUERY_TEXT, render_block("sql", "SELECT 5"), CORRECT),
        (QUERY, QUERY_TEXT, render_block("sql", "SELECT a FROM t ORDER BY a DESC"), WRONG),
    ],
)
def test_grades(executor: SQLExecutor, kind: str, query: str, answer: str, expected: Grade) -> None:
    assert graded(executor, task(executor, kind, query), answer) == expected


@pytest.mark.parametrize(
    ("kind", "answer", "status", "reason"),
    [
        (ROWS, "3, 2", Status.MALFORMED, "no_block"),
        (ROWS, render_block("rows", "three"), Status.FAILED, "row"),
        (TABLES, render_block("tables", "u(a)\n3\n2"), Status.FAILED, "other_columns"),
        (TABLES, render_block("tables", "t(b)\n3\n2"), Status.FAILED, "other_columns"),
        (TABLES, render_block("tables", "t(a)\n" + "3\n" * 9), Status.FAILED, "tables"),
        (QUERY, render_block("sql", "DROP TABLE t"), Status.FAILED, "query"),
        (QUERY, render_block("sql", "SELECT random()"), Status.FAILED, "forbidden"),
        (QUERY, render_block("sql", "SELECT nope FROM t"), Status.FAILED, "error"),
    ],
)
def test_answers_that_fail(executor: SQLExecutor, kind: str, answer: str, status: Status, reason: str) -> None:
    grade = graded(executor, task(executor, kind), answer)
    assert (grade.status, grade.reason) == (status, reason)


def test_a_rows_answer_has_no_job_that_could_decide_it(executor: SQLExecutor) -> None:
    with pytest.raises(ValueError, match="no job"):
        TYPES[ROWS].check_result(task(executor, ROWS), Outcome((Result(Verdict.VALUE, "3"),)))


ANSWERS = st.text() | st.builds(
    "\n".join,
    st.lists(
        st.builds(
            render_block,
            st.sampled_from(["sql", "tables", "rows", "message", ""]),
            st.text(max_size=30) | st.sampled_from([QUERY_TEXT, "SELECT a FROM t", "t(a)\n1", "t(a)", "1", "'x"]),
        ),
        max_size=4,
    ),
)


@given(ANSWERS)
@settings(max_examples=200)
def test_any_answer_is_graded_or_becomes_a_job(answer: str) -> None:
    payload = Payload(QUERY_TEXT, ((ONE, "3\n2"), (TWO, "5")), "Large ones.")
    for kind, task_type in TYPES.items():
        assert isinstance(task_type.parse_proposal([payload.task(ROWS)], answer), Proposal | Grade)
        decided = task_type.check(payload.task(kind), answer)
        assert isinstance(decided, SQLJob | Grade)
        hash(decided)


# --- the domain ---------------------------------------------------------------------------------------------


def test_it_fits_the_ports(executor: SQLExecutor) -> None:
    """Mostly for the type checker."""
    parts: tuple[Domain, Executor, Policy] = (DOMAIN, executor, Scripted())
    assert not plugins.lacks(parts[0], plugins.DOMAIN)
    assert not plugins.lacks(parts[2], plugins.POLICY)


@pytest.mark.parametrize("kind", KINDS)
def test_worked_examples_pass(executor: SQLExecutor, kind: str) -> None:
    cfg = SimpleNamespace(domain_section=DEFAULTS, sandbox=CFG.sandbox, templates=str(TEMPLATES))
    [task_type] = (task_type for task_type in DOMAIN.task_types(cfg) if task_type.kind == kind)
    for (references, proposal), (task, solution) in zip(
        *(DOMAIN.worked_examples(kind, role, cfg) for role in Role), strict=True
    ):
        answers = [thought_and_answer(response, opened=False) for response in (proposal, solution)]
        assert not any(isinstance(answer, Refusal) for answer in answers)
        proposed_text, solved_text = (getattr(answer, "text", "") for answer in answers)
        parsed = task_type.parse_proposal(references, proposed_text)
        assert isinstance(parsed, Proposal)
        made = task_type.build_task(parsed, executor.run([parsed.job])[0])
        assert isinstance(made, Task)
        assert made.payload == task.payload
        decided: Any = task_type.check(made, solved_text)
        assert (decided if kind == ROWS else task_type.check_result(made, executor.run([decided])[0])) == CORRECT


def test_suite_is_what_sqlite_gives(executor: SQLExecutor) -> None:
    [(name, suite)] = DOMAIN.suites().items()
    assert name == "held_out"
    assert all(sum(one.kind == kind for one in suite) >= 30 for kind in KINDS)
    jobs, golds = [], []
    for one in suite:
        payload = Payload.of(one)
        assert one.family
        assert one.group == one.family
        jobs += [SQLJob(payload.query, tuple(t for t, _ in payload.pairs), payload.ordered)]
        golds += [[rows for _, rows in payload.pairs]]
    assert [[result.value for result in outcome.results] for outcome in executor.run(jobs)] == golds
    assert len({one.family for one in suite}) == len(suite)


def test_the_suite_s_seed_writes_it_again(executor: SQLExecutor) -> None:
    again = make_suite.tasks(seed=7, count=40, executor=executor)
    assert [next(again).payload for _ in range(5)] == [task.payload for task in DOMAIN.suites()["held_out"][:5]]


def test_rows_of_files(executor: SQLExecutor) -> None:
    [made] = DOMAIN.read_row({"kind": ROWS, "query": QUERY_TEXT, "tables": ONE, "rows": "3\n2"})
    assert made == task(executor, ROWS)
    [parsed] = DOMAIN.read_row({"kind": ROWS, "query": QUERY_TEXT, "tables": ONE})
    assert isinstance(parsed, Proposal)
    assert TYPES[ROWS].build_task(parsed, executor.run([parsed.job])[0]) == made
    [open_task] = DOMAIN.read_row({"kind": TABLES, "query": QUERY_TEXT, "tables": "t(a)", "rows": "3\n2"})
    assert isinstance(open_task, Task)
    assert graded(executor, open_task, render_block("tables", ONE)) == CORRECT
    [induced] = DOMAIN.read_row({"kind": QUERY, "query": PLAIN, "pairs": [[ONE, "3\n2"], [TWO, "5"]]})
    assert isinstance(induced, Task)
    assert graded(executor, induced, render_block("sql", PLAIN)) == CORRECT


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "kind = None"),
        ({"kind": "deduction"}, "give one of rows, tables, query"),
        ({"kind": ROWS}, "query: give it as a text"),
        ({"kind": ROWS, "query": "DROP TABLE t"}, "the query does not read"),
        ({"kind": ROWS, "query": QUERY_TEXT, "tables": 1}, "tables: give it as a text"),
        ({"kind": ROWS, "query": QUERY_TEXT, "tables": "x"}, "the tables do not read"),
        ({"kind": ROWS, "query": QUERY_TEXT, "tables": ONE, "rows": "x"}, "the rows do not read"),
        ({"kind": ROWS, "query": "SELECT 1", "tables": ONE}, "makes no task: ignores_tables"),
        ({"kind": QUERY, "pairs": [[ONE, "1"]]}, "two or more"),
    ],
)
def test_rows_that_hold_no_task(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        DOMAIN.read_row(row)


def test_held_out_files_bar_the_family(executor: SQLExecutor) -> None:
    [family] = DOMAIN.held_out(json.loads(json.dumps({"query": PLAIN.lower()})))
    identity = marks(executor, task(executor, ROWS, PLAIN))
    assert isinstance(identity, Identity)
    assert identity.family == family
    with pytest.raises(UserError, match="query"):
        DOMAIN.held_out({"program": "x"})


# --- templates ----------------------------------------------------------------------------------------------


def test_a_template_says_whether_it_opens_the_thought(tmp_path: Any) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.txt").write_text("$query $tables <think>\n\n" if name == "solve_rows" else "no thought")
    prompts = Prompts(str(tmp_path))
    assert prompts.prompt("solve_rows", query="$query", tables="").opens_thought
    assert prompts.prompt("solve_rows", query="$query", tables="").text.startswith("$query ")
    assert not prompts.prompt("solve_tables").opens_thought


def test_a_folder_that_lacks_a_template_is_one_line(tmp_path: Any) -> None:
    with pytest.raises(UserError, match=r"lacks propose_rows\.txt"):
        Prompts(str(tmp_path)).prompt("solve_rows")
    for name in NAMES:
        (tmp_path / f"{name}.txt").write_text("$nothing")
    with pytest.raises(UserError, match="nothing"):
        Prompts(str(tmp_path)).prompt("solve_rows")
