"""The literal grammar by hand-written tables: what reads, what does not, what is written, what is equal."""

import builtins
import math
import subprocess
import sys
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from absolute_zero import values
from absolute_zero.values import NAN, TooLarge, Unreadable, Unserialisable, Unwritable, canonical, equal, read
from absolute_zero.values import read_arguments as arguments

INF, SOURCE = float("inf"), Path(values.__file__).parents[1]


@pytest.fixture(autouse=True)
def _silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No text makes this module warn or print."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield
    assert (warned, *capfd.readouterr()) == ([], "", "")


READS: dict[str, Any] = {
    "None": None, "True": True, "0": 0, "-0": 0, "+5": 5, "--5": 5, "1_000": 1000, "0x1F": 31, "0o17": 15,
    "0b11": 3,
    "00": 0, "1.": 1.0, ".5": 0.5, "1e3": 1000.0, "1E-3": 0.001, "1e999": INF, "-1e999": -INF, "2j": 2j,
    "1.5e1J": 15j,
    "1+2j": 1 + 2j, "(1-2.5j)": 1 - 2.5j, "-1 + 2j": -1 + 2j, "+1-2j": 1 - 2j, "-(1+2j)": -1 - 2j,
    "--(1+2j)": 1 + 2j,
    "inf": INF, "-inf": -INF, "infj": complex(0, INF), "(inf-infj)": complex(INF, -INF),
    "float('inf')": INF, 'float("-inf")': -INF, "float('+inf')": INF, "float('Infinity')": INF,
    "-float('inf')": -INF,
    "'a'": "a", '"\'"': "'", "'''a\n'b''c'''": "a\n'b''c", '"""a"""': "a", "'a' 'b'": "ab",
    "('a'\n'b')": "ab",
    r"'\x41\101\7\n\\\'\u0041\U0001F600'": "AA\7\n\\'A\U0001f600", "'a\\\nb'": "ab", r"'\ud800'": "\ud800",
    "u'a'": "a",
    r"r'\d\''": r"\d\'", r"b'\x00\377a'": b"\x00\xffa", r"Rb'\d'": rb"\d", "b'a' b'b'": b"ab", "''": "",
    "''''''": "",
    "'" + "(" * 200 + "-" * 200 + "'": "(" * 200 + "-" * 200, "'#'": "#", "'1is 2'": "1is 2",
    "[]": [], "()": (), "{}": {}, "(1)": 1, "(1,)": (1,), "1,": (1,), "1, 2": (1, 2), "[1, 2,]": [1, 2],
    "{1: 2, 'a': [3]}": {1: 2, "a": [3]}, "{1, 2, 1}": {1, 2}, "{1: 'a', True: 'b'}": {1: "b"},
    "{(1, (2,)): 3}": {(1, (2,)): 3},
    "set()": set(), "frozenset()": frozenset(), "frozenset({1})": frozenset({1}),
    "{frozenset([1])}": {frozenset({1})},
    "dict()": {}, "dict({1: 2})": {1: 2}, "dict([(1, 2)])": {1: 2}, "list((1, 2))": [1, 2],
    "list('ab')": ["a", "b"],
    "tuple([1])": (1,), "set([1, 1])": {1}, "set({1})": {1}, "frozenset(frozenset())": frozenset(),
    "list(b'a')": [97],
    " \t[\n1,\r\n # (\n 2]\n": [1, 2], "[1] # ) ' and": [1], "\f1": 1, "\n\n 1": 1,
    "[-1, -2, +3]": [-1, -2, 3],
    "'é\u2028'": "é\u2028", "9" * 4300: 10**4300 - 1,
    "{'a': (1, [2, {3}])}": {"a": (1, [2, {3}])}, "dict(a=1, b=[dict(c=2)])": {"a": 1, "b": [{"c": 2}]},
}  # fmt: skip


@pytest.mark.parametrize("text", READS)
def test_reads(text: str) -> None:
    value = read(text)
    assert type(value) is type(READS[text])
    assert value == READS[text]
    if text not in ("1,", "1, 2"):  # as arguments these are no tuple
        assert arguments(text) == ((value,), {})


