"""What is raised and given by parts from outside: the words of a failure, and numbers of other libraries."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from absolute_zero.checked import call, estimator, looks, plain, policy, reward_term
from absolute_zero.checked.calls import place_of, printable, reason
from absolute_zero.keys import Key
from absolute_zero.types import Completion, Grade, Prompt, Reward, Role, Sample, Sampling, Status, UserError

REWARDS = [Reward(Role.SOLVE, "sum", prompt, 1.0) for prompt in range(2)]


class Half:
    """A number of another library, such as NumPy's float32 or a tensor of one element."""

    def __float__(self) -> float:
        return 0.5


class Broken(BaseException):
    """An exception that not even `Exception` catches, and that has no text."""

    def __str__(self) -> str:
        raise KeyError("no text")


class Level(IntEnum):
    ONE = 1


def refusal(ask: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        ask()
    assert str(caught.value).isprintable()
    return str(caught.value)


# --- what is raised -----------------------------------------------------------------------------------------


def parse_here() -> object:
    return json.loads("{")


def exit_here() -> object:
    raise SystemExit(7)


def generator_exit() -> object:
    raise GeneratorExit


def odd() -> object:
    raise Broken


def endless() -> object:
    return endless()


def line_of(function: Callable[[], object]) -> int:
    return function.__code__.co_firstlineno + 1


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (parse_here, "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (exit_here, "SystemExit: 7"),
        (generator_exit, "GeneratorExit"),
        (odd, "Broken: it has no text"),
        (endless, "RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_whatever_is_raised_is_a_line_with_the_place_in_the_file_of_the_plug_in(
    function: Callable[[], object], what: str
) -> None:
    """And not in the standard library, where some of it was raised."""
    line = refusal(lambda: call("domain 'x': check", function))
    assert line == f"domain 'x': check failed ({what}, test_checked.py:{line_of(function)}): fix it"


def test_what_no_frame_of_a_plug_in_raised_has_no_place() -> None:
    assert refusal(lambda: call("x", len, 3)) == "x failed (TypeError: object of type 'int' has no len()): fix it"
    assert place_of(ValueError("never raised")) == ""


def test_a_file_of_its_own_comes_before_a_package_that_it_uses(tmp_path: Path) -> None:
    def run(path: Path, source: str, **names: object) -> Mapping[str, Any]:
        names_ = dict(names)
        exec(compile(source, str(path), "exec"), names_)
        return names_

    library = run(tmp_path / "site-packages" / "numbers_.py", "def divide(x):\n    return 1 / x\n")
    own = run(tmp_path / "mine.py", "\n\ndef check(x):\n    return divide(x)\n", divide=library["divide"])
    assert refusal(lambda: call("x", own["check"], 0)).endswith("division by zero, mine.py:4): fix it")
    bare = run(
        tmp_path / "dist-packages" / "other.py", "def check(x):\n    return divide(x)\n", divide=library["divide"]
    )
    assert refusal(lambda: call("x", bare["check"], 0)).endswith("division by zero, numbers_.py:2): fix it")


def test_ctrl_c_is_no_failure_of_a_plug_in() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call("x", interrupted)


def test_what_it_says_itself_keeps_its_words_and_says_who_said_it() -> None:
    def opened() -> None:
        raise UserError("give me\na GPU")

    assert refusal(lambda: call("policy 'p'", opened)) == "policy 'p': give me a GPU"


@pytest.mark.filterwarnings("error")
def test_what_has_to_be_awaited_is_refused_and_leaves_no_warning() -> None:
    async def check() -> Grade:
        return Grade(Status.PASSED, 1.0)

    assert refusal(lambda: call("x: check", check)) == (
        "x: check is async, and nothing here awaits it: make it a plain function"
    )


def test_a_reason_is_short_and_printable() -> None:
    assert reason(ValueError("a\n\x1b[31m b")) == "ValueError: a  [31m b"
    assert len(reason(ValueError("x" * 1000))) == 200
    assert printable("x" * 300, None) == "x" * 300


# --- numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "number"),
    [(2, 2), (0.5, 0.5), (Half(), 0.5), (Fraction(1, 4), 0.25), (Decimal("0.5"), 0.5), (Level.ONE, 1)],
)
def test_real_numbers_become_those_of_python(part: object, number: float) -> None:
    own = plain.number(part)
    assert own == number
    assert type(own) in (int, float)


@pytest.mark.parametrize("part", [True, "1", b"1", None, 1j, [1], print, float])
def test_what_is_no_real_number_is_none(part: object) -> None:
    assert plain.number(part) is None


def test_numbers_of_numpy_become_those_of_python() -> None:
    numpy = pytest.importorskip("numpy")
    for part, number in ((numpy.float32(0.5), 0.5), (numpy.float64(1), 1.0), (numpy.int64(3), 3)):
        assert type(plain.number(part)) is type(number)
        assert plain.number(part) == number
    assert plain.number(numpy.bool_(True)) is plain.number(numpy.complex64(1)) is None
    assert plain.number(numpy.zeros(2)) is None
    assert plain.is_truth(numpy.bool_(False))
    grade = plain.grade(Grade(Status.PASSED, numpy.float64(1.0)))
    assert isinstance(grade, Grade)
    assert json.dumps([grade.score, grade.correct]) == "[1.0, true]"
    assert json.dumps(plain.metrics({"loss": numpy.float32(0.5), "n": numpy.int64(4)})) == '{"loss": 0.5, "n": 4}'
    assert plain.data({"m": numpy.float32(2), "n": (numpy.int64(1), numpy.bool_(True))}) == {"m": 2.0, "n": [1, True]}


# --- scores -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [0, 1, 0.0, 0.25, 1.0])
def test_scores_from_0_to_1_pass(score: float) -> None:
    assert looks.value(Grade(Status.PASSED, score), (Grade,)) == ""


@pytest.mark.parametrize(
    ("grade", "wrong"),
    [
        (Grade(Status.PASSED, 2.0), "a Grade whose score is 2.0 where a number from 0 to 1 was due"),
        (Grade(Status.PASSED, -0.1), "a Grade whose score is -0.1 where a number from 0 to 1 was due"),
        (Grade(Status.FAILED, 0.5),
         "a Grade that is failed with the score 0.5 where 0 was due, as only what passed has one"),
        (Grade(Status.MASKED, 1),
         "a Grade that is masked with the score 1 where 0 was due, as only what passed has one"),
    ],
)  # fmt: skip
def test_other_scores_are_refused(grade: Grade, wrong: str) -> None:
    assert looks.value(grade, (Grade,)) == wrong


# --- estimators and terms -----------------------------------------------------------------------------------


def test_an_estimator_that_fits_is_taken_at_its_word() -> None:
    def fits(state: Mapping[str, Any], rewards: Sequence[Reward]) -> Any:
        return {1: (Half(), 2)}, (Half() for _ in rewards)

    assert estimator(fits, "estimator 'e'")({}, REWARDS) == ({"1": [0.5, 2]}, [0.5, 0.5])
    assert estimator(fits, "").per_prompt is False
    setattr(fits, "per_prompt", True)
    assert estimator(fits, "").per_prompt is True


def nested(depth: int) -> list[Any]:
    part: list[Any] = []
    for _ in range(depth):
        part = [part]
    return part


@pytest.mark.parametrize(
    ("gives", "wrong"),
    [
        (None, "None where a pair of state and advantages was due"),
        ([0.0], "list where a pair of state and advantages was due"),
        ((None, [0, 0]), "a state that is None where a mapping was due"),
        (([1], [0, 0]), "a state that is list where a mapping was due"),
        (({"a": {1}}, [0, 0]), "a state with set, which JSON does not have, where plain data was due"),
        (({1: 1, "1": 2}, [0, 0]), "a state with two keys that are both '1' as texts, where plain data was due"),
        (({(1,): 1}, [0, 0]), "a state with a key that is tuple where a text was due, where plain data was due"),
        (({"a": nested(5000)}, [0, 0]), "a state with data nested more than 100 deep, where plain data was due"),
        (({"a": 10**5000}, [0, 0]), "a state with a whole number of 16610 bits, where plain data was due"),
        (({}, None), "None where advantages, one a reward, were due"),
        (({}, "00"), "str where advantages, one a reward, were due"),
        (({}, [0.0]), "1 advantages where 2, one a reward, were due"),
        (({}, [0.0, math.nan]), "an advantage that is nan where a finite number was due"),
        (({}, [0.0, -math.inf]), "an advantage that is -inf where a finite number was due"),
        (({}, [0.0, "0.5"]), "an advantage that is str where a number was due"),
        (({}, [0.0, 1e101]), "an advantage that is 1e+101 where a number of at most 1e+100 was due"),
    ],
)
def test_what_an_estimator_gives_wrongly_is_a_line(gives: Any, wrong: str) -> None:
    def given_back(state: Mapping[str, Any], rewards: Sequence[Reward]) -> Any:
        return gives

    assert refusal(lambda: estimator(given_back, "estimator 'e'")({}, REWARDS)) == (
        f"estimator 'e' gave {wrong}: fix it"
    )


@pytest.mark.parametrize(("gives", "value"), [(1, 1.0), (Half(), 0.5), (True, 1.0), (-2.5, -2.5)])
def test_a_term_that_fits_is_a_float(gives: Any, value: float) -> None:
    worth = reward_term(lambda *_: gives, "reward term 't'")(None, None, 1)
    assert worth == value
    assert type(worth) is float


@pytest.mark.parametrize(
    ("gives", "wrong"),
    [
        (None, "None where a number was due"),
        ("1", "str where a number was due"),
        (math.nan, "nan where a finite number was due"),
        (1e308, "1e+308 where a number of at most 1e+100 was due"),
    ],
)
def test_what_a_term_gives_wrongly_names_the_term(gives: Any, wrong: str) -> None:
    term = reward_term(lambda *_: gives, "reward term 't'")
    assert refusal(lambda: term(None, None, 1)) == f"reward term 't' gave {wrong}: fix it"


# --- policies -----------------------------------------------------------------------------------------------


@dataclass
class Fixed:
    """A policy that gives these."""

    rows: Any = field(default_factory=list[Any])
    metrics: Any = field(default_factory=dict[str, float])

    def sample(self, prompts: Sequence[Prompt], n: int, sampling: Sampling, keys: Sequence[Key]) -> Any:
        return self.rows

    def update(self, samples: Sequence[Sample]) -> Any:
        return self.metrics


WHOLE = Completion("ab", (1, 2), (0.0, -1.0))


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        (None, "None where a sequence was due"),
        ([], "0 results where 1 were due"),
        ([WHOLE], "Completion where a sequence was due"),
        ([[WHOLE]], "1 results where 2 were due"),
        ([[WHOLE, "ab"]], "str where Completion was due"),
        ([[WHOLE, Completion(b"ab", (), ())]], "a Completion whose text is bytes where a text was due"),  # pyright: ignore
        ([[WHOLE, Completion("ab", (1, 2), (0.0,))]], "a Completion with 1 logprobs where 2, one a token, were due"),
        ([[WHOLE, Completion("ab", "ab", (0.0,))]], "a Completion whose tokens is str where a tuple was due"),  # pyright: ignore
    ],
)  # fmt: skip
def test_completions_are_looked_at(rows: object, wrong: str) -> None:
    checked = policy(Fixed(rows), "policy 'fixed'")
    assert refusal(lambda: checked.sample([Prompt("a")], 2, Sampling(), [Key(0)])) == (
        f"policy 'fixed': sample gave {wrong}: fix it"
    )
    prompts, keys = [Prompt("a")], [Key(0)]
    by_name = policy(Fixed([[WHOLE, WHOLE]]), "policy 'fixed'").sample(
        prompts=prompts, n=2, sampling=Sampling(), keys=keys
    )
    assert by_name == [[WHOLE, WHOLE]]


