"""A policy that plays SQL in a small world and learns: no tensors, for demonstrations and tests.

Its world is `SELECT name FROM people WHERE age > 30 ORDER BY name` with other names and numbers. It proposes such tasks
honestly, and solves them as often as it has learned to: one logit per kind, moved by REINFORCE with the advantages that
it is given, so that a reward of the wrong sign makes it worse. Tasks beyond its world it answers wrong.

Promises: a text depends on prompt, key and what was learned; `save` and `load` are exact.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar, final

from absolute_zero.keys import Key
from absolute_zero.text import blocks, render_block, render_response
from absolute_zero.types import Completion, Prompt, Refusal, Sample, Sampling, UserError
from absolute_zero_sql.payload import KINDS
from absolute_zero_sql.values import Cell, Row, Table, read_row, read_tables, write_rows, write_tables

T = TypeVar("T")

FILE: Final = "script.json"
_MOVE: Final = re.compile(r"Your move: (propose|solve) a (rows|tables|query) task")
_QUERY: Final = re.compile(r"SELECT (\w+) FROM (\w+) WHERE (\w+) ([<>]) (\d+) ORDER BY (\w+)")
_HEADER: Final = re.compile(r"The tables and their columns:\n(\w+\([\w, ]*\))\n")
_COUNT: Final = re.compile(r"Write (\d+) versions")
_WRONG: Final = {
    "rows": render_block("rows", "'?'"), "tables": render_block("tables", "nothing(a)"),
    "query": render_block("sql", "SELECT NULL"),
}  # fmt: skip
_NOUNS: Final = (
    ("planets", "planet", "moons"), ("rivers", "river", "length"), ("ships", "ship", "crew"), ("trees", "tree", "age"),
    ("films", "film", "minutes"), ("towers", "tower", "metres"), ("birds", "bird", "grams"), ("games", "game", "goals"),
)  # fmt: skip
_WORDS: Final = "Ada Bo Cy Dot Eli Fay Gus Hal Ida Jo Kit Lou Max Nan Ora Pia Quin Ray Sue Ted".split()


def open_policy(cfg: Any) -> "Scripted":
    """Return the policy as it is before it has learned: what the entry point `sql-scripted` gives."""
    return Scripted(cfg.sampling.max_prompt_tokens)


@final
class Scripted:
    """Proposes tasks of its world, and solves them as often as it has learned to. Its tokens are bytes."""

    def __init__(self, max_prompt_tokens: int = 1 << 20, rate: float = 0.1) -> None:
        self.max_prompt_tokens, self.rate = max_prompt_tokens, rate
        self.logits: dict[str, float] = dict.fromkeys(KINDS, -1.5)

    def sample(
        self, prompts: Sequence[Prompt], n: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        """Return `n` replies to each prompt; at temperature 0 the likelier of right and wrong."""
        return [
            [self._completion(prompt, sampling, key.at(attempt).draw()) for attempt in range(n)]
            for prompt, key in zip(prompts, keys, strict=True)
        ]

    def _completion(self, prompt: Prompt, sampling: Sampling, random: Random) -> Completion:
        if len(prompt.shown.encode()) > self.max_prompt_tokens:
            return Completion("", (), (), truncated=True)
        answer = self._answer(prompt.shown, random, sampling.temperature == 0)
        text = render_response("", answer, prompt.opens_thought)
        tokens = text.encode()[: sampling.max_tokens]
        truncated = len(tokens) < len(text.encode())
        return Completion(tokens.decode("utf-8", "ignore"), tuple(tokens), (0.0,) * len(tokens), truncated)

    def _answer(self, prompt: str, random: Random, greedy: bool) -> str:
        role, kind = _move(prompt)
        if role == "propose":
            return _propose_versions(prompt, random) if kind == "query" else _propose(random)
        knows = self.skill(kind) >= 0.5 if greedy else random.random() < self.skill(kind)
        return (_solution(kind, prompt) if knows else None) or _WRONG.get(kind, "?")

    def skill(self, kind: str) -> float:
        """Return how often it answers right, from 0 to 1."""
        return 1 / (1 + math.exp(-self.logits[kind])) if kind in self.logits else 0.0

    def update(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """Take one step up sum(weight * advantage * d log p / d logit) over the solutions in its world."""
        if not samples:
            return {}
        gains: dict[str, float] = dict.fromkeys(KINDS, 0.0)
        for sample in samples:
            role, kind = _move(sample.prompt.shown)
            if role == "solve" and _solution(kind, sample.prompt.shown):
                p, wrong = self.skill(kind), f"<answer>{_WRONG[kind]}</answer>" in sample.completion.text
                gains[kind] += sample.weight * sample.advantage * (-p if wrong else 1 - p)
        for kind, gain in gains.items():
            self.logits[kind] += self.rate * gain
        return {f"skill/solve/{kind}": self.skill(kind) for kind in KINDS}

    def save(self, folder: Path) -> None:
        """Write one JSON file."""
        (folder / FILE).write_text(json.dumps(self.logits), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Become what was saved. Raises UserError if the file is missing or not what `save` writes."""
        try:
            logits = json.loads((folder / FILE).read_text(encoding="utf-8"))
            self.logits = {kind: float(logits[kind]) for kind in KINDS}
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise UserError(f"{folder / FILE} is not the state of the policy sql-scripted ({error})") from None


