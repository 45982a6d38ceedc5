"""Tables and rows as text, in the literals of SQL: `NULL`, numbers, and 'text'.

    people(name, age)
    'Ann', 31
    'Bob', NULL

Promises: reading takes any string and gives a value or a `Refusal`, in time linear in its length, and runs nothing;
what `write_tables` writes reads back as it was. Rows compare by value: numbers count to nine digits, 2.0 is 2, and the
text of a row is the same for all that compare equal, so that results are compared as texts.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from absolute_zero.types import Refusal

Cell = None | int | float | str
Row = tuple[Cell, ...]

_HEADER: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*) ?\(([A-Za-z0-9_, ]*)\):?")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,29}")
_LITERAL: Final = re.compile(
    r"\s*(?:(?P<null>NULL)|(?P<number>[+-]?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?)"
    r"|'(?P<single>(?:[^']|'')*)'|\"(?P<double>(?:[^\"]|\"\")*)\")\s*(?P<comma>,|$)",
    re.IGNORECASE,
)
MAX_TABLES: Final = 4
MAX_COLUMNS: Final = 8
MAX_TEXT: Final = 60
"""Characters of one text in a table."""


@final
@dataclass(frozen=True, slots=True)
class Table:
    """One table. Its columns have no types: a cell is what it was written as."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def header(self) -> str:
        """Its first line: name and columns."""
        return f"{self.name}({', '.join(self.columns)})"


def read_tables(text: str, max_rows: int) -> tuple[Table, ...] | Refusal:
    """Return the tables of a text, in the order of their names, or why it has none.

    >>> read_tables("t(a)\\n1\\n2", max_rows=5)
    (Table(name='t', columns=('a',), rows=((1,), (2,))),)
    """
    parts: list[tuple[str, tuple[str, ...], list[Row]]] = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        if header := _HEADER.fullmatch(line):
            parts.append((header[1], tuple(name.strip() for name in header[2].split(",")), []))
            continue
        row = read_row(line)
        if isinstance(row, Refusal):
            return row
        if not parts:
            return Refusal("tables", "the first line is not a header such as people(name, age)")
        name, columns, rows = parts[-1]
        if len(row) != len(columns):
            return Refusal("tables", f"{name} has {len(columns)} columns, and a row of {len(row)} values")
        if len(rows) >= max_rows:
            return Refusal("tables", f"{name} has more than {max_rows} rows")
        rows.append(row)
    tables = sorted((Table(name, columns, tuple(rows)) for name, columns, rows in parts), key=lambda table: table.name)
    return _unfit(tables) or tuple(tables)


def _unfit(tables: Sequence[Table]) -> Refusal | None:
    if not 1 <= len(tables) <= MAX_TABLES:
        return Refusal("tables", f"{len(tables)} tables: give 1 to {MAX_TABLES}")
    for table in tables:
        if len(table.columns) > MAX_COLUMNS:
            return Refusal("tables", f"{table.name} has {len(table.columns)} columns: give at most {MAX_COLUMNS}")
        names = [table.name, *table.columns]
        if bad := [name for name in names if not _NAME.fullmatch(name) or name.lower().startswith("sqlite_")]:
            return Refusal("tables", f"{bad[0]!r} is not a name for a table or column")
        if _repeats(table.columns):
            return Refusal("tables", f"two columns of {table.name} have one name")
        if any(isinstance(cell, str) and len(cell) > MAX_TEXT for row in table.rows for cell in row):
            return Refusal("tables", f"a text in {table.name} has more than {MAX_TEXT} characters")
    if _repeats([table.name for table in tables]):
        return Refusal("tables", "two tables have one name")
    return None


def _repeats(names: Sequence[str]) -> bool:
    return len({name.lower() for name in names}) < len(names)


def read_row(line: str) -> Row | Refusal:
    """Return the cells of one line, which may stand in brackets as in a `VALUES` list.

    >>> read_row("('Ann', 31),")
    ('Ann', 31)
    """
    text = line.strip().removesuffix(";").rstrip().removesuffix(",").rstrip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].rstrip()
    cells: list[Cell] = []
    position, more = 0, True
    while more:
        literal = _LITERAL.match(text, position)
        if literal is None:
            return Refusal("row", f"no values in the form 'Ann', 31, NULL: {text[position : position + 40]!r}")
        cell = _cell(literal)
        if isinstance(cell, Refusal):
            return cell
        cells.append(cell)
        position, more = literal.end(), literal["comma"] == ","
    return tuple(cells)


def _cell(literal: re.Match[str]) -> Cell | Refusal:
    if literal["null"]:
        return None
    if number := literal["number"]:
        value = float(number) if re.search(r"[.eE]", number) else int(number)
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            return Refusal("row", "a whole number of more than 64 bits")
        return value if math.isfinite(value) else Refusal("row", "a number that is too large")
    double = literal["double"]
    text = literal["single"].replace("''", "'") if double is None else double.replace('""', '"')
    return text if is_plain(text) else Refusal("row", "a text with a control character")


def is_plain(text: str) -> bool:
    """Return whether a text can stand on a line: no control characters, line ends or halves of surrogate pairs."""
    return all(character.isprintable() or character == " " for character in text)


def write_tables(tables: Sequence[Table]) -> str:
    """Return the text that `read_tables` reads back.

    >>> print(write_tables([Table("t", ("a", "b"), ((1.0, "it's"), (None, "")))]))
    t(a, b)
    1.0, 'it''s'
    NULL, ''
    """
    return "\n".join(line for table in tables for line in (table.header, *map(_write_row, table.rows)))


def _write_row(row: Row) -> str:
    return ", ".join(map(_write_cell, row))


def _write_cell(cell: Cell) -> str:
    if cell is None:
        return "NULL"
    if isinstance(cell, str):
        return "'" + cell.replace("'", "''") + "'"
    return repr(cell)


# --- results ------------------------------------------------------------------------------------------------


def read_rows(text: str, ordered: bool) -> str | Refusal:
    """Return the rows of an answer as `write_rows` writes them, or why it has none.

    >>> read_rows("2.0\\n1", ordered=False)
    '1\\n2'
    """
    rows: list[Row] = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        row = read_row(line)
        if isinstance(row, Refusal):
            return row
        rows.append(row)
    return write_rows(rows, ordered)


def write_rows(rows: Sequence[Sequence[Cell]], ordered: bool) -> str:
    """Return the rows as text, one a line. Without an order they are a multiset, and written in the order of texts.

    >>> write_rows([(2.0, "b"), (0.1 + 0.2, "a")], ordered=False)
    "0.3, 'a'\\n2, 'b'"
    """
    lines = [_write_row(tuple(map(_by_value, row))) for row in rows]
    return "\n".join(lines if ordered else sorted(lines))


def _by_value(cell: Cell) -> Cell:
    """Nine digits of a fraction: sums of fractions depend on the order of the rows in the last ones."""
    if not isinstance(cell, float):
        return cell
    rounded = float(f"{cell:.9g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