UNREADABLE = [
    # Not a literal at all, in part, or twice.
    "", " ", "\n", "#", "# 1", "1 2", "1\n2", "1; 2", "1;", "x", "x = 1", "x=1", "pass", "...", "[...]",
    "1 # \n2", ">>> 1",
    # Operators, calls, comprehensions, stars, and other code.
    "1 + 1", "2 - 1", "1 + -2j", "1j + 2j", "1j + 1", "1+2j+3j", "1 + True", "True + 1j", "[] + 1j", "1 * 2j",
    "~1", "not 1",
    "-'a'", "-True", "-None", "-[]", "-set()", "+(1,)", "1 if 1 else 2", "1 and 2", "1 < 2", "1 == 1",
    "1 is 1", "(x := 1)",
    "(1:=1)", "[x for x in [1]]", "{**{}}", "{*[1]}", "[*[1]]", "*[1]", "*[1],", "f'a'", "F'{1}'", "rf''",
    "'a' f'b'", "lambda: 1",
    "__import__('os')", "open('x')", "int('1')", "eval('1')", "float('1')", "float(1)", "float()",
    "float('inf', 'inf')",
    "float(x='inf')", "float(b'inf')", "float('infinit')", "complex(1)", "set(1)", "set([1], [2])",
    "set(x=[1])", "dict({}, a=1)", "dict(a=1, a=2)", "dict(a=b)", "list(a=1)",
    "dict([1])", "dict([[[], 1]])", "dict('ab')", "list(1)", "list({1, 2})", "tuple(frozenset({1}))",
    "dict({(1, 2)})",
    "set(*[1])", "set()()", "set()[0]", "[1](2)", "[1][0]", "{}[0]", "()(1)", "(1)(2)", "'a'[0]", "'a'.b",
    "(1).real", "1 .real",
    "1..real", "inf.real", "nan(1)", "inf()", "set", "float", "infx", "INF", "NaN", "NULL", "true", "await 1",
    "(yield)", "`1`",
    "set\n()[0]", "1 if", "print(1)", "{1: 2, **{}}", "{1: 2, 3}", "{1, 2: 3}", "{:}", "{1:}", "[,]", "(,)",
    "1,,", "[1 2]", "@", "$", "?", "!",
    # Unhashable members.
    "{[]}", "{{}: 1}", "{({},)}", "{set()}", "set([[]])", "frozenset(({},))",
    # Numbers.
    "010", "1__0", "1_", "_1", "0x", "0x_", "0xg", "0b2", "0o8", "1e", "1e+", "1.2.3", "1is 2", "1if 1else 2",
    "0xfor 1", "1or 2",
    "1a", "1jj", "\uff11", "\u00b2", "\u0661", "9" * 4301, "-" + "9" * 4301, "0x" + "f" * 3572,
    "0b" + "1" * 14285, "0o" + "7" * 4762,
    "1" * 400 + "+1j",
    # Strings: unclosed, odd escapes (Python would warn), escapes that need a Unicode table, raw bytes.
    "'", "'a", "'a\nb'", "'''a''", '"""', "''''", "'a\"", r"'\d'", r"'\400'", r"'\8'", r"'\x1'", r"'\u12'",
    r"'\U00110000'",
    r"'\N{DIGIT ONE}'", r"b'\u0041'", r"b'\N'", r"b'\d'", "b'é'", "ub''", "bu''", "'a' b'b'", r"'\'", "br",
    "r'\\'", "'\\\x00'",
    # Characters.
    "1\x00", "'\x00'", "\x00", "\ud800", "'\ud800'", "\ufeff1", "1\u00a0", "\u200b1", "1\v", "1\\\n", "\\\n1",
    "1 \\", "\u2018a\u2019",
    # Structure.
    ")", "(", "][", "(]", "[)", "[1", "1]", "1)", "())", "(()", "{", "}", "1) or (2", "1)#", ")(", "-", "+",
    "1 -", "- -",
    # Bounds.
    "[" * 129 + "]" * 129, "-----1", "- + - + - 1", "-\n-#\n---1", "'" + "a" * 65_535 + "'",
    "'" + "é" * 32_768 + "'", " " * 65_536 + "1",
]  # fmt: skip


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(text)
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    assert len(message) < 300


LIMITS = [f"'{'a' * 65_534}'", f"'{'é' * 32_767}'", "----1", " " * 65_535 + "1", "[" * 128 + "]" * 128]


@pytest.mark.parametrize("text", LIMITS, ids=len)
def test_at_the_bounds(text: str) -> None:
    read(text)


