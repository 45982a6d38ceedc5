"""Laws of the literal grammar: what is written reads back, equal is equal, and no text whatever breaks it."""

import ast
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from absolute_zero.programs import MAX_PATH, parse_program
from absolute_zero.values import (
    MAX_TEXT,
    NAN,
    Unreadable,
    Unwritable,
    canonical,
    equal,
    read,
)
from absolute_zero.values import read_arguments as arguments

INF = float("inf")
READERS: tuple[Callable[[str], object], ...] = (read, arguments, parse_program)


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No text makes this module warn or print."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield
    assert (warned, *capfd.readouterr()) == ([], "", "")


def readable(reader: Callable[[str], object], text: str) -> bool:
    """Whether it reads. Any other exception than `Unreadable` ends the test."""
    try:
        reader(text)
    except Unreadable:
        return False
    return True


# --- values -------------------------------------------------------------------------------------------------

PARTS = st.sampled_from([0.0, -0.0, 1.0, -1.5, 1e16, INF, -INF, float("nan"), -float("nan")]) | st.floats()
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-3, 3), PARTS, st.builds(complex, PARTS, PARTS),
    st.text(st.characters(), max_size=8), st.sampled_from(["\ud800", "'\"", "\\"]), st.binary(max_size=8),
)  # fmt: skip
HASHABLE: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda part: st.lists(part, max_size=3).map(tuple) | st.frozensets(part, max_size=4), max_leaves=6
)


