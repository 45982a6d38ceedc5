"""What induction adds to the contract of a task type: inputs that differ, results that differ, a message of prose."""

import pytest

from absolute_zero import text
from absolute_zero.config import Config
from absolute_zero.domains.python import DOMAIN, read_payload, task_of
from absolute_zero.domains.python.payload import DEDUCTION, INDUCTION
from absolute_zero.ports import TaskType
from absolute_zero.types import Grade, Job, Outcome, Proposal, Result, Status, Task, Verdict

TWO = "def f(x, y=0):\n    return [x, y]"


def induction(inputs: int = 4, **more: object) -> TaskType:
    settings = {"templates": "compact", "python": {"inputs": inputs, "message_characters": 40, **more}}
    return DOMAIN.task_types(Config.model_validate(settings))[2]


def about(program: str) -> list[Task]:
    """The one reference that a proposer is shown."""
    return [task_of(DEDUCTION, program, [("1", "[1, 0]")])]


def parsed(inputs: list[str], message: str = "A hint.", program: str = TWO) -> Proposal | Grade:
    answer = text.render_inputs_and_message(inputs, message)
    return induction(len(inputs)).parse_proposal(about(program), answer)


def reason(grade: object) -> tuple[Status, str]:
    assert isinstance(grade, Grade), grade
    return grade.status, grade.reason


# --- inputs that differ -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", " 1 # again"),
        ("1", "x=1"),
        ("1", "1, 0"),
        ("1, 2", "y=2, x=1"),
        ("'a'", '"a"'),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
        ("{1, 2}", "{2, 1}"),
        ("nan", "-nan"),
        # No hidden pair equals a visible one. Equal is what the judge calls equal, as
        # CPython's `==` does: f(1), f(True) and f(1.0) nearly always agree, and one would show the other's answer.
        ("1", "True"),
        ("1", "1.0"),
        ("[0, (2,)]", "[False, (2.0,)]"),
        ("0.0", "-0.0"),
    ],
)
def test_equal_inputs_are_one(one: str, other: str) -> None:
    assert reason(parsed([one, "7", "8", other])) == (Status.FAILED, "repeated_input")


@pytest.mark.parametrize(("one", "other"), [("1", "'1'"), ("1", "[1]"), ("[1]", "(1,)"), ("1", "1, 1"), ("''", "None")])
def test_other_inputs_are_others(one: str, other: str) -> None:
    assert isinstance(parsed([one, "7", "8", other]), Proposal)


def test_there_are_exactly_so_many() -> None:
    task_type, references = induction(4), about(TWO)
    for count in (0, 3, 5):
        answer = text.render_inputs_and_message(list(map(str, range(count))), "A hint.")
        assert reason(task_type.parse_proposal(references, answer)) == (Status.MALFORMED, "count")


def test_an_input_that_does_not_read_is_the_proposers_fault() -> None:
    assert reason(parsed(["1", "2", "3", "y"])) == (Status.FAILED, "invalid_input")
    assert reason(parsed(["1", "2", "3", "'" + "a" * 70_000 + "'"])) == (Status.FAILED, "invalid_input")


# --- results that differ ------------------------------------------------------------------------------------


def built(count: int, *outputs: str) -> Task | Grade:
    proposal = parsed(list(map(str, range(count))))
    assert isinstance(proposal, Proposal)
    return induction(count).build_task(proposal, Outcome(tuple(Result(Verdict.VALUE, output) for output in outputs)))


def test_fewer_than_three_different_results_are_neutral() -> None:
    assert reason(built(4, "1", "2", "1", "2")) == (Status.NEUTRAL, "few_outputs")
    assert reason(built(4, "1", "1", "1", "1")) == (Status.NEUTRAL, "few_outputs")
    assert isinstance(built(4, "1", "2", "3", "1"), Task)
    assert isinstance(built(2, "1", "2"), Task)  # as many as there are inputs
    assert reason(built(2, "1", "1")) == (Status.NEUTRAL, "few_outputs")


def test_results_that_the_judge_calls_equal_are_one() -> None:
    assert reason(built(4, "1", "True", "1.0", "2")) == (Status.NEUTRAL, "few_outputs")
    assert reason(built(4, "0.0", "-0.0", "nan", "0")) == (Status.NEUTRAL, "few_outputs")


# --- a message of prose -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Look at the pairs.",
        "What does `f` return for the empty list?",
        "f(x) returns a list; import nothing.",
        "Sums or not: which is which? (Two are.)",
        "Compare x >= 1, x <= 2, x == 3, x != 4.",
        "Count the letter(s).",
        "é" * 40,
    ],
)
def test_prose_is_a_message(message: str) -> None:
    proposal = parsed(["1", "2", "3", "4"], message)
    assert isinstance(proposal, Proposal)
    assert proposal.payload == " ".join(message.split())


@pytest.mark.parametrize(
    "message",
    [
        "def f(x): twice",
        "lambda x: x * 2",
        "return x * 2",
        "x = 2",
        "x += 2",
        "It is sorted(x).",
        "It is x.count(1).",
        "Hint:\nreturn [x, y]",
        "from math import *",
        "```python",
        "sum(x) of them",
    ],
)
def test_code_is_no_message(message: str) -> None:
    assert reason(parsed(["1", "2", "3", "4"], message)) == (Status.FAILED, "code_in_message")


