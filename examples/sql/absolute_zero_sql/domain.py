"""The domain: what the entry point `sql` of the group `absolute_zero.domains` gives."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, final

from absolute_zero.text import render_block, render_response
from absolute_zero.types import Proposal, Refusal, Role, Task, UserError
from absolute_zero_sql import HERE
from absolute_zero_sql.executor import SQLExecutor
from absolute_zero_sql.payload import KINDS, QUERY, ROWS, TABLES, Payload, proposal
from absolute_zero_sql.probing import family
from absolute_zero_sql.prompts import Prompts
from absolute_zero_sql.queries import is_ordered, read_query
from absolute_zero_sql.query import FALLBACK, Query
from absolute_zero_sql.rows import Rows
from absolute_zero_sql.settings import Limits, Settings, limits_of
from absolute_zero_sql.tables import Tables
from absolute_zero_sql.values import read_rows, read_tables, write_tables

SUITES: Final = HERE / "suites"
FILES: Final = Limits(pairs=64, rows=1000, query_characters=10_000, message_characters=10_000, result_bytes=65_536)
"""What rows of files are read within."""
_PEOPLE: Final = "people(name, age)\n'Ann', 31\n'Bob', 25\n'Cid', 47"
_EXAMPLE: Final = Payload(FALLBACK, ((_PEOPLE, "'Ann'\n'Cid'"),))
_OTHERS: Final = tuple(
    (f"people(name, age)\n'Dee', {age}\n'Eve', {70 - age}", rows)
    for age, rows in ((20, "'Eve'"), (30, "'Eve'"), (31, "'Dee'\n'Eve'"), (35, "'Dee'\n'Eve'"), (41, "'Dee'"))
)
_SORTED: Final = (
    Payload(FALLBACK, (*_EXAMPLE.pairs, *_OTHERS), "The names of those above some age, from A to Z."),
    "Only ages above 30 count, and the names are sorted.",
)
_SUMMED: Final = (
    Payload(
        "SELECT kind, SUM(price) FROM items WHERE price < 10 GROUP BY kind ORDER BY kind",
        tuple(
            (f"items(kind, price)\n'pen', {a}\n'bag', {b}\n'pen', {c}\n'cup', 25", f"'bag', {b}\n'pen', {a + c}")
            for a, b, c in ((2, 7, 3), (1, 4, 9), (5, 5, 5), (8, 1, 1), (3, 9, 6), (4, 2, 7))
        ),
        "What the cheap things of each sort cost together.",
    ),
    "Cups cost too much, so they are left out; bags come before pens, and the pens are added up.",
)
"""Payloads of six pairs, each with a thought."""


@final
class SQLDomain:
    """SQL over SQLite: rows, tables or the query is what is asked for."""

    name = "sql"
    settings: type[Any] | None = Settings
    templates: str = "absolute_zero_sql:TEMPLATES"

    def task_types(self, cfg: Any) -> Sequence[Rows | Tables | Query]:
        """Return the three task types."""
        prompts, limits = Prompts(cfg.templates), limits_of(cfg)
        return Rows(prompts, limits), Tables(prompts, limits), Query(prompts, limits)

    def open_executor(self, cfg: Any) -> SQLExecutor:
        """Return the running SQLite processes."""
        return SQLExecutor(cfg.sandbox.workers, cfg.sandbox.memory_mb, cfg.sandbox.cpu_seconds)

    def seeds(self) -> Sequence[Task]:
        """Return one task of each kind that is shown to proposers."""
        return _EXAMPLE.task(ROWS), _EXAMPLE.task(TABLES)

    def suites(self) -> Mapping[str, Sequence[Task]]:
        """Return the tasks that `make_suite.py` wrote, with their families, so that no training accepts them."""
        return {path.stem: _suite(path.read_text(encoding="utf-8")) for path in sorted(SUITES.glob("*.jsonl"))}

    def worked_examples(self, kind: str, role: Role, cfg: Any) -> Sequence[tuple[Any, str]]:
        """Return questions with a response each, in strict form: a task to solve, or what a proposal is shown."""
        return [_worked(kind, role, *pair, limits_of(cfg).pairs) for pair in (_SORTED, _SUMMED)]

    def read_row(self, row: Mapping[str, Any]) -> Sequence[Task | Proposal]:
        """Return the task in a row: `kind`, `query`, and `tables` with or without `rows`.

        For the kind `query` there are `pairs` of tables and rows and a `message`, and the query may be left out.
        Without rows the task is a proposal: SQLite gives them. Of a `tables` task the headers of the tables will do,
        if the rows are there.
        """
        kind = row.get("kind")
        if kind not in KINDS:
            raise UserError(f"kind = {kind!r}: give one of {', '.join(KINDS)}")
        if kind == QUERY:
            return [_induction(row)]
        query, tables = _query(row), _tables(row.get("tables"))
        if "rows" in row:
            return [Payload(query, ((tables, _rows(row["rows"], query)),)).task(str(kind))]
        parsed = proposal(str(kind), query, tables, FILES)
        if not isinstance(parsed, Proposal):
            raise UserError(f"the query makes no task: {parsed.reason} {parsed.detail}".strip())
        return [parsed]

    def held_out(self, row: Mapping[str, Any]) -> Sequence[str]:
        """Return the family of the row's query."""
        return [family(_query(row))]


