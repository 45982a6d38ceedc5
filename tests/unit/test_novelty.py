"""What goes into a program, what it is asked, and what follows: inputs by position, probes by type, behaviours."""

import pytest

from absolute_zero.domains.python.novelty import (
    COMMON,
    KINDRED,
    NEAR,
    Facts,
    bound,
    common,
    digest,
    facts,
    kindred,
    near,
    probes,
    written,
)
from absolute_zero.types import Result, Verdict
from absolute_zero.values import Unreadable, Unwritable, read_arguments

IDENTITY = "def f(x):\n    return x"


def test_a_digest_tells_sequences_apart() -> None:
    assert len(digest("a")) == 16
    assert len({digest("ab"), digest("a", "b"), digest("a\0b"), digest("a", "b", ""), digest("1:a\x001:b")}) == 5
    assert digest("\ud800") != digest("\ud801")


# --- inputs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("", ""),
        (" 1 ,2 # three\n", "1, 2"),
        ("b=2,a=[1,]", "a=[1], b=2"),
        ('"a", {"b","a"}', "'a', {'a', 'b'}"),
        ("x=0x10", "x=16"),
        ("# gold: 7\n1", "1"),
    ],
)
def test_written(text: str, one: str) -> None:
    assert written(text) == one == written(one)


def test_written_refuses_what_is_no_input() -> None:
    for text in ("1 +", "f", "x", "*[1]", "1) or (2", "lambda: 1"):
        with pytest.raises(Unreadable):
            written(text)
    with pytest.raises((Unreadable, Unwritable)):
        written("[" + "0," * 25_000 + "]")


@pytest.mark.parametrize(
    ("signature", "inputs", "same"),
    [
        ("a, b", ["1, 2", "1, b=2", "b=2, a=1", "a=1,b=2"], True),
        ("a, b=2", ["1", "1, 2", "a=1", "1, b=2"], True),
        ("a, *, k=[1, -2]", ["1", "1, k=[1, -2]", "k=[1,-2], a=1"], True),
        ("*a", ["1, 2"], True),
        ("a, **k", ["1, u=1, v=2", "1, v=2, u=1"], True),
        ("a, b", ["1, 2", "2, 1", "a=2, b=1"], False),
        ("a, /, **k", ["1, a=2", "1, a=3"], False),
        ("a, b=2", ["1", "1, 3"], False),
        ("*a", ["1, 2", "2, 1", "(1, 2)"], False),
        ("a, *b", ["1, 2", "1, 2, 3", "1"], False),
        ("a", ["1", "True", "'1'", "1.0"], False),
        ("**k", ["a=1", "b=1"], False),
        ("a, b=print", ["1", "2"], False),
        ("a, *b, c=0", ["1, 2", "1, c=2"], False),
    ],
)
def test_arguments_are_known_by_where_they_go(signature: str, inputs: list[str], same: bool) -> None:
    texts = [bound(f"def f({signature}):\n    return 0", given) for given in inputs]
    if same:
        assert len(set(texts)) == 1
    else:
        assert len(set(texts)) > 1
        assert texts.count(texts[0]) == (2 if inputs[0] == "a, b" else 1)


def test_the_names_of_parameters_do_not_matter() -> None:
    assert bound("def f(a, b=2):\n    return a", "1") == bound("def f(p, q=2):\n    return p", "q=2, p=1")


def test_a_default_that_is_deep_is_left_alone() -> None:
    for signs in (3, 240):
        text = bound(f"def f(x, y={'-' * signs}1):\n    return x", "1")
        assert text.startswith("0=1")

    def deeper(frames: int) -> str:
        return deeper(frames - 1) if frames else bound(f"def f(x, y={'-' * 240}1):\n    return x", "1")

    assert deeper(400) == "0=1"


# --- what a program is asked --------------------------------------------------------------------------------