def containers(part: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    ordered = st.lists(part, max_size=4) | st.lists(part, max_size=3).map(tuple)
    return ordered | st.dictionaries(HASHABLE, part, max_size=4) | st.sets(HASHABLE, max_size=4)


VALUES: st.SearchStrategy[Any] = st.recursive(HASHABLE, containers, max_leaves=10)


@given(VALUES)
@example({(0.0, NAN), (-0.0, float("nan")), (0.0, -float("nan"))})
@example({complex(NAN, 1): 1, complex(float("nan"), 1): 2})
@example([complex(-0.0, -0.0), complex(0.0, -0.0), complex(-0.0, NAN), complex(NAN, -INF)])
def test_what_is_written_reads_back(value: Any) -> None:
    text = canonical(value)
    again = read(text)
    assert type(again) is type(value)
    assert equal(again, value)
    assert equal(again, value, strict=True)
    assert canonical(again) == text


@given(VALUES)
def test_python_reads_the_same(value: Any) -> None:
    """But for the sign of a complex number's zero, which arithmetic loses."""
    names = {"inf": INF, "nan": NAN, "infj": complex(0, INF), "nanj": complex(0, NAN)}
    assert equal(eval(canonical(value), names), value, strict=True)


NAMES = st.text("abXYZ_19", min_size=1).filter(str.isidentifier) | st.sampled_from(["f", "inf", "set"])


@given(st.lists(VALUES, max_size=4), st.dictionaries(NAMES, VALUES, max_size=3))
def test_arguments_come_back(positional: list[Any], named: dict[str, Any]) -> None:
    parts = [*map(canonical, positional), *(f"{name}={canonical(value)}" for name, value in named.items())]
    text = ", ".join(parts)
    for shape in (text, f"\n{text}\n", f"{text} # ) or (" if text else ""):
        found, keywords = arguments(shape)
        assert list(map(canonical, found)) == list(map(canonical, positional))
        assert [*map(canonical, keywords.values())] == [*map(canonical, named.values())]
        assert list(keywords) == list(named)


@given(VALUES)
def test_equal_is_reflexive(value: Any) -> None:
    for strict in (False, True):
        assert equal(value, value, strict=strict)
        assert equal(read(canonical(value)), read(canonical(value)), strict=strict)
        assert equal(value, value, strict=strict, rel_tol=1e-9)


MAKERS: dict[Any, Callable[[Any], Any]] = {kind: kind for kind in (list, tuple, set, frozenset)}
MAKERS[dict] = lambda pairs: dict(reversed([*pairs]))


def swapped(value: Any) -> Any:
    """The value with bools and floats for equal integers and the reverse, and dicts the other way round."""
    if type(value) in MAKERS:
        return MAKERS[type(value)](map(swapped, getattr(value, "items", lambda: value)()))
    if type(value) is float and value.is_integer():
        return int(value)
    return float(value) if type(value) in (int, bool) and abs(value) < 2**53 else value


def near(value: Any) -> st.SearchStrategy[tuple[Any, Any]]:
    return st.tuples(st.just(value), st.just(swapped(value)) | VALUES)


@given(VALUES.flatmap(near))
def test_equal_is_symmetric_and_strict_is_stricter(pair: tuple[Any, Any]) -> None:
    a, b = pair
    for strict in (False, True):
        for rel_tol in (0.0, 1e-9, 0.5):
            assert equal(a, b, strict=strict, rel_tol=rel_tol) is equal(b, a, strict=strict, rel_tol=rel_tol)
            assert equal(a, b, strict=strict, rel_tol=rel_tol) >= equal(a, b, strict=strict)
            assert equal(a, b, rel_tol=rel_tol) >= equal(a, b, strict=True, rel_tol=rel_tol)
    assert equal(a, b) >= bool(a == b)
    assert equal(a, b) is equal(read(canonical(a)), read(canonical(b)))
    assert equal(a, swapped(a))


@given(VALUES, st.integers(0, 60))
def test_a_bound_on_bytes_is_kept_to_the_byte(value: Any, limit: int) -> None:
    try:
        assert len(canonical(value, limit).encode()) <= limit
    except Unwritable:
        assert len(canonical(value).encode()) > limit


# --- equality by tables -----------------------------------------------------------------------------------

WRAPS: list[Callable[[Any], Any]] = [
    lambda v: [v], lambda v: (v,), lambda v: {1: v}, lambda v: frozenset({v}), lambda v: {v},
    lambda v: {v: 1},
    lambda v: complex(1, v), lambda v: {(complex(v, 2),): v},
]  # fmt: skip

EQUAL: list[tuple[str, str, bool, bool]] = [
    # Two texts, whether equal, whether also strictly.
    ("1", "1", True, True), ("1", "1.0", True, False), ("1", "True", True, False),
    ("0.0", "-0.0", True, True),
    ("1", "1+0j", True, False), ("1", "2", False, False), ("'1'", "1", False, False),
    ("'a'", "b'a'", False, False),
    ("[1]", "(1,)", False, False), ("[1]", "[True]", True, False), ("[1, 2]", "[2, 1]", False, False),
    ("[1]", "[1, 1]", False, False), ("{1: 2, 3: 4}", "{3: 4, 1: 2}", True, True),
    ("{1: 2}", "{1: 3}", False, False),
    ("{1: 2}", "{1.0: 2}", True, False), ("{1: 2}", "{2: 2}", False, False),
    ("{1: 2}", "{1: 2, 3: 4}", False, False),
    ("{1}", "frozenset({1})", True, False), ("{1}", "{True}", True, False), ("{1, 2}", "{2, 1}", True, True),
    ("{1}", "[1]", False, False), ("None", "False", False, False), ("0", "None", False, False),
    ("[]", "{}", False, False),
    ("nan", "nan", True, True), ("nan", "0.0", False, False), ("nan", "None", False, False),
    ("[nan]", "[nan]", True, True),
    ("{nan}", "{nan}", True, True), ("{nan: 1}", "{nan: 1}", True, True),
    ("{nan: nan}", "{nan: 1}", False, False),
    ("(nan+1j)", "(nan+1j)", True, True), ("(nan+1j)", "(nan+2j)", False, False),
    ("nanj", "nanj", True, True),
    ("nanj", "nan", False, False), ("(1+nanj)", "(2+nanj)", False, False),
    ("[nanj, [nan]]", "[nanj, [nan]]", True, True),
    ("{(nan+1j)}", "{(nan+1j)}", True, True), ("{(nan+1j): 2}", "{(nan+1j): 2}", True, True),
    ("{(1, nanj)}", "{(1, nanj)}", True, True), ("{(1, nanj)}", "{(1.0, nanj)}", True, False),
    ("nan", "(nan+0j)", True, False),
    ("{nan}", "{(nan+0j)}", True, False), ("{frozenset({nanj})}", "{frozenset({nanj})}", True, True),
    ("{nan}", "{1.0}", False, False), ("{(nan+1j)}", "{(nan+2j)}", False, False),
    ("inf", "-inf", False, False),
    ("[[[1, {2: (3,)}]]]", "[[[1, {2: (3.0,)}]]]", True, False), ("[[nan, 1]]", "[[nan, 1.0]]", True, False),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "lax", "strict"), EQUAL)