def test_the_parser_never_sees_what_the_scan_can_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        "set()()", "[1][0]", "{}(", "-----1", "(x:=1)", "x==1", "[" * 129, r"'\d'", r"'\400'", r"b'\u0041'", "@",
        r"'\N{A}'", "'" * 4, "1if=1", "0xfor=1", "*a", "f(1)", "a.b", "lambda: 1", "'a", "1is 2", "1..a", "f''",
    ]  # fmt: skip

    def parser(*_: object) -> None:
        pytest.fail("the parser saw it")

    monkeypatch.setattr(values, "_compile", parser)
    for text in texts:
        for reader in (read, arguments):
            with pytest.raises(Unreadable):
                reader(text)


ARGUMENTS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "": ((), {}), "  \n": ((), {}), "# nothing": ((), {}), "1": ((1,), {}), "1,": ((1,), {}),
    "1, x=[2]": ((1,), {"x": [2]}),
    "x=1,\ny=2,": ((), {"x": 1, "y": 2}), "\n1, # one )\n2 # two (": ((1, 2), {}), "(1, 2)": (((1, 2),), {}),
    "x = -1": ((), {"x": -1}), "f=1, set=set(), inf=inf": ((), {"f": 1, "set": set(), "inf": INF}),
    "')'": ((")",), {}),
    "'#', '''\n)'''": (("#", "\n)"), {}), "1\n,\n2": ((1, 2), {}), "_a1={}": ((), {"_a1": {}}),
    "float=float('inf')": ((), {"float": INF}), "é=1, ﬁ=2": ((), {"é": 1, "fi": 2}),
}  # fmt: skip


@pytest.mark.parametrize("text", ARGUMENTS)
def test_reads_arguments(text: str) -> None:
    assert arguments(text) == ARGUMENTS[text]
    assert list(arguments(text)[1]) == list(ARGUMENTS[text][1])


NO_ARGUMENTS = [
    ",", ",1", "1,,2", "1 2", "1; 2", "1\n2", "1) or (2", "1)#", "1)#\n", ")(", "1)(2", "1), (2", "1)\n(2",
    "1) + f(2", "1).x(2", ")\nf(", "1)\\",
    "1)\n#", "1))#", "'", "1, '''", "#\n)", "1)\r#", "1)\nimport os\n(2", "1 # )\n) or (2", "*[1]", "**{}",
    "*1", "1, *[2], 3", "x for x in [1]",
    "x=1, x=2", "x=1, 2", "1=2", "'x'=1", "None=1", "True=1", "__debug__=1", "if=1", "not=1", "x:=1", "x==1",
    "x=", "=1", "x=y", "x=y=1",
    "x=1=2", "é", "é(x=1)", "x.y=1", "x[0]=1", "(x)=1", "x:1", "1:2", "lambda x=1: 1", "lambda=1", "set(x=1)",
    "1 # \u0000", "f(1)", "f()",
    "\ud800", "x=\ud800", "'" + "a" * 65_535 + "'", "x #\n=1", "x='a' 'b' c=1",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_ARGUMENTS)
def test_no_arguments(text: str) -> None:
    with pytest.raises(Unreadable):
        arguments(text)


def nan_inside(*parts: object) -> bool:
    return all(part is NAN for part in parts)


def test_every_nan_is_the_one() -> None:
    texts = ("nan", "-nan", "+nan", "float('nan')", "float('-nan')", "float('NaN')", "-float('nan')")
    assert nan_inside(*(read(text) for text in texts))
    nested: Any = read("[nan, {nan: (nan,)}]")
    assert nan_inside(nested[0], *nested[1], nested[1][NAN][0])
    assert read("{nan, -nan}") == {NAN}
    assert nan_inside(*arguments("nan, x=nan")[0])