def _move(prompt: str) -> tuple[str, str]:
    """Return role and kind, as the first line of a prompt names them."""
    move = _MOVE.search(prompt)
    return (move[1], move[2]) if move else ("", "")


def _below(random: Random, size: int) -> int:
    return int(random.random() * size)


# --- proposing ----------------------------------------------------------------------------------------------


def _propose(random: Random) -> str:
    """Return a query with a table on which some rows pass."""
    table, name, number = _NOUNS[_below(random, len(_NOUNS))]
    sign, bound = "<>"[_below(random, 2)], 20 + _below(random, 400)
    query = f"SELECT {name} FROM {table} WHERE {number} {sign} {bound} ORDER BY {name}"
    rows = _rows(random, bound, [bound - 1 - _below(random, 9), bound + 1 + _below(random, 9)])
    return f"{render_block('sql', query)}\n{_tables(table, (name, number), rows)}"


def _propose_versions(prompt: str, random: Random) -> str:
    """Return tables that show where the bound is, and a message."""
    query, count = _QUERY.search(prompt), _COUNT.search(prompt)
    if query is None or count is None:
        return "?"
    name, table, number, bound = query[1], query[2], query[3], int(query[5])
    edges = [bound, bound + (1 if query[4] == ">" else -1)]
    versions = [_tables(table, (name, number), _rows(random, bound, edges)) for _ in range(int(count[1]))]
    return "\n".join([*versions, render_block("message", f"Each {name} on one side of a bound.")])


def _rows(random: Random, bound: int, numbers: Sequence[int]) -> list[Row]:
    numbers = [*numbers, *(bound - 15 + _below(random, 30) for _ in range(3))]
    first = _below(random, len(_WORDS))
    step = (1, 3, 7, 9)[_below(random, 4)]  # prime to their number, so that no word comes twice
    return [(_WORDS[(first + step * n) % len(_WORDS)], numbers[n]) for n in range(len(numbers))]


def _tables(name: str, columns: tuple[str, ...], rows: Sequence[Row]) -> str:
    return render_block("tables", write_tables([Table(name, columns, tuple(rows))]))


# --- solving ------------------------------------------------------------------------------------------------


def _solution(kind: str, prompt: str) -> str | None:
    """Return the right answer to a task of its world; None for any other."""
    try:
        return _SOLVERS[kind](prompt)
    except (LookupError, ValueError, TypeError):
        return None


def _solve_rows(prompt: str) -> str | None:
    query, [table] = _QUERY.search(prompt), _read(prompt)[0]
    if query is None or query[6] != query[1] or table.name != query[2]:
        return None
    name, number = table.columns.index(query[1]), table.columns.index(query[3])
    chosen = [row[name] for row in table.rows if _passes(row[number], query[4], int(query[5]))]
    return render_block("rows", write_rows([(cell,) for cell in sorted(map(str, chosen))], ordered=True))


def _solve_tables(prompt: str) -> str | None:
    query, header = _QUERY.search(prompt), _HEADER.search(prompt)
    if query is None or header is None or query[6] != query[1]:
        return None
    [table], rows = _table(header[1]), _rows_of(prompt)[0]
    inside = int(query[5]) + (1 if query[4] == ">" else -1)
    cells: list[dict[str, Cell]] = [{query[1]: row[0], query[3]: inside} for row in rows]
    return _tables(table.name, table.columns, [tuple(map(row.get, table.columns)) for row in cells])


def _solve_query(prompt: str) -> str | None:
    inside, outside, tables = set[int](), set[int](), _read(prompt)
    for [table], rows in zip(tables, _rows_of(prompt), strict=True):
        chosen = {row[0] for row in rows}
        for label, number in table.rows:
            (inside if label in chosen else outside).add(_whole(number))
    if min(inside) > max(outside):
        condition = f"> {max(outside)}"
    elif max(inside) < min(outside):
        condition = f"< {min(outside)}"
    else:
        return None
    [table] = tables[0]
    name, number = table.columns
    return render_block("sql", f"SELECT {name} FROM {table.name} WHERE {number} {condition} ORDER BY {name}")


_SOLVERS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "rows": _solve_rows, "tables": _solve_tables, "query": _solve_query,
}  # fmt: skip


def _read(prompt: str) -> list[tuple[Table, ...]]:
    """Return the tables of each block. Raises ValueError where they do not read, as the next ones do."""
    return [_table(part) for part in _known(blocks(prompt, "tables"))]


def _table(text: str) -> tuple[Table, ...]:
    return _known(read_tables(text, max_rows=1000))


def _rows_of(prompt: str) -> list[list[Row]]:
    return [[_known(read_row(line)) for line in part.split("\n") if line] for part in _known(blocks(prompt, "rows"))]


def _known(value: T | Refusal) -> T:
    if isinstance(value, Refusal):
        raise ValueError(str(value))
    return value


def _whole(cell: Cell) -> int:
    if not isinstance(cell, int):
        raise ValueError("not a whole number")
    return cell


def _passes(cell: Cell, sign: str, bound: int) -> bool:
    return _whole(cell) > bound if sign == ">" else _whole(cell) < bound