def test_equal(one: str, other: str, lax: bool, strict: bool) -> None:
    a, b = read(one), read(other)
    assert equal(a, b) is equal(b, a) is lax
    assert equal(a, b, strict=True) is equal(b, a, strict=True) is strict


def test_nans_of_other_makers_are_equal_too() -> None:
    for wrap in WRAPS:
        a, b = wrap(float("nan")), wrap(-float("nan"))
        assert equal(a, b)
        assert equal(a, b, strict=True)
        assert not equal(a, wrap(1.0))


CLOSE: list[tuple[object, object, bool]] = [
    (1.0, 1.0 + 1e-12, True), (1.0, 1.0 + 1e-6, False), ([1.0], [1.0 + 1e-12], True),
    ((1.0, {2: 1.0}), (1.0, {2: 1 + 1e-12}), True),
    ({1.0}, {1.0 + 1e-12}, False), ({1.0: 1}, {1.0 + 1e-12: 1}, False), (10**15, 10**15 + 1, False),
    (1, 1.0 + 1e-12, True),
    (1 + 1j, 1 + 1j * (1 + 1e-12), True), (1 + 1j, 1 + 2j, False), (INF, 1e308, False), (INF, INF, True),
    (NAN, 1.0, False),
    (10**400, 1.0, False), (0.0, 1e-300, False), ("1.0", "1.000000000001", False),
    ([NAN, 1.0], [float("nan"), 1 + 1e-12], True),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "close"), CLOSE)
def test_tolerance(a: Any, b: Any, close: bool) -> None:
    assert equal(a, b, rel_tol=1e-9) is equal(b, a, rel_tol=1e-9) is close
    assert equal(a, b, strict=True, rel_tol=1e-9) is (close and type(a) is type(b))


# --- any text -----------------------------------------------------------------------------------------------

PIECES = (
    "( ) [ ] { } , : = == := ' \" ''' \"\"\" \\ # \n \r\n \t \f \x00 \ud800 \u00e9 \uff11 0 1 12 1. .5 1e "
    "1e5 0x 0xf 0b1 1_0 "
    "1j j + - * ** / % @ & | ~ < > ! . ... ; -> a f if else elif not and or in is for lambda await yield "
    "None True nan "
    "inf infj set frozenset float dict list f' f\" rb' r\" f''' {x} {{ }} !r \\N{ \\x \\u 'a' b'b' 1is 1if "
    "1else def "
    "class return try: except: with import as match case _ del"
).split(" ")
SOUP = st.lists(st.sampled_from([*PIECES, " ", "\n  ", "\n    "]), max_size=40).map("".join)
ANY_TEXT = st.text(max_size=60) | SOUP | st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join)


@given(ANY_TEXT)
def test_no_text_raises_anything_else(text: str) -> None:
    for reader in READERS:
        if readable(reader, text) and reader is read:
            value = read(text)
            assert canonical(read(canonical(value))) == canonical(value)


@given(VALUES, st.data())
def test_no_damaged_text_raises_anything_else(value: Any, data: st.DataObject) -> None:
    text = canonical(value)
    cut = data.draw(st.integers(0, len(text)))
    put = data.draw(st.sampled_from(PIECES))
    skip = data.draw(st.integers(0, 3))
    for damaged in (text[:cut], text[cut:], text[:cut] + text, text[:cut] + put + text[cut + skip :]):
        for reader in READERS:
            readable(reader, damaged)


@given(VALUES, ANY_TEXT, ANY_TEXT)
def test_arguments_never_leave_their_brackets(value: Any, before: str, after: str) -> None:
    """What reads as arguments is one argument list for Python too, whatever stands around its end."""
    text = canonical(value)
    for shape in (f"{text}){after}", f"{before}({text}", f"{before}{text}{after}", f"{text}){after}({text}"):
        if readable(arguments, shape):
            [statement] = ast.parse(f"f({shape}\n)").body
            assert isinstance(statement, ast.Expr)
            assert isinstance(statement.value, ast.Call)
            assert ast.unparse(statement.value.func) == "f"


