"""What a plug-in's part gives is looked at: whatever does not fit is one line, and what fits passes as it is."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from absolute_zero.checked import CheckedDomain
from absolute_zero.keys import Key
from absolute_zero.types import (
    Grade,
    Identity,
    Message,
    Prompt,
    Proposal,
    Status,
    Task,
    UserError,
)

TASK = Task("sum", "1+1")
PASSED = Grade(Status.PASSED, 1.0)


@dataclass
class Outcome:
    ok: Any = True
    lost: Any = False


class Unhashed:
    __hash__ = None  # pyright: ignore


class Incomparable:
    """A job that can be hashed, and not compared."""

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("like nothing")


class Part:
    """A part whose calls give what `gives` has for them, by name; an exception is raised."""

    def __init__(self, gives: Mapping[str, Any], **attributes: Any) -> None:
        self.gives = gives
        for name, value in attributes.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in self.gives:
            raise AttributeError(name)

        def give(*_: object, **__: object) -> Any:
            if isinstance(self.gives[name], Exception):
                raise self.gives[name]
            return self.gives[name]

        return give


GOOD: Mapping[str, Any] = {
    "propose_prompt": Prompt("More?", opens_thought=True),
    "parse_proposal": Proposal("sum", 3),
    "build_task": TASK,
    "probe": None,
    "identity": Identity("a", "b", "c"),
    "solve_prompt": Prompt(messages=(Message("user", "1+1"),)),
    "check": ("job", 1),
    "check_result": PASSED,
    "show": [("answer", "2")],
}


def domain(task_type: Mapping[str, Any] | None = None, more: Mapping[str, Any] | None = None, **of_type: Any) -> Any:
    """A domain of one kind, `sum`, as it is seen through the checks; and asked for its task types once."""
    part = Part(
        {**GOOD, **(task_type or {})}, **{"kind": "sum", "sources": ("sum",), "max_references": None, **of_type}
    )
    gives = {"task_types": [part], "open_executor": Part({"run": [Outcome()]}, close=print), **(more or {})}
    whole = CheckedDomain(Part(gives, name="sums"), "domain 'sums'")
    whole.task_types(None)
    return whole


def refusal(ask: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        ask()
    text = str(caught.value)
    assert text.isprintable()
    assert text.endswith(": fix it")
    return text.removesuffix(": fix it")


# --- task types ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "propose_prompt": [Prompt(""), Prompt("a")],
        "parse_proposal": [Proposal("sum", "job", "x"), Grade(Status.FAILED), Grade(Status.MALFORMED, reason="no")],
        "build_task": [TASK, Grade(Status.NEUTRAL), Grade(Status.MASKED)],
        "probe": [None, 0, "job", ("a", 1)],
        "identity": [Identity(), Grade(Status.FAILED, reason="dull", detail="It is.")],
        "check": [PASSED, Grade(Status.PASSED, 1), 0, "job", (1, "a")],
        "show": [[], [("a", "b")], ((["a", "b"]),)],
    }.items(),
)
def test_what_fits_passes_as_it_is(name: str, values: Sequence[Any]) -> None:
    for value in values:
        [task_type] = domain({name: value}).task_types(None)
        assert getattr(task_type, name)("any", "thing") is value


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("propose_prompt", None, "None where Prompt was due"),
        ("propose_prompt", "a text", "str where Prompt was due"),
        ("solve_prompt", Prompt(b"a"), "a Prompt whose text is bytes where a text was due"),  # pyright: ignore
        ("solve_prompt", Prompt("a", (Message("user", "b"),)),
         "a Prompt with both text and messages where only one was due"),
        ("solve_prompt", Prompt(messages=(("user", "b"),)), "a Prompt with tuple where Message was due"),  # pyright: ignore
        ("solve_prompt", Prompt(messages=(Message("user", 1),)),  # pyright: ignore
         "a Prompt with a Message whose content is int where a text was due"),
        ("solve_prompt", Prompt(messages=[Message("user", "b")]),  # pyright: ignore
         "a Prompt whose messages is list where a tuple of Message was due"),
        ("solve_prompt", Prompt("a", opens_thought=1),  # pyright: ignore
         "a Prompt whose opens_thought is int where True or False was due"),
        ("parse_proposal", TASK, "Task where Proposal or Grade was due"),
        ("parse_proposal", Proposal("sun", 1), "a Proposal of kind 'sun' where 'sum' was due"),
        ("parse_proposal", Proposal("sum", [1]), "a Proposal whose job is list where a hashable job was due"),
        ("parse_proposal", Proposal("sum", 1, 2), "a Proposal whose payload is int where a text was due"),  # pyright: ignore
        ("parse_proposal", PASSED,
         "a Grade that is passed where Proposal, or a Grade that says why there is none, was due"),
        ("build_task", PASSED, "a Grade that is passed where Task, or a Grade that says why there is none, was due"),
        ("build_task", Task("sun", "1"), "a Task of kind 'sun' where 'sum' was due"),
        ("build_task", Task("sum", {}), "a Task whose payload is dict where a text was due"),  # pyright: ignore
        ("build_task", Task("sum", "1", id=7), "a Task whose id is 7 where nothing was due, as the loop fills it in"),
        ("build_task", Task("sum", "1", trials="x"),  # pyright: ignore
         "a Task whose trials is str where nothing was due, as the loop fills it in"),
        ("build_task", Task("sum", "1", references=(1,)),
         "a Task whose references is tuple where nothing was due, as the loop fills it in"),
        ("build_task", Task, "the class Task where Task or Grade was due"),
        ("build_task", Task("sum", "1", title=None), "a Task whose title is None where a text was due"),  # pyright: ignore
        ("build_task", Task("sum", "1", label=3), "a Task whose label is int where a text was due"),  # pyright: ignore
        ("build_task", Task("sum", "1", family=3), "a Task whose family is int where a text was due"),  # pyright: ignore
        ("build_task", Task("sum", "1", group=3), "a Task whose group is int where a text was due"),  # pyright: ignore
        ("build_task", Grade("failed"), "a Grade whose status is str where a Status was due"),  # pyright: ignore
        ("probe", {}, "dict where a hashable job, or None, was due"),
        ("identity", "digest", "str where Identity or Grade was due"),
        ("identity", Identity(7), "an Identity whose exact is int where a text was due"),  # pyright: ignore
        ("identity", PASSED, "a Grade that is passed where Identity, or a Grade that says why there is none, was due"),
        ("check", None, "None where Grade, or a hashable job, was due"),
        ("check", Grade, "the class Grade where Grade, or a hashable job, was due"),
        ("check", Unhashed(), "Unhashed where Grade, or a hashable job, was due"),
        ("probe", Counter, "the class Counter where a hashable job, or None, was due"),
        ("check", Grade(Status.PASSED, 2.0), "a Grade whose score is 2.0 where a number from 0 to 1 was due"),
        ("check_result", Grade(Status.FAILED, 0.5),
         "a Grade that is failed with the score 0.5 where 0 was due, as only what passed has one"),
        ("check", True, "bool where Grade, or a hashable job, was due"),
        ("check", Status.PASSED, "Status where Grade, or a hashable job, was due"),
        ("check", ["job"], "list where Grade, or a hashable job, was due"),
        ("check", Grade(Status.PASSED, float("nan")), "a Grade whose score is nan where a finite number was due"),
        ("check", Grade(Status.PASSED, True), "a Grade whose score is bool where a finite number was due"),
        ("check", Grade(Status.PASSED, "1"), "a Grade whose score is str where a finite number was due"),  # pyright: ignore
        ("check_result", 1, "int where Grade was due"),
        ("check_result", Grade(Status.FAILED, reason=None), "a Grade whose reason is None where a text was due"),  # pyright: ignore
        ("check_result", Grade(Status.FAILED, detail=ValueError()),  # pyright: ignore
         "a Grade whose detail is ValueError where a text was due"),
        ("show", "text", "str where a sequence was due"),
        ("show", [("answer", 2)], "tuple where a pair of texts was due"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_a_line(name: str, value: object, wrong: str) -> None:
    [task_type] = domain({name: value}).task_types(None)
    assert refusal(lambda: getattr(task_type, name)("any", "thing")) == f"domain 'sums': sum: {name} gave {wrong}"


@pytest.mark.parametrize("job", [Incomparable(), (1, Incomparable())])
def test_a_job_that_cannot_be_compared_is_a_line(job: object) -> None:
    for name in ("check", "probe"):
        [task_type] = domain({name: job}).task_types(None)
        assert refusal(lambda: getattr(task_type, name)(TASK, "2")).startswith(  # noqa: B023
            f"domain 'sums': sum: {name} failed (RuntimeError: like nothing, test_checked_parts.py:"
        )


def test_a_score_of_another_library_is_a_number_of_python() -> None:
    for name in ("check", "check_result"):
        [task_type] = domain({name: Grade(Status.PASSED, Fraction(1, 2))}).task_types(None)  # pyright: ignore
        grade = getattr(task_type, name)(TASK, "2")
        assert (grade, type(grade.score)) == (Grade(Status.PASSED, 0.5), float)


def test_classes_and_what_cannot_be_called_are_no_parts() -> None:
    line = refusal(lambda: domain(None, {"task_types": [Part]}))
    assert line == "domain 'sums': task_types gave the class Part where an instance was due"
    line = refusal(lambda: domain(None, {"open_executor": Part}).open_executor(None))
    assert line == "domain 'sums': open_executor gave the class Part where an instance was due"


def test_what_is_raised_is_a_line_with_its_place() -> None:
    [task_type] = domain({"check": KeyError("a\nb")}).task_types(None)
    line = refusal(lambda: task_type.check(TASK, "2"))
    assert line.startswith("domain 'sums': sum: check failed (KeyError: 'a\\nb', test_checked_parts.py:")
    [task_type] = domain({"check": UserError("Mine.")}).task_types(None)
    with pytest.raises(UserError, match=r"^domain 'sums': sum: check: Mine\.$"):
        task_type.check(TASK, "2")


def test_a_class_that_cannot_be_looked_at_is_a_line() -> None:
    class Odd:
        @property
        def ok(self) -> bool:
            raise ZeroDivisionError("odd")

    executor = domain(None, {"open_executor": Part({"run": [Odd()]})}).open_executor(None)
    assert refusal(lambda: executor.run([1])).startswith("domain 'sums': executor: run failed (ZeroDivisionError: odd")


@pytest.mark.parametrize(
    ("attribute", "value", "wrong"),
    [
        ("sources", "sum", "str where a sequence was due"),
        ("sources", (1,), "int where a text was due"),
        ("max_references", -1, "-1 where a whole number of 0 or more, or None, was due"),
        ("max_references", 1.0, "float where a whole number of 0 or more, or None, was due"),
    ],
)
def test_references_are_asked_for_rightly(attribute: str, value: Any, wrong: str) -> None:
    assert refusal(lambda: domain(**{attribute: value})) == f"domain 'sums': sum: {attribute} gave {wrong}"


# --- domains ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("seeds", None, "None where a sequence was due"),
        ("seeds", (task for task in [TASK]), "generator where a sequence was due"),
        ("seeds", [Proposal("sum", 1)], "Proposal where Task was due"),
        ("seeds", [TASK, Task("sun", "1")], "a Task of kind 'sun' where 'sum' was due"),
        ("suites", [TASK], "list where a mapping of names to tasks was due"),
        ("suites", {1: [TASK]}, "int where a text was due (suite 1)"),
        ("suites", {"held_out": TASK}, "Task where a sequence was due (suite 'held_out')"),
        ("suites", {"held_out": [Task("sun", "1")]}, "a Task of kind 'sun' where 'sum' was due (suite 'held_out')"),
        ("suites", {"held_out": [Task("sum", 1)]},  # pyright: ignore
         "a Task whose payload is int where a text was due (suite 'held_out')"),
        ("suites", {"held_out": []}, "no tasks where one or more were due (suite 'held_out')"),
        ("suites", {"held_out": [TASK, Task("sum", "2+2"), TASK]},
         "the same sum task twice, as numbers 1 and 3, where each was due once (suite 'held_out')"),
        ("suites", {"held\nout": [TASK]},
         "'held\\nout' where letters that can be shown were due (suite 'held\\nout')"),
        ("suites", {"held_out": [Task("sum", "1+1", step=3)]},
         "a Task whose step is 3 where nothing was due, as the loop fills it in (suite 'held_out')"),
        ("read_row", [], "none where a task or more were due"),
        ("held_out", [], "none where a family or more were due"),
        ("held_out", ["a", ""], "an empty family where a family or more were due"),
        ("read_row", TASK, "Task where a sequence was due"),
        ("read_row", ["sum"], "str where Task or Proposal was due"),
        ("read_row", [Proposal("sun", 1)], "a Proposal of kind 'sun' where 'sum' was due"),
        ("held_out", "family", "str where a sequence was due"),
        ("held_out", [1], "int where a text was due"),
        ("worked_examples", [Prompt("a")], "Prompt where a pair of question and text was due"),
        ("worked_examples", [(Prompt("a"), 1)], "int where a text was due"),
    ],
)  # fmt: skip
def test_what_a_domain_brings_is_looked_at(name: str, value: object, wrong: str) -> None:
    arguments = {"seeds": (), "suites": (), "worked_examples": ("sum", "solve", None)}.get(name, ({},))
    whole = domain(None, {name: value})
    assert refusal(lambda: getattr(whole, name)(*arguments)) == f"domain 'sums': {name} gave {wrong}"


def test_what_a_domain_leaves_out_is_empty() -> None:
    whole = domain()
    assert (whole.seeds(), whole.suites(), whole.worked_examples("sum", "solve", None)) == ((), {}, ())
    with pytest.raises(UserError, match="it has no read_row"):
        whole.read_row({})


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (None, "None where a sequence was due"),
        (iter([Outcome()]), "list_iterator where a sequence was due"),
        ([], "0 results where 1 were due"),
        ([None], "an outcome (None) whose ok is None where True or False was due"),
        (
            [Outcome(ok=print)],
            "an outcome (Outcome) whose ok is builtin_function_or_method where True or False was due",
        ),
        ([Outcome(lost=None)], "an outcome (Outcome) whose lost is None where True or False was due"),
    ],
)
def test_outcomes_are_looked_at(value: object, wrong: str) -> None:
    executor = domain(None, {"open_executor": Part({"run": value})}).open_executor(None)
    assert refusal(lambda: executor.run(["job"])) == f"domain 'sums': executor: run gave {wrong}"


def test_truths_of_numpy_are_truths() -> None:
    numpy = pytest.importorskip("numpy")
    outcome = Outcome(numpy.bool_(True), numpy.bool_(False))
    assert domain(None, {"open_executor": Part({"run": [outcome]})}).open_executor(None).run([1]) == [outcome]


def test_a_failure_of_the_executor_names_the_calls_that_gave_its_jobs() -> None:
    whole = domain({"check": (1, 2), "probe": (3, 4)}, {"open_executor": Part({"run": TypeError("no shape")})})
    [task_type], executor = whole.task_types(None), whole.open_executor(None)
    task_type.probe(TASK, Key(0))  # which never gets to the executor
    proposal, job = task_type.parse_proposal([], "2"), task_type.check(TASK, "2")
    for jobs, whose in (
        ([job], " (jobs of sum: check)"),
        ([proposal.job, job], " (jobs of sum: parse_proposal, sum: check)"),
        ([(5, 6)], ""),
    ):
        line = refusal(lambda: executor.run(jobs))  # noqa: B023
        assert line.startswith(f"domain 'sums': executor: run{whose} failed (TypeError: no shape, ")


def test_what_a_domain_says_of_a_row_is_passed_on_as_it_is() -> None:
    for name in ("read_row", "held_out"):
        whole = domain(None, {name: UserError("number: give one")})
        with pytest.raises(UserError, match=r"^number: give one$"):
            getattr(whole, name)({})


def test_what_is_none_is_left_out() -> None:
    part = Part({"task_types": [], "open_executor": None}, name="sums", read_row=None, held_out=None, suites=None)
    whole = CheckedDomain(part, "domain 'sums'")
    assert whole.suites() == {}
    for read in (whole.read_row, whole.held_out):
        with pytest.raises(UserError, match=r"it has no (read_row|held_out)$"):
            read({})


def test_the_level_of_an_executor_is_a_text() -> None:
    assert domain(None, {"open_executor": Part({}, level="process")}).open_executor(None).level == "process"
    line = refusal(lambda: domain(None, {"open_executor": Part({}, level=3)}).open_executor(None))
    assert line == "domain 'sums': executor: level gave int where a text was due"
    line = refusal(lambda: domain(None, {"open_executor": Part({}, level="a\x1b[2J")}).open_executor(None))
    assert line == "domain 'sums': executor: level gave 'a\\x1b[2J' where letters that can be shown were due"
