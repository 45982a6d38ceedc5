"""Induction: given tables with the rows that a query gave, and a message, which query?"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from absolute_zero.keys import Key
from absolute_zero.text import blocks, fenced, render_block
from absolute_zero.types import Grade, Identity, Outcome, Prompt, Proposal, Refusal, Role, Status, Task, Verdict
from absolute_zero_sql import probing
from absolute_zero_sql.executor import SQLJob
from absolute_zero_sql.payload import (
    CORRECT,
    QUERY,
    ROWS,
    TABLES,
    WRONG,
    Payload,
    built,
    failed,
    job,
    malformed,
    tables_of,
    unusable,
)
from absolute_zero_sql.prompts import ORDERED, Prompts
from absolute_zero_sql.queries import is_ordered, read_query
from absolute_zero_sql.settings import Limits
from absolute_zero_sql.values import write_tables

FALLBACK: Final = "SELECT name FROM people WHERE age > 30 ORDER BY name"
"""What a proposal is about if there is no reference at all."""
_CODE: Final = re.compile(r"\bselect\b|```|;", re.IGNORECASE)


LABELS: Final = {Role.PROPOSE: ("tables", "message"), Role.SOLVE: ("sql",)}
EASIER: Final = ({"pairs": 4}, {"pairs": 2})
"""What a small model may be asked for instead."""


@final
@dataclass(frozen=True, slots=True)
class Query:
    """An answer is correct if the query gives the rows of every hidden pair."""

    prompts: Prompts
    limits: Limits
    kind: str = field(default=QUERY, init=False)
    sources: tuple[str, ...] = field(default=(ROWS, TABLES), init=False)
    max_references: int | None = field(default=1, init=False)
    labels: Mapping[Role, Sequence[str]] = field(default_factory=lambda: LABELS, init=False, hash=False)
    easier: Sequence[Mapping[str, int]] = field(default_factory=lambda: EASIER, init=False, hash=False)

    def propose_prompt(self, references: Sequence[Task]) -> Prompt:
        """Return the prompt for tables and a message about the query of the reference."""
        count = self.limits.pairs
        return self.prompts.prompt(
            "propose_query", query=render_block("sql", _query(references)), count=str(count), shown=str(count // 2),
            hidden=str(count - count // 2), characters=str(self.limits.message_characters),
            rows=str(self.limits.rows),
        )  # fmt: skip

    def parse_proposal(self, references: Sequence[Task], answer: str) -> Proposal | Grade:
        """Return the query of the reference on the proposed tables."""
        parts, message = blocks(answer, "tables"), fenced(answer, "message")
        if isinstance(parts, Refusal):
            return malformed(parts)
        if isinstance(message, Refusal):
            return malformed(message)
        if len(parts) != self.limits.pairs:
            detail = f"{len(parts)} blocks of tables, {self.limits.pairs} were asked for"
            return Grade(Status.MALFORMED, reason="count", detail=detail)
        databases: list[str] = []
        for part in parts:
            tables = tables_of(part, self.limits)
            if isinstance(tables, Grade):
                return tables
            databases.append(write_tables(tables))
        message = " ".join(message.split())
        if len(message) > self.limits.message_characters:
            return Grade(Status.FAILED, reason="message_too_long", detail=f"{len(message)} characters")
        if code := _CODE.search(message):
            return Grade(Status.FAILED, reason="code_in_message", detail=repr(code[0]))
        if len(set(databases)) < len(databases):
            return Grade(Status.FAILED, reason="repeated_tables", detail="two blocks of tables are the same")
        query = _query(references)
        return Proposal(self.kind, job(query, databases, is_ordered(query), self.limits), message)

    def build_task(self, proposal: Proposal, outcome: Outcome) -> Task | Grade:
        """Return the task, unless all tables give the same rows."""
        payload = built(proposal, outcome)
        if isinstance(payload, Grade):
            return payload
        if len({rows for _, rows in payload.pairs}) < 2:
            return Grade(Status.NEUTRAL, reason="few_results", detail="all tables give the same rows")
        return payload.task(self.kind)

    def probe(self, task: Task, key: Key) -> SQLJob | None:
        """Return the query on other tables; None if the task comes from a file without its query."""
        return probing.probe(Payload.of(task), key, self.limits)

    def identity(self, task: Task, outcome: Outcome | None) -> Identity | Grade:
        """Return digests of the query, its tables and its behaviour."""
        return probing.identity(Payload.of(task), outcome)

    def solve_prompt(self, task: Task) -> Prompt:
        """Return the prompt with message and shown pairs."""
        payload = Payload.of(task)
        pairs = "\n".join(
            f"{render_block('tables', tables)}\n{render_block('rows', rows)}" for tables, rows in payload.shown
        )
        message = render_block("message", payload.message)
        return self.prompts.prompt(
            "solve_query", pairs=pairs, message=message, order=ORDERED[payload.ordered],
            characters=str(self.limits.query_characters),
        )  # fmt: skip

    def check(self, task: Task, answer: str) -> Grade | SQLJob:
        """Return the job that runs the answer's query on the hidden tables."""
        block = fenced(answer, "sql")
        if isinstance(block, Refusal):
            return malformed(block)
        query = read_query(block, self.limits.query_characters)
        if isinstance(query, Refusal):
            return failed(query)
        payload = Payload.of(task)
        databases, golds = zip(*payload.hidden, strict=True)
        return job(query, databases, payload.ordered, self.limits, golds)

    def check_result(self, task: Task, outcome: Outcome) -> Grade:
        """Return whether every hidden pair came out."""
        for result, (_, rows) in zip(outcome.results, Payload.of(task).hidden, strict=True):
            if result.verdict is not Verdict.VALUE:
                return unusable(result)
            if result.value != rows:
                return WRONG
        return CORRECT

    def show(self, task: Task) -> Sequence[tuple[str, str]]:
        """Return message, pairs and the query if it is known."""
        payload = Payload.of(task)
        parts = [("message", payload.message)]
        for number, (tables, rows) in enumerate(payload.pairs, 1):
            hidden = "" if number <= len(payload.shown) else " (hidden)"
            parts += [(f"tables {number}{hidden}", tables), (f"rows {number}{hidden}", rows)]
        return [*parts, ("answer", payload.query)] if payload.query else parts


def _query(references: Sequence[Task]) -> str:
    return Payload.of(references[0]).query if references else FALLBACK