# Recipe: recorded once. A change here changes the behaviour of every stored task: runs cannot be resumed over it.
GOLDEN = {
    "1": ("2", "29", "58"),
    "'a', [1, 2]": ("'0011000', [-1, 97, 11]", "'37629933', [29, 1, 77, 4, 3]", "'17649248', [17, 2]"),
    "{'name': 'x', 'age': 3}": (
        "{'age': 1, 'name': '36497'}",
        "{'7909290': 40, 'eryxt': '', '6187': '1', '101345': 7, 'ta': '5', 'natalzza': '011'}",
        "{'age': 2, 'name': 'aoB9'}",
    ),
    "k=(1, 'b')": ("k=(62, '235')", "k=(7, 'eb')", "k=(60, 'syahn')"),
}


@pytest.mark.parametrize("arguments", GOLDEN)
def test_kindred_inputs_are_those_they_always_were(arguments: str) -> None:
    assert kindred(arguments, count=3) == GOLDEN[arguments]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "-99"),
        ("'a'", "''"),
        ("[1, 2]", "[3]"),
        ("[1, 'a']", "['b', 2, 3, 'c']"),
        ("(1, 'a')", "(2, 'b')"),
        ("(1, 2, 3, 4, 5)", "(1, 2, 3, 4, 5, 6)"),
        ("{'a': 1}", "{'a': 2}"),
        ("{1: 'a'}", "{2: 'b', 3: 'c'}"),
        ("{1, 2}", "{3}"),
        ("1, x=2, y='a'", "5, y='b', x=3"),
        ("[[1], []]", "[[], [2], [3]]"),
        ("nan, 1j, b'a', None, True", "inf, 2j, b'', None, False"),
    ],
)
def test_equal_types_are_asked_the_same(one: str, other: str) -> None:
    assert kindred(one) == kindred(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0"), ("1", "True"), ("[1]", "(1,)"), ("[1]", "['a']"), ("{1}", "[1]"), ("(1, 2)", "(1,)"), ("1", "1, 1")],
)
def test_other_types_are_asked_something_else(one: str, other: str) -> None:
    assert kindred(one) != kindred(other)


def test_kindred_inputs_have_the_types_and_vary() -> None:
    asked = kindred("1, 'a', [2.5], k=(True, None)")
    assert len(set(asked)) == KINDRED
    for text in asked:
        (number, word, some), named = read_arguments(text)
        assert (type(number), type(word), type(some)) == (int, str, list)
        assert isinstance(some, list)
        assert all(type(member) is float for member in some)
        assert named in ({"k": (True, None)}, {"k": (False, None)})


def test_a_record_keeps_its_keys_in_every_other_question() -> None:
    asked = [read_arguments(text)[0][0] for text in kindred("[{'name': 'a', 'age': 3}]")]
    members = [member for part in asked[::2] if isinstance(part, list) for member in part]
    assert members
    for member in members:
        assert isinstance(member, dict)
        assert list(map(type, (member["name"], member["age"]))) == [str, int]


def test_each_argument_is_asked_on_its_own_type() -> None:
    """Whatever stands beside it, and whether it is passed by name."""
    alone = kindred("[1]")
    assert all(text.startswith(f"{one}, ") for text, one in zip(kindred("[1], 'a'"), alone, strict=True))
    assert kindred("k=[1]") == tuple(f"k={text}" for text in alone)


def test_near_inputs_differ_in_one_place() -> None:
    asked = near("[3, 1, 4], 'abc', k={'a': 1}")
    assert len(set(asked)) == NEAR
    for text in asked:
        values, named = read_arguments(text)
        assert sum(a != b for a, b in zip((*values, named), ([3, 1, 4], "abc", {"k": {"a": 1}}), strict=True)) == 1


