"""Write `absolute_zero_sql/suites/held_out.jsonl`: held-out tasks, from a grammar and a seed, run through SQLite.

    python examples/sql/make_suite.py [--seed 7] [--tasks 40]

A task is kept if the domain would accept it in training: it runs, its rows depend on its tables, and no two tasks have
the same query. The same seed writes the same file. A third of the queries are of the shape that the policy
`sql-scripted` knows; the rest have joins, groups, subqueries, limits.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from absolute_zero.keys import Key
from absolute_zero.types import Proposal, Task
from absolute_zero_sql.domain import SUITES
from absolute_zero_sql.executor import SQLExecutor
from absolute_zero_sql.payload import KINDS, QUERY, Payload, job
from absolute_zero_sql.probing import family, identity, probe
from absolute_zero_sql.queries import is_ordered
from absolute_zero_sql.settings import Limits
from absolute_zero_sql.values import Table, write_tables

NAMES = "Amy Ben Cara Dan Emil Fred Gwen Hugo Iris Jan Kate Leo Mia Nora Otto".split()
CITIES = "Rome Oslo Lima Bern".split()
LIMITS = Limits(pairs=6)
PEOPLE = ("staff", "name", "pay"), ("pupils", "pupil", "score"), ("runners", "runner", "seconds")


def query_and_tables(random: Random) -> tuple[str, Callable[[], list[Table]]]:
    """Return a query, and what draws tables for it."""
    below: Callable[[int], int] = lambda size: int(random.random() * size)  # noqa: E731
    table, name, number = PEOPLE[below(len(PEOPLE))]
    bound, sign = 20 + below(60), "<>"[below(2)]
    city = CITIES[below(len(CITIES))]
    plain = f"SELECT {name} FROM {table} WHERE {number} {sign} {bound} ORDER BY {name}"
    wide = (
        f"SELECT {name} FROM {table} WHERE city = '{city}' AND {number} {sign} {bound} ORDER BY {number}",
        f"SELECT city, count(*) FROM {table} WHERE {number} {sign} {bound} GROUP BY city ORDER BY city",
        f"SELECT city, max({number}) - min({number}) FROM {table} GROUP BY city HAVING count(*) > {1 + below(2)}",
        f"SELECT {name}, {number} % {3 + below(7)} FROM {table} WHERE city <> '{city}'",
        f"SELECT {name} FROM {table} ORDER BY {number}{(' DESC', '')[below(2)]} LIMIT {2 + below(3)}",
        f"SELECT DISTINCT city FROM {table} WHERE {number} {sign} {bound}",
        f"SELECT {name} FROM {table} WHERE {number} {sign} (SELECT avg({number}) FROM {table}) + {below(9)}",
        f"SELECT sum({number}) FROM {table} WHERE city IN ('{city}', '{CITIES[below(4)]}')",
        f"SELECT a.{name}, b.{name} FROM {table} a JOIN {table} b ON a.city = b.city AND a.{number} < b.{number}",
    )
    joined = (
        f"SELECT {name}, land FROM {table} JOIN towns ON city = town WHERE {number} {sign} {bound}",
        f"SELECT land, count({name}) FROM towns LEFT JOIN {table} ON city = town GROUP BY land ORDER BY land",
        f"SELECT town FROM towns WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE city = town AND {number} > {bound})",
    )

    def draw() -> list[Table]:
        labels = [NAMES[index] for index in Key(below(1 << 30)).choose(len(NAMES), 4 + below(3))]
        values = [bound - 15 + index for index in Key(below(1 << 30)).choose(30, len(labels))]
        if shape == 0:
            values[:2] = [bound, bound + (1 if sign == ">" else -1)]
            return [Table(table, (name, number), tuple(zip(labels, values, strict=True)))]
        towns = [CITIES[below(4)] for _ in labels]
        people = Table(table, (name, number, "city"), tuple(zip(labels, values, towns, strict=True)))
        lands = tuple((town, ("North", "South")[below(2)]) for town in CITIES)
        return [people, Table("towns", ("town", "land"), lands)] if shape == 2 else [people]

    shape = below(3)
    return (plain, wide[below(len(wide))], joined[below(len(joined))])[shape], draw


def tasks(seed: int, count: int, executor: SQLExecutor) -> Iterator[Task]:
    """Yield this many tasks of each kind, the kinds one after the other."""
    random, families = Random(seed), set[str]()
    for kind in KINDS:
        left = count
        while left:
            query, draw = query_and_tables(random)
            databases = [write_tables(draw()) for _ in range(LIMITS.pairs if kind == QUERY else 1)]
            message = "One query, on six versions of the same tables." if kind == QUERY else ""
            proposal = Proposal(kind, job(query, databases, is_ordered(query), LIMITS), message)
            [outcome] = executor.run([proposal.job])
            pairs = tuple(zip(databases, (result.value for result in outcome.results), strict=True))
            payload = Payload(query, pairs, message)
            asked = probe(payload, Key(seed), LIMITS)
            if not outcome.ok or not all(rows for _, rows in pairs) or family(query) in families or asked is None:
                continue
            if len(set(pairs)) == len(pairs) and hasattr(identity(payload, executor.run([asked])[0]), "exact"):
                families.add(family(query))
                left -= 1
                yield payload.task(kind)


def main() -> None:
    """Write the suite."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--tasks", type=int, default=40, help="tasks of each kind")
    options.add_argument("--out", type=Path, default=SUITES / "held_out.jsonl")
    arguments = options.parse_args()
    executor = SQLExecutor(1)
    with arguments.out.open("w", encoding="utf-8") as file:
        for task in tasks(arguments.seed, arguments.tasks, executor):
            file.write(json.dumps({"kind": task.kind, **json.loads(task.payload)}, ensure_ascii=False) + "\n")
    executor.close()


if __name__ == "__main__":
    main()
