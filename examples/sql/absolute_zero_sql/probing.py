"""How a query behaves on tables that differ a little from its own, and which tasks are alike.

Promises: the probes depend on the task and the key only. A query that gives the same rows on all of them, and on its
own tables, does not depend on what it reads, and makes no task.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from absolute_zero.keys import Key
from absolute_zero.types import Grade, Identity, Outcome, Status, Verdict
from absolute_zero_sql.executor import SQLJob
from absolute_zero_sql.payload import Payload, job
from absolute_zero_sql.queries import family_form, normal_form
from absolute_zero_sql.settings import Limits
from absolute_zero_sql.values import Cell, Table, read_tables, write_tables

PROBES: Final = 4


def probe(payload: Payload, key: Key, limits: Limits) -> SQLJob | None:
    """Return the query on perturbed tables; None where no query is known."""
    tables = read_tables(payload.pairs[0][0], max_rows=1 << 20)
    if not payload.query or not isinstance(tables, tuple):
        return None
    databases = (write_tables([_perturbed(table, key.at(n, table.name)) for table in tables]) for n in range(PROBES))
    return job(payload.query, list(databases), payload.ordered, limits)


def _perturbed(table: Table, key: Key) -> Table:
    """Return a table that lacks a quarter of the rows, and has a third of the cells changed: to another of its column,
    or to a number nearby."""
    random = key.draw().random
    rows = [row for row in table.rows if random() >= 0.25]
    columns = [[row[column] for row in table.rows] for column in range(len(table.columns))]
    cells = [[_changed(cell, columns[n], random(), random()) for n, cell in enumerate(row)] for row in rows]
    return Table(table.name, table.columns, tuple(map(tuple, cells)))


def _changed(cell: Cell, column: Sequence[Cell], choice: float, amount: float) -> Cell:
    if choice >= 1 / 3:
        return cell
    if choice < 1 / 6 and isinstance(cell, int | float) and abs(cell) < 1 << 53:
        return cell + int(7 * amount) - 3
    return column[int(amount * len(column))]


def identity(payload: Payload, outcome: Outcome | None) -> Identity | Grade:
    """Return what makes a task alike to others.

    `family`: the query, whatever its spelling and aliases. `exact`: that with its tables, in any order of their rows.
    `behaviour`: its rows on the probes.
    """
    tables = [_sorted(tables) for tables, _ in payload.pairs]
    exact = digest(normal_form(payload.query) if payload.query else payload.message, *tables)
    if outcome is None:
        return Identity(exact, family(payload.query))
    known = payload.pairs[0][1]
    if all(result.verdict is Verdict.VALUE and result.value == known for result in outcome.results):
        return Grade(Status.NEUTRAL, reason="constant", detail="other tables give the same rows")
    behaviour = digest(*(f"{result.verdict} {result.value}" for result in outcome.results))
    return Identity(exact, family(payload.query), behaviour)


def family(query: str) -> str:
    """Return what all spellings of a query share; empty for no query."""
    return digest(family_form(query)) if query else ""


def _sorted(text: str) -> str:
    tables = read_tables(text, max_rows=1 << 20)
    if not isinstance(tables, tuple):
        return text
    lines = [(table.header, *sorted(write_tables([table]).split("\n")[1:])) for table in tables]
    return "\n".join(line for part in lines for line in part)


def digest(*parts: str) -> str:
    """Return a digest of texts, each apart from its neighbours."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