DEGENERATE = (
    "( [ { {1: ( ) ] } [[] (1, ({ [{ {( ' \" ''' \"\"\" '' 'a' \\ \\' , 1, : = x= - + -1 1+ 1- 1+1j, +- ~ "
    "not~ lambda: "
    "lambda~a,b= a a. .a () a() [0] a[ f( f(x= ** 1** * *a, a=b= 1if~1else~ 1is~ x~in~ and~or~ 1or~1and~ f' "
    "f\" f'{ "
    "f'{x}' f'{' f\"{'a'}\" {x rb' b'\\x \\x '\\N{a}' # #\n \n \r \t \f ~ \\\n \x00 \ud800 \uff11 \u00e9 1_ "
    "0x 0xf 9 1e "
    "1. . ... ; @ @a\n a;\n if~1:\n~ elif~x:\n~y\n try:\n~ set( set(), frozenset({ float('inf'), nan, None "
    "'\\''' '''\\''' "
    '"""\' with~( for~x~in~( [a~for~a~in~ await~ yield~ print~ (yield~ := (a:= 1\n,'
).split(" ")


@pytest.mark.parametrize("unit", [unit.replace("~", " ") for unit in DEGENERATE])
def test_degenerate_text(unit: str) -> None:
    """Up to 60,000 characters of the same, closed or not: an answer or `Unreadable`, and never a deep "
    "stack."""
    for count in (2, 61, 130, 1_000):
        for text in (unit * count, unit * count + "1", f"x = {unit * count}'"):
            for reader in READERS:
                readable(reader, text)
    for reader in READERS:
        readable(reader, unit * (60_000 // len(unit)) + "1")


# --- programs -----------------------------------------------------------------------------------------------


def depth(tree: ast.AST) -> int:
    level, found = [tree], 0
    while level:
        level, found = [child for node in level for child in ast.iter_child_nodes(node)], found + 1
    return found


DEEP: dict[str, Callable[[int], str]] = {
    "brackets": lambda n: "(" * n + "1" + ")" * n,
    "brackets, open": lambda n: "([" * n,
    "calls": lambda n: "f(" * n + ")" * n,
    "keywords": lambda n: "f(x=" * n + "1" + ")" * n,
    "commas between": lambda n: "f(a, " * n + "1" + ")" * n,
    "call chain": lambda n: "a" + "(1, 2)" * n,
    "subscripts": lambda n: "a" + "[0]" * n,
    "attributes": lambda n: "a" + ".b" * n,
    "of a number": lambda n: "1.0" + ".b" * n,
    "methods": lambda n: "a" + ".b(c)" * n,
    "terms": lambda n: "1" + " + a" * n,
    "lines joined": lambda n: "1" + " \\\n+ a" * n,
    "lines in brackets": lambda n: "(1" + "\n+ a" * n + ")",
    "long strings": lambda n: "x = '''(\n'''" + " + '''\n'''" * n,
    "powers": lambda n: "a ** " * n + "1",
    "signs": lambda n: "-" * n + "1",
    "not": lambda n: "not " * n + "1",
    "lambda": lambda n: "lambda: " * n + "1",
    "lambda beyond commas": lambda n: "lambda a, b=" * n + "1" + ": 1" * n,
    "ternary": lambda n: "1 if a else " * n + "1",
    "ternary without blanks": lambda n: "0b1if 0b1else " * n + "1",
    "elif": lambda n: "if a:\n  b\n" + "elif a:\n  b\n# c\n\n" * n,
    "if": lambda n: "".join(" " * i + "if a:\n" for i in range(n)) + " " * n + "b",
    "tabs": lambda n: "".join("\t" * i + "while a:\n" for i in range(n)) + "\t" * n + "b",
    "except": lambda n: "".join(f"{' ' * i}try: a\n{' ' * i}except:\n" for i in range(n)) + " " * n + "b",
    "comprehensions": lambda n: "[a for a in " * n + "b" + "]" * n,
    "generators": lambda n: "(a for a in b if " * n + "1" + ")" * n,
    "dicts": lambda n: "{1: " * n + "2" + "}" * n,
    "left of brackets": lambda n: "(" * 40 + "a" + (" + 1" * (n // 40 + 1) + ")") * 40,
    "f-string field": lambda n: "f'{" + "-" * n + "1}'",
    "f-string brackets": lambda n: "f'{" + "(" * n + "1" + ")" * n + "}'",
    "strings hide": lambda n: "f\"{ '\"' + " + "1 + " * n + "1 + '\"' }\"",
    "quotes in fields": lambda n: "f'{a['" + " + '1' " * n + "']}'",
}


@pytest.mark.parametrize("name", DEEP)
def test_no_program_goes_deep(name: str) -> None:
    make = DEEP[name]
    assert readable(parse_program, make(2)) or name in ("brackets, open", "strings hide", "quotes in fields")
    for count in (20, 60, 99, 200, 256, 257, 300, 1_000, 9_000):
        # Short programs are counted as a whole: with a comment before it none is short.
        for text in (make(count), f"# {'(,' * 200}\n{make(count)}"):
            if len(text) < MAX_TEXT and readable(parse_program, text):
                assert depth(parse_program(text)) <= 2 * MAX_PATH
                assert count <= MAX_PATH or name == "left of brackets"


FUNCTION = "def f{}(a, b=-1):\n    if a < b and not a:\n        return [c.d(a)]\n    elif a: pass\n"
ORDINARY: dict[str, str] = {
    "empty": "",
    "functions": "".join(map(FUNCTION.format, range(450))),
    "numbers": "x = [" + ", ".join(map(str, range(-2_500, 2_500))) + "]",
    "dict": "x = {" + ", ".join(f"{n}: 'a{n}'" for n in range(3_000)) + "}",
    "rows": "x = [\n" + "    [1, -2, (3, 4), {5: 6}],\n" * 1_500 + "]",
    "calls": "f(" + "a.b(c)[0], " * 3_000 + ")",
    "elif": "def f(a):\n    if a: b\n    elif b: c\n" * 600,
    "statements": "a = b.c + 1; " * 2_000,
    "joined lines": "x = 1 + \\\n    2\n" * 500,
    "brackets in strings": "x = '([{'\n" * 2_000,
    "quotes in strings": "x = '\\'([' + \"\\\"([\"\n" * 1_000,
    "long string": "x = '" + "(" * 60_000 + "'",
    "docstrings": "'''it's ([{'''\nx = 1\n" * 2_000,
    "comments": "# don't (((\nx = 1\n" * 2_000,
    "f-strings": "x = f\"{a['b']} it's {c!r:>{d}} {{}} {', '.join(e)}\"\n" * 800,
    "CRLF": "def f(a):\r\n\treturn a\r\n" * 500,
    "form feed": "\f\nx = 1\n\f\n" * 200,
    "not ASCII": "é = 'ü'\n" * 1_000,
    "warned of": "x = re.match('\\d+\\.', a) if 1or b else 1if c else 2\n" * 3,
    "escapes": "x = '\\d'\n",
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_programs_pass(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = ast.dump(ast.parse(ORDINARY[name]))
    assert ast.dump(parse_program(ORDINARY[name])) == expected


NO_PROGRAM = [
    "x =", "def f(:", "return\n  1", "\x00", "x = '\ud800'", "'", "if a:\nb", "if a:\n\tx\n        y",
    "1 = 2", "(]",
    "x = 9" + "9" * 5_000, "#" * 65_537, "#é" * 22_000,
]  # fmt: skip


@pytest.mark.parametrize("text", NO_PROGRAM, ids=range(len(NO_PROGRAM)))
def test_no_program(text: str) -> None:
    assert not readable(parse_program, text)


@given(SOUP, st.integers(1, 40))
def test_no_accepted_program_is_deep(text: str, times: int) -> None:
    for program in (text * times, text * times * 10, ("(" + text) * times + ")" * times):
        if readable(parse_program, program):
            assert depth(parse_program(program)) <= 2 * MAX_PATH
