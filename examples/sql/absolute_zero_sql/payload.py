"""What a task of this domain is: a query, and tables with the rows that it gives on them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from absolute_zero.types import Grade, Outcome, Proposal, Refusal, Result, Status, Task, Verdict
from absolute_zero_sql.executor import SQLJob
from absolute_zero_sql.queries import is_ordered, names_any, read_query
from absolute_zero_sql.settings import Limits
from absolute_zero_sql.values import Table, read_tables, write_tables

ROWS, TABLES, QUERY = KINDS = ("rows", "tables", "query")
CORRECT: Final = Grade(Status.PASSED, 1.0)
WRONG: Final = Grade(Status.FAILED, reason="wrong")


@final
@dataclass(frozen=True, slots=True)
class Payload:
    """Query, pairs of tables and rows (texts of `values`), and the message of a `query` task.

    >>> Payload.of(Payload("SELECT a FROM t", (("t(a)\\n1", "1"),)).task("rows")).pairs
    (('t(a)\\n1', '1'),)
    """

    query: str
    """Empty where it is not known, in a `query` task that comes from a file."""
    pairs: tuple[tuple[str, str], ...]
    message: str = ""

    @classmethod
    def of(cls, task: Task) -> "Payload":
        """Return what a task holds."""
        fields: dict[str, Any] = json.loads(task.payload)
        return cls(fields["query"], tuple((tables, rows) for tables, rows in fields["pairs"]), fields["message"])

    def task(self, kind: str) -> Task:
        """Return it as a task."""
        fields = {"query": self.query, "pairs": self.pairs, "message": self.message}
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        label = "ordered" if self.ordered else "unordered"
        return Task(kind, text, title=(self.query or self.message)[:80], label=label)

    @property
    def ordered(self) -> bool:
        """The order of the rows counts."""
        return is_ordered(self.query)

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """The pairs that the solver of a `query` task sees."""
        return self.pairs[: len(self.pairs) // 2]

    @property
    def hidden(self) -> tuple[tuple[str, str], ...]:
        """The others."""
        return self.pairs[len(self.pairs) // 2 :]


def malformed(refusal: Refusal) -> Grade:
    """Return the grade of a response whose form is broken."""
    return Grade(Status.MALFORMED, reason=refusal.reason, detail=refusal.detail)


def failed(refusal: Refusal) -> Grade:
    """Return the grade of a part that is there and does not read."""
    return Grade(Status.FAILED, reason=refusal.reason, detail=refusal.detail)


def unusable(result: Result) -> Grade:
    """Return what it means that a query gave no rows."""
    return Grade(Status.FAILED, reason=result.verdict.value, detail=result.detail)


def tables_of(text: str, limits: Limits) -> tuple[Table, ...] | Grade:
    """Return the tables of a block, or the grade that says why it has none."""
    tables = read_tables(text, limits.rows)
    return failed(tables) if isinstance(tables, Refusal) else tables


def job(query: str, databases: Sequence[str], ordered: bool, limits: Limits, golds: Sequence[str] = ()) -> SQLJob:
    """Return the job within the limits; a result may be as long as the longest of `golds`, which may come from files.

    The bytes of a cell as the worker counts them are at most eight times those of its text.
    """
    most_rows = max([limits.rows, *(gold.count("\n") + 1 for gold in golds)])
    most_bytes = max([limits.result_bytes, *(8 * len(gold.encode()) for gold in golds)])
    return SQLJob(query, tuple(databases), ordered, most_rows, most_bytes)


def proposal(kind: str, query_text: str, tables_text: str, limits: Limits) -> Proposal | Grade:
    """Return the proposal of a query with tables, or why it is none."""
    query = read_query(query_text, limits.query_characters)
    if isinstance(query, Refusal):
        return failed(query)
    tables = tables_of(tables_text, limits)
    if isinstance(tables, Grade):
        return tables
    if not names_any(query, [table.name for table in tables]):
        return Grade(Status.FAILED, reason="ignores_tables", detail="the query names none of the tables")
    return Proposal(kind, job(query, (write_tables(tables),), is_ordered(query), limits))


def built(proposal: Proposal, outcome: Outcome) -> Payload | Grade:
    """Return what a proposal made once it ran: tables with their rows; or why not."""
    for result in outcome.results:
        if result.verdict is not Verdict.VALUE:
            return unusable(result)
    pairs = zip(proposal.job.databases, (result.value for result in outcome.results), strict=True)
    return Payload(proposal.job.query, tuple(pairs), proposal.payload)
