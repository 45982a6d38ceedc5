"""Abduction: given a query and the rows it gave, on which tables?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from absolute_zero.keys import Key
from absolute_zero.text import fenced, render_block
from absolute_zero.types import Grade, Identity, Outcome, Prompt, Proposal, Refusal, Role, Status, Task, Verdict
from absolute_zero_sql import probing
from absolute_zero_sql.executor import SQLJob
from absolute_zero_sql.payload import CORRECT, TABLES, WRONG, Payload, job, malformed, tables_of, unusable
from absolute_zero_sql.prompts import ORDERED, Prompts
from absolute_zero_sql.rows import build_from_rows, parse_query_and_tables
from absolute_zero_sql.settings import Limits
from absolute_zero_sql.values import Table, read_tables, write_tables

LABELS: Final = {Role.PROPOSE: ("sql", "tables"), Role.SOLVE: ("tables",)}


@final
@dataclass(frozen=True, slots=True)
class Tables:
    """An answer is correct if the query gives the rows on it. It has the tables and columns that the prompt names."""

    prompts: Prompts
    limits: Limits
    kind: str = field(default=TABLES, init=False)
    sources: tuple[str, ...] = field(default=(TABLES,), init=False)
    max_references: int | None = field(default=None, init=False)
    labels: Mapping[Role, Sequence[str]] = field(default_factory=lambda: LABELS, init=False, hash=False)

    def propose_prompt(self, references: Sequence[Task]) -> Prompt:
        """Return the prompt for a query with tables."""
        return self.prompts.prompt(
            "propose_tables", references=self.prompts.references(references), rows=str(self.limits.rows)
        )

    def parse_proposal(self, references: Sequence[Task], answer: str) -> Proposal | Grade:
        """Return the query with its tables."""
        return parse_query_and_tables(self.kind, answer, self.limits)

    def build_task(self, proposal: Proposal, outcome: Outcome) -> Task | Grade:
        """Return the task, unless the query gives no rows: empty tables would do."""
        return build_from_rows(proposal, outcome)

    def probe(self, task: Task, key: Key) -> SQLJob | None:
        """Return the query on other tables."""
        return probing.probe(Payload.of(task), key, self.limits)

    def identity(self, task: Task, outcome: Outcome | None) -> Identity | Grade:
        """Return digests of the query, its tables and its behaviour."""
        return probing.identity(Payload.of(task), outcome)

    def solve_prompt(self, task: Task) -> Prompt:
        """Return the prompt with the query, its rows, and the names of tables and columns."""
        payload = Payload.of(task)
        tables, rows = payload.pairs[0]
        headers = "\n".join(table.header for table in _tables(tables))
        return self.prompts.prompt(
            "solve_tables", query=render_block("sql", payload.query), order=ORDERED[payload.ordered],
            rows=render_block("rows", rows), headers=headers, count=str(self.limits.rows),
        )  # fmt: skip

    def check(self, task: Task, answer: str) -> Grade | SQLJob:
        """Return the job that runs the query on the answer's tables."""
        payload, block = Payload.of(task), fenced(answer, "tables")
        if isinstance(block, Refusal):
            return malformed(block)
        tables = tables_of(block, self.limits)
        if isinstance(tables, Grade):
            return tables
        gold_tables, gold_rows = payload.pairs[0]
        if _names(tables) != _names(_tables(gold_tables)):
            return Grade(Status.FAILED, reason="other_columns", detail=", ".join(table.header for table in tables))
        return job(payload.query, (write_tables(tables),), payload.ordered, self.limits, [gold_rows])

    def check_result(self, task: Task, outcome: Outcome) -> Grade:
        """Return whether the query gave the rows."""
        [result] = outcome.results
        if result.verdict is not Verdict.VALUE:
            return unusable(result)
        return CORRECT if result.value == Payload.of(task).pairs[0][1] else WRONG

    def show(self, task: Task) -> Sequence[tuple[str, str]]:
        """Return query, rows and the tables they came from."""
        payload = Payload.of(task)
        tables, rows = payload.pairs[0]
        return (("query", payload.query), ("rows", rows), ("answer", tables))


def _tables(text: str) -> tuple[Table, ...]:
    """Tables that were read before."""
    tables = read_tables(text, max_rows=1 << 20)
    assert isinstance(tables, tuple)
    return tables


def _names(tables: Sequence[Table]) -> set[str]:
    return {table.header.lower() for table in tables}