@pytest.mark.parametrize(
    ("metrics", "wrong"),
    [
        (None, "None where a mapping of names to numbers was due"),
        ({"loss": "low"}, "'loss' = str where a text = a number was due"),
        ({1: 1.0}, "int where a text was due as the name of a metric"),
        ({"loss": True}, "'loss' = bool where a text = a number was due"),
    ],
)
def test_metrics_are_looked_at(metrics: object, wrong: str) -> None:
    checked = policy(Fixed(metrics=metrics), "policy 'fixed'")
    assert refusal(lambda: checked.update([])) == f"policy 'fixed': update gave {wrong}: fix it"
    assert policy(Fixed(metrics={"loss": 1, "lr": 0.5}), "").update([]) == {"loss": 1, "lr": 0.5}


class Policy:
    """A policy that gives these."""

    def __init__(self, completion: Any = None, metrics: Any = None) -> None:
        self.completion, self.metrics = completion, metrics

    def sample(self, *_: object) -> Any:
        return [[self.completion]]

    def update(self, samples: object) -> Any:
        return self.metrics


@pytest.mark.parametrize(
    ("tokens", "logprobs", "wrong"),
    [
        ((1, 2.0), (0.0, 0.0), "a token that is float where a whole number was due"),
        ((1, True), (0.0, 0.0), "a token that is bool where a whole number was due"),
        ((1, 2), (0.0, "0"), "a logprob that is str where a number was due"),
        ((1, 2), (0.0, math.nan), "a logprob of nan where a finite number of 0 or less was due"),
        ((1, 2), (0.0, -math.inf), "a logprob of -inf where a finite number of 0 or less was due"),
        ((1, 2), (-1.0, 0.5), "a logprob of 0.5 where a finite number of 0 or less was due"),
    ],
)
def test_tokens_and_logprobs_are_looked_at(tokens: Any, logprobs: Any, wrong: str) -> None:
    checked = policy(Policy(Completion("x", tokens, logprobs)), "policy 'p'")
    assert refusal(lambda: checked.sample([Prompt("a")], 1, Sampling(), [Key(0)])) == (
        f"policy 'p': sample gave a Completion with {wrong}: fix it"
    )