def test_a_message_has_a_length() -> None:
    assert isinstance(parsed(["1", "2", "3", "4"], "a" * 40), Proposal)
    assert reason(parsed(["1", "2", "3", "4"], "a" * 41)) == (Status.FAILED, "message_too_long")


# --- answers ------------------------------------------------------------------------------------------------

TASK = task_of(INDUCTION, TWO, [(str(n), str(n)) for n in range(4)], "A hint.")


def checked(task_type: TaskType, *values: str) -> Grade:
    results = [Result(Verdict.VALUE, value) if value else Result(Verdict.ERROR, detail="E") for value in values]
    return task_type.check_result(TASK, Outcome(tuple(results)))


def test_all_hidden_pairs_or_nothing() -> None:
    assert checked(induction(), "2", "3") == Grade(Status.PASSED, 1.0)
    assert checked(induction(), "2", "3.0").status is Status.PASSED
    for values in (("2", "4"), ("3", "2"), ("2", ""), ("", "3"), ("", "")):
        grade = checked(induction(), *values)
        assert (grade.status, grade.score) == (Status.FAILED, 0.0)


def test_a_share_of_the_hidden_pairs() -> None:
    shares = induction(induction="fraction")
    assert checked(shares, "2", "3") == Grade(Status.PASSED, 1.0)
    assert checked(shares, "2", "4") == Grade(Status.PASSED, 0.5)
    assert checked(shares, "2", "") == Grade(Status.PASSED, 0.5)  # one that raises is not given, and counts
    assert checked(shares, "4", "").status is Status.FAILED


def test_the_machines_failure_outweighs_everything() -> None:
    failed = Result(Verdict.INFRASTRUCTURE)
    for other in (Result(Verdict.VALUE, "2"), Result(Verdict.VALUE, "9"), Result(Verdict.ERROR)):
        for results in ((other, failed), (failed, other)):
            assert induction().check_result(TASK, Outcome(results)).status is Status.MASKED


def test_of_an_odd_number_the_larger_half_is_hidden() -> None:
    task = task_of(INDUCTION, TWO, read_payload(TASK.payload).pairs[:3], "A hint.")
    job = induction(3).check(task, text.render_program(TWO))
    assert isinstance(job, Job)
    assert job.inputs == ("1", "2")


# --- with a minimum ------------------------------------------------------------------------------------------


def lines(inputs: list[str], **python: int) -> Proposal | Grade:
    answer = text.render_block("inputs", "\n".join(inputs)) + "\n" + text.render_message("A hint.")
    return induction(4, **python).parse_proposal(about(TWO), answer)


def test_inputs_may_stand_in_one_block_one_a_line() -> None:
    proposal = lines(["1", "f(2, 3)", "", " x=3 ", "4"])
    assert isinstance(proposal, Proposal)
    assert proposal.job.inputs == ("1", "2, 3", "x=3", "4")
    assert reason(lines(["1", "2", "3"])) == (Status.MALFORMED, "count")


def test_with_a_minimum_what_cannot_be_used_is_left_out() -> None:
    """An input that cannot be read, one that is another again, and those that are too many."""
    proposal = lines(["1", "open('x')", "2", "2.0", "x=1", *map(str, range(10, 30))], least_inputs=3)
    assert isinstance(proposal, Proposal)
    assert proposal.job.inputs == ("1", "2", *map(str, range(10, 16)))  # twice as many as are kept
    assert reason(lines(["1", "1", "x=1"], least_inputs=3)) == (Status.FAILED, "few_inputs")
    assert reason(lines(["1", "2"], least_inputs=3)) == (Status.MALFORMED, "count")


def test_with_a_minimum_the_first_that_give_a_value_are_kept() -> None:
    task_type = induction(4, least_inputs=3)
    proposal = lines(list(map(str, range(6))), least_inputs=3)
    assert isinstance(proposal, Proposal)
    good, bad = Verdict.VALUE, Verdict.ERROR

    def built(verdicts: list[Verdict]) -> Task | Grade:
        results = [Result(v, str(n) if v is good else "", "" if v is good else "X") for n, v in enumerate(verdicts)]
        return task_type.build_task(proposal, Outcome(tuple(results)))

    task = built([good, bad, good, good, good, good])
    assert isinstance(task, Task)
    assert read_payload(task.payload).pairs == (("0", "0"), ("2", "2"), ("3", "3"), ("4", "4"))
    assert isinstance(built([good, bad, good, good, bad, bad]), Task)
    assert reason(built([good, bad, good, bad, bad, bad])) == (Status.FAILED, "error")
    assert reason(built([good, Verdict.NONDETERMINISTIC, good, good, good, good])) == (
        Status.FAILED,
        "nondeterministic",
    )
    assert reason(built([good, Verdict.INFRASTRUCTURE, good, good, good, good]))[0] is Status.MASKED


@pytest.mark.parametrize("least", [1, 5])
def test_a_minimum_that_cannot_be_is_refused(least: int) -> None:
    with pytest.raises(ValueError, match="least_inputs is 0, or from 2 to 4"):
        induction(4, least_inputs=least)