ONE_FORM: list[tuple[object, str]] = [
    (None, "None"), (True, "True"), (7, "7"), (-7, "-7"), (0.1, "0.1"), (-0.0, "-0.0"), (1e16, "1e+16"),
    (INF, "inf"), (-INF, "-inf"),
    (-NAN, "nan"), (2j, "2j"), (complex(-0.0, 1), "(-0+1j)"), (complex(0, -0.0), "-0j"),
    (complex(-0.0, -0.0), "(-0-0j)"),
    (complex(1, -0.0), "(1-0j)"), (complex(NAN, NAN), "(nan+nanj)"), (complex(0, NAN), "nanj"),
    (complex(-INF, -INF), "(-inf-infj)"),
    (complex(-0.0, -NAN), "(-0+nanj)"), (complex(1e300, 1e-300), "(1e+300+1e-300j)"),
    (complex(0, -INF), "-infj"),
    ("a'b", '"a\'b"'), ("a'\"", "'a\\'\"'"), ("\ud800\n\x00é", "'\\ud800\\n\\x00é'"),
    (b"\x00'", 'b"\\x00\'"'), ("", "''"),
    ([], "[]"), ((), "()"), ((1,), "(1,)"), ((1, 2), "(1, 2)"), ({}, "{}"), ([[1], (2,)], "[[1], (2,)]"),
    ({"b": 1, "a": [2]}, "{'b': 1, 'a': [2]}"), (set(), "set()"), (frozenset(), "frozenset()"),
    ({2, 10, 1}, "{1, 10, 2}"),
    (frozenset({"b", "a"}), "frozenset({'a', 'b'})"),
    ({frozenset({(2,), (1,)}): {3, 1}}, "{frozenset({(1,), (2,)}): {1, 3}}"),
    ([set(), {1}, frozenset()], "[set(), {1}, frozenset()]"), ([{1: {2}}, (), [()]], "[{1: {2}}, (), [()]]"),
    ({NAN, float("nan")}, "{nan}"), ({NAN: 1, 2: 3, float("nan"): 4}, "{nan: 4, 2: 3}"),
    ([float("nan"), {}], "[nan, {}]"),
    ({(0.0, NAN), (-0.0, float("nan"))}, "{(-0.0, nan)}"),
    ({complex(NAN, 1), complex(NAN, 1.0), 1}, "{(nan+1j), 1}"),
    ({frozenset({NAN}), frozenset({float("nan")})}, "{frozenset({nan})}"), ({"nan", NAN}, "{'nan', nan}"),
    (10**4299, "1" + "0" * 4299),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), ONE_FORM, ids=[text[:40] for _, text in ONE_FORM])
def test_canonical(value: Any, text: str) -> None:
    assert canonical(value) == text
    assert canonical(read(text)) == text
    assert equal(read(text), value)


def nested(depth: int, wrap: Callable[[Any], object], core: object = 1) -> object:
    value = core
    for _ in range(depth):
        value = wrap(value)
    return value


def cyclic() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


Wrap = Callable[[Any], Any]
WRAPS: list[Wrap] = [lambda v: [v], lambda v: (v,), lambda v: {1: v}, lambda v: frozenset({v})]


@pytest.mark.parametrize("wrap", WRAPS)
def test_depth(wrap: Wrap) -> None:
    deepest: Any = nested(60, wrap, 1 + 2j)
    assert equal(read(canonical(deepest)), deepest)
    assert canonical(read(canonical(deepest))) == canonical(deepest)
    with pytest.raises(TooLarge):
        canonical(nested(61, wrap))
    with pytest.raises(TooLarge):
        canonical(nested(60, wrap, ()))


TOO_LARGE: dict[str, object] = {
    "nodes": [0] * 20_000, "nodes in a dict": dict.fromkeys(range(10_000)),
    "doubling": nested(40, lambda v: [v, v]), "cycle": cyclic(),
    "wide and shared": [[[0] * 100] * 20] * 10, "digits": 10**4300, "negative": -(10**4300),
    "digits inside": [10**4300], "many digits": [10**4299] * 16,
    "text": "a" * 65_535, "text inside": ["a" * 40_000] * 2, "bytes": b"\x00" * 20_000,
    "quoted": "\x00" * 20_000, "UTF-8": "é" * 40_000,
    "a billion nodes": [[0] * 1_000_000] * 1000, "a set": {*range(20_000)}, "escaped": "\ud800" * 15_000,
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_LARGE)
def test_too_large(name: str) -> None:
    with pytest.raises(TooLarge) as caught:
        canonical(TOO_LARGE[name])
    assert len(str(caught.value).splitlines()) == 1


def test_never_cut_and_never_one_byte_more() -> None:
    for value in (5, True, None, "abc", "é", [1, 2], {1, 2}, 10**20):
        size = len(canonical(value).encode())
        assert canonical(value, size) == canonical(value)
        with pytest.raises(TooLarge):
            canonical(value, size - 1)
    assert len(canonical("a" * 65_534, 10**9)) == 65_536
    assert canonical([0] * 19_999) == repr([0] * 19_999)
    with pytest.raises(TooLarge):
        canonical("a" * 65_535, 10**9)