def test_whole_tokens_and_finite_logprobs_pass() -> None:
    numpy = pytest.importorskip("numpy")
    for tokens, logprobs in (
        ((), ()),
        ((1, 2), (0, -0.5)),
        ([1, 2], [1e-7, -0.5]),
        (tuple(numpy.array([1, 2])), tuple(numpy.array([0, -1], dtype=numpy.float32))),
    ):
        completion = Completion("x", tokens, logprobs)  # pyright: ignore[reportArgumentType]
        assert policy(Policy(completion), "").sample([Prompt("a")], 1, Sampling(), [Key(0)]) == [[completion]]


@pytest.mark.parametrize(
    ("metrics", "wrong"),
    [
        ({"loss": math.nan}, "'loss' = nan where a finite number was due"),
        ({"loss": math.inf}, "'loss' = inf where a finite number was due"),
        ({"": 1.0}, "'' where letters that can be shown were due as the name of a metric"),
        ({"a\nb": 1.0}, "'a\\nb' where letters that can be shown were due as the name of a metric"),
        ({"proposals/total/sum": 1.0},
         "'proposals/total/sum', which the loop measures itself, where another name was due"),
    ],
)  # fmt: skip
def test_metrics_that_would_be_read_wrongly_are_refused(metrics: Any, wrong: str) -> None:
    checked = policy(Policy(metrics=metrics), "policy 'p'")
    assert refusal(lambda: checked.update([])) == f"policy 'p': update gave {wrong}: fix it"


def test_metrics_become_numbers_of_python() -> None:
    numbers = policy(Policy(metrics={"loss": Half(), "n": 2}), "").update([])
    assert json.dumps(numbers) == '{"loss": 0.5, "n": 2}'