@pytest.mark.parametrize("arguments", ["", "None", "[]", "None, []", "{}", "set()", "''"])
def test_where_nothing_can_be_changed_nothing_near_is_asked(arguments: str) -> None:
    assert near(arguments) == ()
    assert probes(arguments) == (*kindred(arguments), *common(arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        "[" * 60 + "]" * 60,
        "(" * 50 + "1," + "),(1,2,3)" * 50,
        "[((1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4))] , " * 100,
        "[" + "(1, 'a', [2], {'x': (3, 4)}), " * 800 + "]",
        "{'k': " * 55 + "1" + "}" * 55,
        "{" + ", ".join(f"'{'k' * 20}{n}': 1" for n in range(8)) + "}",
        "'" + "a" * 60_000 + "'",
        "[" + ", ".join(map(str, range(9_000))) + "]",
        "'abcd', " * 8_000,
        "9" * 4_000,
        "1e308, inf, -inf, nan, nan+infj",
    ],
)
def test_questions_are_readable_and_bounded(arguments: str) -> None:
    asked = probes(arguments)
    assert asked[:KINDRED] == kindred(arguments)
    for text in asked:
        read_arguments(text)
        assert len(text.encode()) <= 65_536


def test_what_is_no_argument_list_is_asked_nothing() -> None:
    with pytest.raises(Unreadable):
        probes("1 +")


# --- facts --------------------------------------------------------------------------------------------------


def results(*values: str) -> list[Result]:
    """Values; a blank is an error."""
    return [Result(Verdict.VALUE, value) if value else Result(Verdict.ERROR, detail="E") for value in values]


def of(*values: str, own: str = "1", program: str = "def f(x):\n    return x + 1", given: str = "0") -> Facts:
    """The facts of a program whose probes are 0, 1, 2 ... and gave these values."""
    asked = [str(place) for place in range(len(values))]
    return facts(program, [(given, own)], asked, results(*values))


def test_what_varies_is_not_constant() -> None:
    assert of("7", "7", own="7").constant
    assert of("7", "", "", "7", "", own="7").constant
    assert not of("7", "7", own="8").constant
    assert not of("7", "8", own="7").constant
    assert of(*["7"] * KINDRED, *["8"] * COMMON, own="7").constant  # other types are another matter
    assert not of(*["7"] * KINDRED, *["7"] * COMMON, "8", own="7").constant


def test_errors_are_no_variation_and_one_value_is_too_few() -> None:
    assert not of("", "", own="7").constant
    assert not of("7", "", own="7").constant
    assert not of("7", *[""] * (KINDRED + COMMON - 1), "7", "7", own="7").constant  # near ones may only contradict
    assert not of(own="7").constant


def test_constants_are_compared_as_answers_are_judged() -> None:
    assert of("0", "-0.0", "False", own="0.0").constant
    assert of("[0, nan]", "[False, nan]", own="[0.0, nan]").constant
    assert not of("0", "'0'", own="0").constant


def test_all_pairs_count_against_a_constant() -> None:
    assert not facts(IDENTITY, [("0", "7"), ("1", "8")], ["2", "3"], results("7", "7")).constant


def cell(*values: str, own: str = "5", program: str = "def f(x):\n    return x + 1") -> str:
    return of(*values, own=own, program=program).behaviour


def test_programs_that_give_an_argument_back_behave_alike() -> None:
    identity = cell("0", "1", "2")
    assert cell("0", "", "2", "3") == cell("0.0", "True", "2") == identity
    words = facts(IDENTITY, [("'a'", "'a'")], ["'b'", "'c'"], results("'b'", "'c'"))
    assert words.behaviour == identity
    pairs = [("1, 2", "2")]
    second = facts(IDENTITY, pairs, ["3, 4", "5, 6"], results("4", "6")).behaviour
    assert second == facts(IDENTITY, pairs, ["3, k=4", "5, k=6"], results("4", "6")).behaviour != identity
    assert facts(IDENTITY, pairs, ["3, 3", "5, 6"], results("3", "5")).behaviour == identity
    assert cell("0", "1", "3") != identity


def test_programs_with_at_most_one_value_behave_alike() -> None:
    alike = cell("7", "7", "7")
    assert cell("8", "8", "8.0") == cell("", "", "") == cell("", "0", "") == cell() == alike
    assert facts(IDENTITY, [("0", "5")]).behaviour == ""  # not run anywhere: unknown
    assert cell("7", "7", "8") != alike
    assert cell(*["7"] * KINDRED, *[""] * COMMON, "7") == alike
    assert cell(*["7"] * KINDRED, *[""] * COMMON, "8") != alike


