"""Deduction: given tables and a query, which rows does it give?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from absolute_zero.keys import Key
from absolute_zero.text import fenced, render_block
from absolute_zero.types import Grade, Identity, Outcome, Prompt, Proposal, Refusal, Role, Status, Task
from absolute_zero_sql import probing
from absolute_zero_sql.executor import SQLJob
from absolute_zero_sql.payload import CORRECT, ROWS, WRONG, Payload, built, failed, malformed, proposal
from absolute_zero_sql.prompts import ORDERED, Prompts
from absolute_zero_sql.settings import Limits
from absolute_zero_sql.values import read_rows

LABELS: Final = {Role.PROPOSE: ("sql", "tables"), Role.SOLVE: ("rows",)}


@final
@dataclass(frozen=True, slots=True)
class Rows:
    """An answer is correct if its rows are the query's: as a list if the query orders them, else as a multiset."""

    prompts: Prompts
    limits: Limits
    kind: str = field(default=ROWS, init=False)
    sources: tuple[str, ...] = field(default=(ROWS,), init=False)
    max_references: int | None = field(default=None, init=False)
    labels: Mapping[Role, Sequence[str]] = field(default_factory=lambda: LABELS, init=False, hash=False)

    def propose_prompt(self, references: Sequence[Task]) -> Prompt:
        """Return the prompt for a query with tables."""
        return self.prompts.prompt(
            "propose_rows", references=self.prompts.references(references), rows=str(self.limits.rows)
        )

    def parse_proposal(self, references: Sequence[Task], answer: str) -> Proposal | Grade:
        """Return the query with its tables."""
        return parse_query_and_tables(self.kind, answer, self.limits)

    def build_task(self, proposal: Proposal, outcome: Outcome) -> Task | Grade:
        """Return the task, unless the query gives no rows: that is guessed too easily."""
        return build_from_rows(proposal, outcome)

    def probe(self, task: Task, key: Key) -> SQLJob | None:
        """Return the query on other tables."""
        return probing.probe(Payload.of(task), key, self.limits)

    def identity(self, task: Task, outcome: Outcome | None) -> Identity | Grade:
        """Return digests of the query, its tables and its behaviour."""
        return probing.identity(Payload.of(task), outcome)

    def solve_prompt(self, task: Task) -> Prompt:
        """Return the prompt with query and tables."""
        payload = Payload.of(task)
        return self.prompts.prompt(
            "solve_rows", query=render_block("sql", payload.query), order=ORDERED[payload.ordered],
            tables=render_block("tables", payload.pairs[0][0]),
        )  # fmt: skip

    def check(self, task: Task, answer: str) -> Grade | SQLJob:
        """Return the grade: the rows are compared as texts, and nothing has to run."""
        payload, block = Payload.of(task), fenced(answer, "rows")
        if isinstance(block, Refusal):
            return malformed(block)
        rows = read_rows(block, payload.ordered)
        if isinstance(rows, Refusal):
            return failed(rows)
        return CORRECT if rows == payload.pairs[0][1] else WRONG

    def check_result(self, task: Task, outcome: Outcome) -> Grade:
        """Raise ValueError: `check` grades every answer itself."""
        raise ValueError("an answer to a rows task is graded at once: there is no job whose outcome could decide it")

    def show(self, task: Task) -> Sequence[tuple[str, str]]:
        """Return query, tables and rows."""
        payload = Payload.of(task)
        tables, rows = payload.pairs[0]
        return (("query", payload.query), ("tables", tables), ("answer", rows))


def parse_query_and_tables(kind: str, answer: str, limits: Limits) -> Proposal | Grade:
    """Return the proposal in a block `sql` and a block `tables`."""
    query, tables = fenced(answer, "sql"), fenced(answer, "tables")
    if isinstance(query, Refusal):
        return malformed(query)
    return malformed(tables) if isinstance(tables, Refusal) else proposal(kind, query, tables, limits)


def build_from_rows(proposal: Proposal, outcome: Outcome) -> Task | Grade:
    """Return the task of a query that gave rows."""
    payload = built(proposal, outcome)
    if isinstance(payload, Grade):
        return payload
    if not payload.pairs[0][1]:
        return Grade(Status.NEUTRAL, reason="no_rows", detail="the query gives no rows on these tables")
    return payload.task(proposal.kind)