def _worked(kind: str, role: Role, whole: Payload, thought: str, most: int) -> tuple[Any, str]:
    """Return one worked example, of so many pairs if there are; a task of one pair is that of the first."""
    payload = Payload(whole.query, whole.pairs[:most], whole.message)
    payload = payload if kind == QUERY else Payload(whole.query, whole.pairs[:1])
    tables, rows = payload.pairs[0]
    query = render_block("sql", payload.query)
    if role is Role.SOLVE:
        answer = {ROWS: render_block("rows", rows), TABLES: render_block("tables", tables), QUERY: query}[kind]
        return payload.task(kind), render_response(thought, answer, opened=False)
    if kind != QUERY:
        return [], render_response(thought, f"{query}\n{render_block('tables', tables)}", opened=False)
    parts = [render_block("tables", text) for text, _ in payload.pairs]
    answer = "\n".join([*parts, render_block("message", payload.message)])
    return [Payload(whole.query, whole.pairs[:1]).task(ROWS)], render_response(thought, answer, opened=False)


def _suite(text: str) -> list[Task]:
    tasks: list[Task] = []
    for line in text.splitlines():
        row = json.loads(line)
        payload = Payload(row["query"], tuple((tables, rows) for tables, rows in row["pairs"]), row["message"])
        alike = family(payload.query)
        tasks.append(replace(payload.task(row["kind"]), group=alike, family=alike))
    return tasks


# --- rows of files ------------------------------------------------------------------------------------------


def _query(row: Mapping[str, Any]) -> str:
    query = read_query(_text(row.get("query"), "query"), FILES.query_characters)
    if isinstance(query, Refusal):
        raise UserError(f"the query does not read: {query.detail}")
    return query


def _tables(text: object) -> str:
    tables = read_tables(_text(text, "tables"), FILES.rows)
    if isinstance(tables, Refusal):
        raise UserError(f"the tables do not read: {tables.detail}")
    return write_tables(tables)


def _rows(text: object, query: str) -> str:
    rows = read_rows(_text(text, "rows", blank=True), is_ordered(query))
    if isinstance(rows, Refusal):
        raise UserError(f"the rows do not read: {rows.detail}")
    return rows


def _induction(row: Mapping[str, Any]) -> Task:
    query = _query(row) if row.get("query") else ""
    pairs = row.get("pairs")
    if not isinstance(pairs, list) or len(pairs) < 2 or not all(isinstance(p, list) and len(p) == 2 for p in pairs):
        raise UserError("pairs: give two or more of [tables, rows]")
    texts = tuple((_tables(tables), _rows(rows, query)) for tables, rows in pairs)
    return Payload(query, texts, _text(row.get("message", ""), "message", blank=True)).task(QUERY)


def _text(value: object, name: str, blank: bool = False) -> str:
    if not isinstance(value, str) or not (value.strip() or blank):
        raise UserError(f"{name}: give it as a text")
    return value


DOMAIN: Final = SQLDomain()