def test_results_count_without_their_questions_unless_there_are_none() -> None:
    """Or an idle argument of an ever new type would make an ever new behaviour."""
    pairs = [("0", "1")]
    for some in (("9", "8", "9", "8"), ("9", "8", "7", "6")):
        one, other = (
            facts(IDENTITY, pairs, asked, results(*some)) for asked in (["1", "2", "3", "4"], ["5", "6", "7", "0"])
        )
        assert one.behaviour == other.behaviour
    silent = results(*[""] * 8, *[""] * COMMON, "4", "5")
    mute = [facts(IDENTITY, pairs, list(asked), silent) for asked in ("1234567800009a", "2234567800009a")]
    assert mute[0].behaviour != mute[1].behaviour


def test_near_questions_do_not_make_a_behaviour() -> None:
    values = ["1", "2", "1", "2", "1", "2", "1", "3"]
    assert cell(*values, *[""] * COMMON, "4") == cell(*values, *[""] * COMMON, "5", "6") == cell(*values)


def test_a_program_that_works_on_any_type_has_one_behaviour_on_all_of_them() -> None:
    anywhere = ["4", "3", "", "5"]
    alike = cell("1", "2", "3", "4", "5", "6", "7", "8", *anywhere)
    assert cell("9", "8", "9", "8", "9", "8", "9", "8", *anywhere, "1") == alike
    assert cell("1", "2", "3", "4", "5", "6", "7", "8", "4", "3", "2", "5") != alike
    assert cell("1", "2", "3", "4", "5", "6", "7", "8", "4", "3", "", "") == cell(*"12345678")
    assert cell("9", "8", "9", "8", "9", "8", "9", "8", "4", "4", "4", "4") == cell(*["9", "8"] * 4)


def test_common_inputs_are_as_many_arguments_of_all_sorts() -> None:
    assert len(common("1")) == len(set(common("1"))) == COMMON
    assert common("1, x=2") == common("'a', ['b']") != common("1")
    for text in common("1, 2, 3"):
        values, named = read_arguments(text)
        assert (len({type(value) for value in values}), named) == (3, {})
    assert common("") == common("1, " * 65) == ("",) * COMMON


def test_which_error_it_was_does_not_matter_but_where() -> None:
    one = facts(
        IDENTITY, [("0", "1")], ["1", "2", "3"],
        [*results("5", "6"), Result(Verdict.ERROR, detail="KeyError")],
    )  # fmt: skip
    other = facts(
        IDENTITY, [("0", "1")], ["1", "2", "3"],
        [*results("5", "6"), Result(Verdict.ERROR, detail="IndexError")],
    )  # fmt: skip
    assert one.behaviour == other.behaviour


def test_keys_know_programs_by_form_and_inputs_by_value() -> None:
    def key(program: str, *inputs: str) -> str:
        return facts(program, [(argument, "0") for argument in inputs], [], []).exact

    assert key("def f(a):\n    return a", "1") == key("def f(b):  # b\n    return b", " 1 ")
    assert key("def f(a):\n    return a", "1") == key("def f(b):\n    return b", "b=1")
    assert key(IDENTITY, "1", "2", "3") == key(IDENTITY, "3", "1", "2")
    assert key(IDENTITY, "1") != key(IDENTITY, "2")
    assert key(IDENTITY, "1") != key("def f(x):\n    return -x", "1")
    assert key(IDENTITY, "1", "1") != key(IDENTITY, "1")


def test_reads_is_the_programs() -> None:
    assert of("1", "2").reads
    assert not of("1", "2", program="def f(x):\n    return 7").reads


def test_whatever_is_written_is_bound() -> None:
    """Arguments beyond the parameters are one level deeper as a tuple, and more values together."""
    deep = "[" * 60 + "]" * 60
    many = ", ".join(["[" + "0, " * 10_010 + "0]"] * 2)
    for given in (deep, many):
        assert bound("def f(*a):\n    return len(a)", written(given)).startswith("*[")
