"""Laws of novelty: total over whatever reads, bounded, and blind to what only a reader sees."""

import ast
import random
import re
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from absolute_zero.domains.python.novelty import (
    COMMON,
    KINDRED,
    NEAR,
    bound,
    common,
    facts,
    kindred,
    near,
    normal_form,
    probes,
    reads_input,
    written,
)
from absolute_zero.types import Result, Verdict
from absolute_zero.values import MAX_TEXT, Unreadable, Unwritable, canonical, read_arguments

ATOMS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text(max_size=9)
    | st.binary(max_size=9)
)  # fmt: skip
KEYS = ATOMS | st.tuples(ATOMS, ATOMS)


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, max_size=6)
    records = st.dictionaries(st.text("abc", max_size=3), inner, max_size=9)
    sets = st.sets(KEYS, max_size=5)
    return (
        some | some.map(tuple) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner, max_size=9) | records
        | sets | sets.map(frozenset)
    )  # fmt: skip


VALUES = st.recursive(ATOMS, _grown, max_leaves=12)
ARGUMENTS = st.builds(
    lambda values, named: ", ".join([*map(canonical, values), *(f"{k}={canonical(v)}" for k, v in named.items())]),
    st.lists(VALUES, max_size=4),
    st.dictionaries(st.sampled_from(["a", "b", "x", "key"]), VALUES, max_size=3),
)
ANY = "def f(a, b=1, *c, **d):\n    return 0"
JUNK = st.text(st.characters(codec=None) | st.sampled_from("\0()[]{},:='\"#\\\n\ud800 fdef"), max_size=60)

PROGRAMS = (
    "def f(x):\n    return x",
    "def g(a, b=2):\n    return a * b\ndef f(x, y=1):\n    z = [g(a, b=y) for a in range(x)]\n    return sum(z)",
    "class C:\n    n = 0\n    def m(self, k):\n        return k + self.n\ndef f(*x, **k):\n    return C().m(len(x))",
    "import math as m\ndef f(x):\n    match x:\n        case [a, *b]:\n            return m.floor(a), b\n    return x",
    "def f(x):\n    n = 0\n    def g():\n        nonlocal n\n        n += x\n"
    "        return (lambda x: x + n)(1)\n    return g()",
)


@given(ARGUMENTS)
@example("")
@example("nan, -0.0, infj, b''")
@settings(max_examples=40)
def test_questions_are_total_readable_and_bounded(arguments: str) -> None:
    asked = probes(arguments)
    assert asked == (*kindred(arguments), *common(arguments), *near(arguments)) == probes(arguments)
    assert KINDRED + COMMON <= len(asked) <= KINDRED + COMMON + NEAR
    for text in asked:
        assert len(text.encode("utf-8", "surrogatepass")) <= MAX_TEXT
        values, named = read_arguments(text)
        assert written(text) or not (values or named)


@given(ARGUMENTS)
@settings(max_examples=50)
def test_kindred_inputs_are_a_function_of_types(arguments: str) -> None:
    """An input of the same types, such as one of the kindred ones that keeps them, is asked the same."""
    values, named = read_arguments(arguments)
    assert kindred(written(arguments)) == kindred(arguments)
    for text in kindred(arguments):
        asked, by_name = read_arguments(text)
        assert list(map(type, asked)) == list(map(type, values))
        assert {name: type(value) for name, value in by_name.items()} == {k: type(v) for k, v in named.items()}


@given(ARGUMENTS)
@settings(max_examples=40)
def test_near_inputs_are_other_inputs(arguments: str) -> None:
    assert written(arguments) not in near(arguments)
    assert len(set(near(arguments))) == len(near(arguments))


@given(JUNK | ARGUMENTS)
@settings(max_examples=40)
def test_any_text_is_written_or_refused(text: str) -> None:
    for function in (written, probes, kindred, common, near, lambda some: bound(ANY, some)):
        try:
            function(text)
        except (Unreadable, Unwritable):
            continue


ANSWERS = st.lists(st.tuples(ARGUMENTS, VALUES.map(canonical) | st.just("")), max_size=6)


@given(st.lists(ARGUMENTS, min_size=1, max_size=3), ANSWERS)
@settings(max_examples=25)
def test_facts_are_total_and_blind_to_the_order_of_inputs(inputs: list[str], answers: list[tuple[str, str]]) -> None:
    asked, values = [ask for ask, _ in answers], [value for _, value in answers]
    results = [Result(Verdict.VALUE if value else Verdict.ERROR, value) for value in values]
    program = "def f(a=1, b=2, *c, **d):\n    return a"
    ordered = facts(program, [(argument, "1") for argument in inputs], asked, results)
    turned = facts(program, [(argument, "1") for argument in inputs[::-1]], asked, results)
    assert ordered == turned
    assert (len(ordered.family), len(ordered.exact), len(ordered.behaviour)) == (16, 16, 16)


@given(JUNK | st.builds(lambda program, size: program[:size], st.sampled_from(PROGRAMS), st.integers(0, 150)))
@settings(max_examples=40)
def test_any_text_has_a_form_or_is_unreadable(text: str) -> None:
    for function in (normal_form, reads_input):
        try:
            function(text)
        except Unreadable:
            continue


@given(st.text("()[]-+ .,:\n fxnotlambdaif", max_size=400))
@example("def f(x):\n    return " + "not " * 250 + "x")
@example("x" + ".x" * 250)
@example("[" * 59 + "]" * 59)
@example("\n".join(f"{' ' * n}if x:" for n in range(90)) + "\n" + " " * 90 + "x")
@example("x = " + "lambda: " * 200 + "x")
@example("x" + "()" * 250)
def test_a_form_is_found_however_odd_the_text(text: str) -> None:
    try:
        normal_form(text)
    except Unreadable:
        return


NAMES = re.compile(r"\b(?:[abgkmnxyz]|v\d)\b")


@given(st.sampled_from(PROGRAMS), st.integers(0, 10_000))
@settings(max_examples=60)
def test_new_names_for_variables_keep_the_form(program: str, seed: int) -> None:
    """Names that are no keyword, attribute or class member, exchanged for others one to one, all over the text."""
    kept = {"b", "n", "m", "k"} if "class" in program or "b=y" in program else set[str]()
    tree = ast.parse(program)
    kept |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words = sorted({*NAMES.findall(program)} - kept)
    new = [f"v{number}" for number in range(len(words))]
    random.Random(seed).shuffle(new)
    exchange = dict(zip(words, new, strict=True))
    other = NAMES.sub(lambda found: exchange.get(found[0], found[0]), program)
    assert normal_form(other) == normal_form(program)


@given(st.sampled_from(PROGRAMS))
def test_the_form_of_a_form_is_itself(program: str) -> None:
    form = normal_form(program)
    assert normal_form(form.replace("$", "q")) == form
