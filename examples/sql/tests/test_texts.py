"""Tables, rows and queries as text: round trips, and no text that raises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from absolute_zero.types import Refusal
from absolute_zero_sql.queries import family_form, is_ordered, names_any, normal_form, read_query, tokens
from absolute_zero_sql.values import (
    MAX_COLUMNS,
    MAX_TABLES,
    MAX_TEXT,
    Cell,
    Table,
    is_plain,
    read_row,
    read_rows,
    read_tables,
    write_rows,
    write_tables,
)

CELLS: st.SearchStrategy[Cell] = st.one_of(
    st.none(), st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=MAX_TEXT).filter(is_plain),
)  # fmt: skip
NAMES = st.sampled_from(["t", "order", "_", "a1", "A_long_name_with_an_end_to_it", *"bcdefghijk"])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = draw(st.lists(NAMES, min_size=1, max_size=MAX_COLUMNS, unique_by=str.lower))
    rows = draw(st.lists(st.tuples(*[CELLS] * len(columns)), max_size=4))
    return Table(draw(NAMES), tuple(columns), tuple(rows))


@settings(max_examples=60)
@given(st.lists(tables(), min_size=1, max_size=MAX_TABLES, unique_by=lambda table: table.name.lower()))
def test_tables_read_back_as_they_were(written: list[Table]) -> None:
    in_order = tuple(sorted(written, key=lambda table: table.name))
    read = read_tables(write_tables(written), max_rows=4)
    assert read == in_order
    assert repr(read) == repr(in_order)  # 1 and 1.0 are equal, and are not the same


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5), st.booleans())
def test_rows_read_back_as_they_were(rows: list[tuple[Cell, Cell]], ordered: bool) -> None:
    text = write_rows(rows, ordered)
    assert read_rows(text, ordered) == text
    assert (write_rows(rows[::-1], ordered=False) == write_rows(rows, ordered=False)) is True


@given(st.text() | st.text(alphabet="t(a)'\", \n1.eE+-NUL"))
@settings(max_examples=300)
def test_any_text_gives_a_value_or_a_refusal(text: str) -> None:
    assert isinstance(read_tables(text, max_rows=3), tuple | Refusal)
    assert isinstance(read_rows(text, ordered=True), str | Refusal)
    assert isinstance(read_row(text), tuple | Refusal)


@given(st.text() | st.text(alphabet="select from t()'\";-/*\n1.`[]"))
@settings(max_examples=300)
def test_any_text_is_a_query_or_refused(text: str) -> None:
    assert isinstance(tokens(text), list | Refusal)
    assert isinstance(read_query(text, 100), str | Refusal)
    for function in (is_ordered, normal_form, family_form):
        function(text)
    names_any(text, ["t"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "0 tables"),
        ("1, 2", "the first line is not a header"),
        ("t(a)\n1, 2", "a row of 2 values"),
        ("t(a)\n1\n2\n3", "more than 2 rows"),
        ("t(a, A)", "two columns"),
        ("t(a)\nT(b)", "two tables"),
        ("t()", "is not a name"),
        ("sqlite_master(a)", "is not a name"),
        (f"t({', '.join(f'a{n}' for n in range(MAX_COLUMNS + 1))})", "columns: give at most"),
        (f"t(a)\n'{'x' * (MAX_TEXT + 1)}'", "more than 60 characters"),
        ("t(a)\nAnn", "no values in the form"),
        ("t(a)\n1 2", "no values in the form"),
        ("t(a)\n'a\tb'", "control character"),
        ("t(a)\n9223372036854775808", "more than 64 bits"),
        ("t(a)\n1e999", "too large"),
    ],
)
def test_tables_that_are_none(text: str, reason: str) -> None:
    refusal = read_tables(text, max_rows=2)
    assert isinstance(refusal, Refusal)
    assert reason in refusal.detail


def test_rows_compare_by_value() -> None:
    assert read_rows("('a', 2.0),\n('b', 0.30000000000000004)", ordered=True) == "'a', 2\n'b', 0.3"
    assert read_rows('"say ""x""", -0.0, null', ordered=True) == "'say \"x\"', 0, NULL"
    assert read_rows("2\n1\n2", ordered=False) == read_rows("2\n2\n1", ordered=False) == "1\n2\n2"
    assert read_rows("1\n2", ordered=False) != read_rows("1\n2\n2", ordered=False)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("SELECT a -- the column\nFROM t;", "SELECT a FROM t"),
        ("  WITH u AS (SELECT 1) SELECT * FROM u", "WITH u AS (SELECT 1) SELECT * FROM u"),
        ("SELECT ';' FROM t", "SELECT ';' FROM t"),
        ("SELECT a/* x */FROM t", "SELECT a FROM t"),
    ],
)
def test_queries(text: str, query: str) -> None:
    assert read_query(text, 100) == query


@pytest.mark.parametrize("text", ["", "-- SELECT", "DELETE FROM t", "SELECT 1; SELECT 2", "SELECT '", "SELECT a" * 50])
def test_queries_that_are_none(text: str) -> None:
    assert isinstance(read_query(text, 100), Refusal)


def test_what_is_alike() -> None:
    query = "SELECT p.name AS n FROM people AS p WHERE p.age <> 3 ORDER BY n"
    other = "select q.name as m\nfrom people q -- all\nwhere q.age != 3 order by m"
    assert family_form(query) == family_form(other)
    assert family_form(query) == "select $1 . name $2 from people $1 where $1 . age != 3 order by $2"
    assert normal_form(query) != normal_form(other)
    assert family_form("SELECT 'A' FROM t") != family_form("SELECT 'a' FROM t")
    assert family_form("SELECT CAST(a AS INTEGER) FROM t") != family_form("SELECT CAST(a AS TEXT) FROM t")


def test_the_order_of_a_part_is_not_that_of_the_query() -> None:
    assert is_ordered("SELECT a FROM t UNION SELECT b FROM t ORDER BY 1")
    assert not is_ordered("SELECT a, rank() OVER (ORDER BY b) FROM t")
    assert not is_ordered("SELECT 'ORDER BY' FROM t")
