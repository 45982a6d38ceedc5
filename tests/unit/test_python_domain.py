"""The domain of Python: payloads that come back as they were, what makes tasks alike, rows of files, its suites."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from absolute_zero.config import Config
from absolute_zero.domains.python import DOMAIN, ZERO, Payload, read_payload, task_of
from absolute_zero.domains.python.novelty import digest, normal_form, probes
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, KINDS
from absolute_zero.domains.python.rows import group_of, suite_row
from absolute_zero.executor import Sandbox
from absolute_zero.keys import Key
from absolute_zero.ports import TaskType
from absolute_zero.types import Grade, Identity, Job, Outcome, Proposal, Result, Status, Task, UserError, Verdict

NEXT = "def f(x):\n    return x + 1"
TYPES: dict[str, TaskType] = {each.kind: each for each in DOMAIN.task_types(Config())}


# --- payloads -----------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec=None), max_size=30)


@given(TEXT, st.lists(st.tuples(TEXT, TEXT), max_size=4), TEXT)
@example("\ud83d\ude00", [("\ud83d", "\ude00"), ("\ud83d\ude00", "\0")], "\u2028\r\n")
@example('"}', [("\\", "\\u0000")], "\\ud800")
def test_a_payload_reads_back_character_by_character(program: str, pairs: list[tuple[str, str]], message: str) -> None:
    payload = Payload(program, tuple(pairs), message)
    assert read_payload(payload.text) == payload
    assert (*payload.shown, *payload.hidden) == payload.pairs
    assert len(payload.hidden) - len(payload.shown) == len(pairs) % 2


def test_a_payload_is_compact_json() -> None:
    assert Payload("é", (("1", "2"),)).text == '{"program":"é","pairs":[["1","2"]],"message":""}'


def test_a_title_is_one_short_line_and_a_label_the_type_of_the_first_output() -> None:
    task = task_of(INDUCTION, "# " + "a" * 200 + "\ndef f(x):\n    return x", [("1", "'a'"), ("2", "3")], "Hm.")
    assert (task.title, task.label) == ("# " + "a" * 78, "str")
    assert task_of(DEDUCTION, NEXT, [("1", "not a literal")]).label == ""


# --- what makes tasks alike ---------------------------------------------------------------------------------


def probed(values: list[str]) -> Outcome:
    return Outcome(tuple(Result(Verdict.VALUE, v) if v else Result(Verdict.ERROR, detail="E") for v in values))


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_that_ignores_its_input_fails_and_a_constant_one_is_neutral(kind: str) -> None:
    """Of both the first counts: that the input is not read can be seen, that it does not matter cannot."""
    pairs = [("1", "0"), ("2", "0")] if kind == INDUCTION else [("1", "0")]
    zeros = probed(["0"] * len(probes("1")))
    ignoring, constant = (
        task_of(kind, "def f(x):\n    return 0", pairs),
        task_of(kind, "def f(x):\n    return x*0", pairs),
    )
    for outcome in (zeros, None):
        assert TYPES[kind].identity(ignoring, outcome) == Grade(Status.FAILED, reason="ignores_input")
    assert TYPES[kind].identity(constant, zeros) == Grade(Status.NEUTRAL, reason="constant")
    assert isinstance(TYPES[kind].identity(constant, None), Identity)  # not run: not known


@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_asks_the_probes_of_the_first_input_like_a_proposal(kind: str) -> None:
    task = task_of(kind, NEXT, [("1", "2"), ("'a'", "3")] if kind == INDUCTION else [("1", "2")])
    job = TYPES[kind].probe(task, Key(0))
    assert isinstance(job, Job)
    assert job == TYPES[kind].probe(task, Key(1))
    assert (job.program, job.inputs) == (NEXT, probes("1"))
    assert (job.deterministic, job.cpu_seconds) == (True, 0.5)
    identity = TYPES[kind].identity(task, probed([str(n) for n in range(len(job.inputs))]))
    assert isinstance(identity, Identity)
    assert identity.family == digest(normal_form(NEXT))
    assert identity.behaviour
    unprobed = TYPES[kind].identity(task, None)
    assert unprobed == replace(identity, behaviour="")


def test_the_seed_is_the_zero_triplet_with_what_makes_it_alike() -> None:
    zero, other = DOMAIN.seeds()
    assert zero == ZERO
    assert other == replace(ZERO, kind=ABDUCTION)
    assert (zero.id, zero.kind, zero.step < -1000) == (0, DEDUCTION, True)
    identity = TYPES[DEDUCTION].identity(zero, None)
    assert identity == Identity(zero.exact, zero.family)


# --- rows ---------------------------------------------------------------------------------------------------


def tasks_of(row: dict[str, object]) -> list[Task]:
    tasks = DOMAIN.read_row(row)
    assert all(isinstance(task, Task) for task in tasks)
    return [task for task in tasks if isinstance(task, Task)]


def test_a_row_of_a_suite_reads_back() -> None:
    for tasks in DOMAIN.suites().values():
        for task in tasks[::97]:
            assert tasks_of(dict(suite_row(task))) == [task]
            assert DOMAIN.held_out(suite_row(task)) == [task.family]


def test_the_main_suite_comes_first() -> None:
    assert list(DOMAIN.suites()) == ["held_out", "ood"]


def test_a_row_of_cruxeval_is_two_tasks() -> None:
    row: dict[str, object] = {"code": NEXT, "input": "1", "output": "2.0"}
    deduction, abduction = tasks_of(row)
    assert (deduction.kind, abduction.kind) == (DEDUCTION, ABDUCTION)
    assert read_payload(deduction.payload) == read_payload(abduction.payload) == Payload(NEXT, (("1", "2.0"),))
    assert deduction.family == digest(normal_form(NEXT))
    assert deduction.group == abduction.group == group_of(NEXT)


def test_what_differs_in_constants_stands_or_falls_together() -> None:
    assert group_of("def f(x):\n    return x + 1") == group_of("def f(y):\n    return y + -20  # more")
    assert group_of("def f(x):\n    return x + 1") != group_of("def f(x):\n    return x - 1")
    assert group_of("def f(x):\n    return x + 1") != group_of("def f(x):\n    return x + 'a'")
    assert group_of("") == ""
    assert group_of("no program") == digest("no program")


def test_a_person_gives_what_there_is() -> None:
    [proposal] = DOMAIN.read_row({"program": NEXT, "inputs": ["1"]})
    assert isinstance(proposal, Proposal)
    with Sandbox(workers=1, minimum_level="weak") as sandbox:
        built = TYPES[DEDUCTION].build_task(proposal, sandbox.run([proposal.job])[0])
    assert isinstance(built, Task)
    assert read_payload(built.payload).pairs == (("1", "2"),)

    [backwards] = tasks_of({"program": NEXT, "outputs": ["0x2"]})
    assert (backwards.kind, read_payload(backwards.payload).pairs) == (ABDUCTION, (("", "2"),))
    assert [label for label, _ in TYPES[ABDUCTION].show(backwards)] == ["program", "output"]  # nobody knows an input

    [unknown] = tasks_of({"inputs": ["1", "2", "3"], "outputs": ["2", "3", "4"], "message": "Next."})
    assert (unknown.kind, unknown.title) == (INDUCTION, "Next.")
    assert [label for label, _ in TYPES[INDUCTION].show(unknown)] == ["message", "example", "hidden", "hidden"]
    assert TYPES[INDUCTION].solve_prompt(unknown).shown


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({}, "give kind, program and pairs"),
        ({"kind": "deduction", "program": NEXT, "pairs": []}, "0 pairs"),
        ({"kind": "induction", "program": NEXT, "pairs": [["1", "2"]]}, "1 pairs"),
        ({"kind": "seduction", "program": NEXT, "pairs": [["1", "2"]]}, "not a kind of task"),
        ({"kind": "deduction", "program": NEXT, "pairs": [["1", "2 +"]]}, "not a task"),
        ({"code": NEXT, "input": "1"}, "not a task"),
        ({"code": NEXT, "input": "1", "output": "print"}, "not a task"),
        ({"program": NEXT, "inputs": ["1", "2"]}, "beside a program give either one input"),
        ({"program": NEXT, "inputs": ["1"], "outputs": ["2"]}, "beside a program give either one input"),
        ({"program": NEXT, "inputs": ["1"], "message": "Next."}, "beside a program give either one input"),
        ({"program": NEXT, "inputs": "1"}, "inputs is not a list of texts"),
        ({"program": NEXT, "outputs": ["2 +"]}, "not a literal value"),
        ({"program": NEXT, "inputs": ["y"]}, "makes no task (invalid_input"),
        ({"program": "import os\ndef f(x):\n    return x", "inputs": ["1"]}, "makes no task (import"),
        ({"program": "def f(x", "outputs": ["1"]}, "makes no task (syntax"),
        ({"inputs": ["1"], "outputs": ["2"]}, "two or more"),
        ({"inputs": ["1", "2"], "outputs": ["2"]}, "as many inputs as outputs"),
        ({"inputs": ["1", "2"], "outputs": ["2", "lambda: 1"]}, "not a literal value"),
    ],
)
def test_a_row_that_is_no_task_says_why(row: dict[str, object], says: str) -> None:
    with pytest.raises(UserError) as caught:
        DOMAIN.read_row(row)
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