def ran(*_: object) -> None:
    raise AssertionError("code of a foreign value ran")


# Every way in which a value, its type or its type's type could run code while we look at it.
SPRINGS = "__getattribute__ __hash__ __eq__ __repr__ __str__ __len__ __getitem__ __iter__ __bool__".split()
Lying: Any = type("Lying", (type,), dict.fromkeys([*SPRINGS, "__instancecheck__", "__subclasscheck__"], ran))
Liar: Any = Lying("Liar", (), dict.fromkeys(SPRINGS, ran))
Text: Any = type("Text", (str,), dict.fromkeys(SPRINGS, ran))


class Number(IntEnum):
    ONE = 1


FOREIGN: dict[str, object] = {
    "Liar": Liar(), "Text": Text("a"), "Number": Number.ONE, "Counter": Counter("a"),
    "OrderedDict": OrderedDict(a=1), "range": range(3),
    "version_info": sys.version_info, "object": object(), "type": int, "function": nested, "ellipsis": ...,
    "bytearray": bytearray(b"a"),
    "dict_keys": {}.keys(), "generator": (n for n in ()), "module": math,
    "NotImplementedType": NotImplemented, "complex_": type("complex_", (complex,), {})(),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_unserialisable(name: str) -> None:
    for value in (FOREIGN[name], [1, (FOREIGN[name],)], {1: FOREIGN[name]}):
        with pytest.raises(Unserialisable) as caught:
            canonical(value)
        assert caught.value.type_name == name
        assert type(caught.value.type_name) is str
        assert isinstance(caught.value, Unwritable)


def test_the_name_of_a_type_is_capped_and_runs_nothing() -> None:
    kind = type("A", (), {})
    for name in ("x" * 1_000_000, Text("y" * 3), "a\nb"):
        kind.__name__ = name
        with pytest.raises(Unserialisable) as caught:
            canonical([kind()])
        assert type(caught.value.type_name) is str
        assert caught.value.type_name == str.__str__(name)[:80]
        assert len(str(caught.value).splitlines()) == 1


def test_replaced_builtins_change_nothing() -> None:
    found: list[str] = []
    kept, wanted = dict(vars(builtins)), [value for value, _ in ONE_FORM]
    append = found.append  # what the test needs while they are gone
    try:
        for name in "repr type len sorted iter list dict set str zip reversed isinstance frozenset".split():
            setattr(builtins, name, None)
        for value in wanted:
            append(canonical(value))
    finally:
        builtins.__dict__.update(kept)
    assert found == [text for _, text in ONE_FORM]


DEEPEST = [*(nested(60, wrap) for wrap in WRAPS[:3]), nested(60, WRAPS[3], NAN), [{(NAN,)}]]


@pytest.mark.parametrize("value", DEEPEST)
def test_no_stack_left_is_no_other_exception(value: Any) -> None:
    text, kinds = canonical(value), set[str]()

    def rise_from_the_end() -> int:
        try:
            room = rise_from_the_end() + 1
        except RecursionError:
            room = 0
        try:
            kinds.add("written" if room > 9 or canonical(value) == text else "other")
        except TooLarge:
            kinds.add("too large")
        except RecursionError:  # at the very end `canonical` itself cannot be called
            kinds.add(f"no room for {room}")
        return room

    rise_from_the_end()
    assert {"written"} <= kinds <= {"written", "too large", "no room for 0"}


def test_other_limits_of_digits_are_no_other_exception() -> None:
    limit = sys.get_int_max_str_digits()
    try:
        for digits, written, text in ((0, 10**4300, "9" * 4301), (640, 10**1000, "9" * 1000)):
            sys.set_int_max_str_digits(digits)
            with pytest.raises(TooLarge):
                canonical([written])
            with pytest.raises(Unreadable):
                read(text)
    finally:
        sys.set_int_max_str_digits(limit)


def test_import_is_light_in_a_bare_interpreter() -> None:
    code = (
        f"import sys, re; sys.path[:0] = [{str(SOURCE)!r}]; import absolute_zero; before = {{*sys.modules}}\n"
        "import absolute_zero.values; print(sorted({*sys.modules} - before))"
    )
    out = subprocess.check_output([sys.executable, "-S", "-E", "-c", code], text=True)
    assert set(eval(out)) <= {"_ast", "absolute_zero.values", "itertools", "math"}
