"""The contract of a task type and of the domain it belongs to (`absolute_zero.ports`), for every domain there is.

Another domain comes in as one line at `CASES`: its name, settings, and for each kind a proposal with a correct and a
wrong answer to the task that it makes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from absolute_zero import plugins
from absolute_zero.components import worked_example
from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.ports import Domain, Executor, TaskType
from absolute_zero.text import TAGS, THINK
from absolute_zero.types import Grade, Identity, Prompt, Proposal, Role, Status, Task, UserError


class Answers(NamedTuple):
    """A proposal, and two answers to the task that it makes."""

    proposal: str
    correct: str
    wrong: str


def block(label: str, text: str) -> str:
    return f"```{label}\n{text}\n```\n"


PROGRAM, OTHER = "def f(x):\n    return x * 3 + 1", "def f(x):\n    return x"
PYTHON = {
    "deduction": Answers(block("python", PROGRAM) + block("input", "2"), block("output", "7"), block("output", "8")),
    "abduction": Answers(block("python", PROGRAM) + block("input", "2"), block("input", "2"), block("input", "3")),
    "induction": Answers(
        "".join(block("input", str(n)) for n in range(4)) + block("message", "Three and one."),
        block("python", "def f(x):\n    return 1 + x + x + x"),
        block("python", OTHER),
    ),
}
PEOPLE, OTHERS = "people(name, age)\n'Ann', 31\n'Bob', 25", "people(name, age)\n'Cid', 40\n'Dee', 20"
QUERY = "SELECT name FROM people WHERE age > 30 ORDER BY name"
SQL = {
    "rows": Answers(block("sql", QUERY) + block("tables", PEOPLE), block("rows", "'Ann'"), block("rows", "'Bob'")),
    "tables": Answers(
        block("sql", QUERY) + block("tables", PEOPLE),
        block("tables", PEOPLE),
        block("tables", OTHERS),
    ),
    "query": Answers(
        block("tables", PEOPLE) + block("tables", OTHERS) + block("message", "Those above thirty."),
        block("sql", QUERY),
        block("sql", "SELECT name FROM people ORDER BY name"),
    ),
}
SQL_SETTINGS = {"templates": "absolute_zero_sql:TEMPLATES", "sql": {"pairs": 2}}

CASES: list[tuple[str, dict[str, Any], Mapping[str, Answers]]] = [
    ("python", {"templates": "compact", "python": {"inputs": 4}}, PYTHON),
    ("python", {"templates": "long", "python": {"inputs": 4}}, PYTHON),
    ("python", {"templates": "brief", "python": {"inputs": 6, "least_inputs": 3}}, PYTHON),
]
if find_spec("absolute_zero_sql"):  # it is in `examples/`, which a package of ours does not bring
    CASES.append(("absolute_zero_sql.domain:DOMAIN", SQL_SETTINGS, SQL))


class Case(NamedTuple):
    """One kind of a domain under its settings."""

    domain: Domain
    cfg: Config
    type: TaskType
    answers: Answers
    executor: Executor
    references: tuple[Task, ...]
    proposal: Proposal
    task: Task

    def built(self, answer: str) -> Task | Grade:
        """What the loop makes of the answer of a proposal."""
        parsed = self.type.parse_proposal(self.references, answer)
        if isinstance(parsed, Grade):
            return parsed
        [outcome] = self.executor.run([parsed.job])
        return self.type.build_task(parsed, outcome)

    def checked(self, answer: str) -> Grade:
        """What the loop makes of an answer to the task."""
        check = self.type.check(self.task, answer)
        return check if isinstance(check, Grade) else self.type.check_result(self.task, self.executor.run([check])[0])

    def identity(self) -> Identity | Grade:
        """What the task is alike to, by its probe."""
        job = self.type.probe(self.task, Key(0))
        return self.type.identity(self.task, None if job is None else self.executor.run([job])[0])


@cache
def opened(index: int) -> tuple[Domain, Config, Executor]:
    name, tables, _ = CASES[index]
    cfg = Config.model_validate({"domain": name, "sandbox": {"workers": 1, "minimum_level": "weak"}, **tables})
    domain: Domain = plugins.load("domains", name)
    return domain, cfg, domain.open_executor(cfg)


@pytest.fixture(scope="module", autouse=True)
def closing() -> Iterator[None]:
    yield
    for index in range(len(CASES)):
        opened(index)[2].close()
        opened(index)[2].close()  # closing twice is closing once
    opened.cache_clear()


@cache
def case_of(index: int, kind: str) -> Case:
    domain, cfg, executor = opened(index)
    task_types = {task_type.kind: task_type for task_type in domain.task_types(cfg)}
    task_type, answers = task_types[kind], CASES[index][2][kind]
    most = task_type.max_references
    references = tuple(domain.seeds())[:most]
    if most == 1:  # a task of one of its sources, such as the one that the first answers make
        first = task_types[task_type.sources[0]]
        proposal = first.parse_proposal((), CASES[index][2][first.kind].proposal)
        assert isinstance(proposal, Proposal)
        reference = first.build_task(proposal, executor.run([proposal.job])[0])
        assert isinstance(reference, Task)
        references = (reference,)
    proposal = task_type.parse_proposal(references, answers.proposal)
    assert isinstance(proposal, Proposal), proposal
    [outcome] = executor.run([proposal.job])
    assert (outcome.ok, outcome.lost) == (True, False)
    task = task_type.build_task(proposal, outcome)
    assert isinstance(task, Task), task
    return Case(domain, cfg, task_type, answers, executor, references, proposal, task)


EVERY = [(index, kind) for index, (_, _, kinds) in enumerate(CASES) for kind in kinds]


@pytest.fixture(params=EVERY, ids=lambda param: f"{param[1]}-{param[0]}")
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(*request.param)


# --- what a kind is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(len(CASES)))
def test_the_case_has_every_kind_of_the_domain(index: int) -> None:
    domain, cfg, _ = opened(index)
    assert [task_type.kind for task_type in domain.task_types(cfg)] == [*CASES[index][2]] == [*cfg.kinds]


def test_a_kind_has_a_name_and_sources(case: Case) -> None:
    kinds = case.cfg.kinds
    assert re.fullmatch(r"[A-Za-z0-9_-]+", case.type.kind)
    assert case.type.sources
    assert set(case.type.sources) <= set(kinds)
    assert case.type.max_references is None or case.type.max_references >= 0


# --- prompts ------------------------------------------------------------------------------------------------


def test_prompts_are_deterministic_and_say_where_they_end(case: Case) -> None:
    for prompt, again in (
        (case.type.propose_prompt(case.references), case.type.propose_prompt([*case.references])),
        (case.type.solve_prompt(case.task), case.type.solve_prompt(case.task)),
    ):
        assert isinstance(prompt, Prompt)
        assert prompt == again
        assert bool(prompt.text) != bool(prompt.messages)
        assert prompt.shown
        assert not prompt.text or prompt.opens_thought == prompt.text.rstrip().endswith(THINK)


def test_only_the_payload_makes_the_prompt(case: Case) -> None:
    """What the loop and the store know of a task beside its payload comes and goes."""
    stored = Task(case.task.kind, case.task.payload, id=77, step=3, references=(1, 2), trials=4, successes=1)
    assert case.type.solve_prompt(stored) == case.type.solve_prompt(case.task)
    assert case.type.show(stored) == case.type.show(case.task)


def test_the_proposer_sees_its_references(case: Case) -> None:
    if case.type.max_references is None:
        assert case.type.propose_prompt(()) != case.type.propose_prompt(case.references)
    other = replace(case.references[0], id=5, step=9)
    assert case.type.propose_prompt([other, *case.references[1:]]) == case.type.propose_prompt(case.references)


def test_the_gold_answer_is_shown_to_people_last(case: Case) -> None:
    shown = case.type.show(case.task)
    assert all(isinstance(label, str) and isinstance(text, str) and label for label, text in shown)
    assert [label for label, _ in shown].count("answer") == 1
    assert shown[-1][0] == "answer"
    assert shown[-1][1]


# --- proposals ----------------------------------------------------------------------------------------------


def test_a_proposal_is_parsed_alike_and_its_job_is_a_value(case: Case) -> None:
    again = case.type.parse_proposal([*case.references], case.answers.proposal)
    assert again == case.proposal
    assert isinstance(again, Proposal)
    assert {again.job: 1} == {case.proposal.job: 1}  # hashable, and equal ones are one
    assert case.executor.run([again.job]) == case.executor.run([case.proposal.job])
    assert case.built(case.answers.proposal) == case.task


def test_a_task_is_told_in_one_line(case: Case) -> None:
    assert case.task.kind == case.type.kind
    assert case.task.payload
    assert case.task.title.strip()
    assert len(case.task.title.splitlines()) == 1
    assert len(case.task.label.split()) <= 1
    assert (case.task.id, case.task.step, case.task.trials, case.task.references) == (0, 0, 0, ())


def test_what_makes_it_alike_to_others(case: Case) -> None:
    identity = case.identity()
    assert isinstance(identity, Identity), identity
    assert identity == case.identity()
    stored = Task(case.task.kind, case.task.payload, id=8)
    assert case.type.probe(stored, Key(0)) == case.type.probe(case.task, Key(0))
    hash(case.type.probe(case.task, Key(0)))
    unprobed = case.type.identity(case.task, None)
    assert isinstance(unprobed, Identity)
    assert (unprobed.exact, unprobed.family) == (identity.exact, identity.family)


# --- answers ------------------------------------------------------------------------------------------------


def test_correct_answers_pass_and_wrong_ones_fail(case: Case) -> None:
    grade = case.checked(case.answers.correct)
    assert (grade.status, grade.score, grade.correct) == (Status.PASSED, 1.0, True)
    grade = case.checked(case.answers.wrong)
    assert (grade.status, grade.score, grade.correct) == (Status.FAILED, 0.0, False)
    assert grade.reason


def test_jobs_that_decide_answers_are_values(case: Case) -> None:
    check, again = (case.type.check(case.task, case.answers.correct) for _ in range(2))
    assert check == again
    assert isinstance(check, Grade) or {check: 1} == {again: 1}


@pytest.mark.parametrize("answer", ["", " \n", "no block at all", "```", "```\n", "```nonsense\n1\n```"])
def test_what_has_no_form_is_malformed(case: Case, answer: str) -> None:
    for grade in (case.type.parse_proposal(case.references, answer), case.type.check(case.task, answer)):
        assert isinstance(grade, Grade)
        assert (grade.status, grade.score) == (Status.MALFORMED, 0.0)
        assert re.fullmatch(r"[a-z_]+", grade.reason)
        assert len(grade.detail.splitlines()) <= 1


BLOCKS = "".join(str(answers) for _, _, kinds in CASES for answers in kinds.values())
LABELS = sorted(set(re.findall(r"```(\w+)", BLOCKS)))
PIECES = st.sampled_from(
    [*("```" + label for label in LABELS), "````", "```", "~~~", "\n", "\r\n", PROGRAM, OTHER, QUERY, PEOPLE, "1",
     "'a'", *TAGS, "\0", "\ud800", "\u2028", "f(", ")", "[" * 70, "#", "--", ";", "$program", "9" * 5000, "nan",
     "x=1, x=2"]
)  # fmt: skip
ANYTHING = st.text(max_size=50) | st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join)


@pytest.mark.parametrize(("index", "kind"), EVERY)
@given(answer=ANYTHING)
@example(answer="```\n" * 200)
@example(answer="x" * 100_000)
@example(answer=block("python", "x = " + "-" * 60_000 + "1"))
@example(answer=block("sql", "(" * 60_000))
@settings(max_examples=15)
def test_any_answer_gives_a_value(index: int, kind: str, answer: str) -> None:
    case = case_of(index, kind)
    proposed = case.built(answer)
    assert isinstance(proposed, Task) or proposed.status in (Status.FAILED, Status.MALFORMED, Status.NEUTRAL)
    grade = case.checked(answer)
    assert grade.status in (Status.PASSED, Status.FAILED, Status.MALFORMED)
    assert grade.status is Status.PASSED or (re.fullmatch(r"[a-z_]+", grade.reason) and not grade.score)
    assert len(grade.detail.splitlines()) <= 1


# --- the domain ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(len(CASES)))
def test_seeds_and_suites_are_tasks_of_its_kinds(index: int) -> None:
    domain, cfg, _ = opened(index)
    task_types = {task_type.kind: task_type for task_type in domain.task_types(cfg)}
    for seed in domain.seeds():
        assert task_types[seed.kind].solve_prompt(seed).shown
    for tasks in domain.suites().values():
        assert tasks
        assert all(task.family for task in tasks)  # none of them is ever accepted in training
        for task in (tasks[0], tasks[-1]):
            assert task_types[task.kind].solve_prompt(task).shown
            assert task_types[task.kind].show(task)[-1][0] == "answer"


@pytest.mark.parametrize("index", range(len(CASES)))
def test_held_out_tasks_have_the_family_that_their_identity_gives(index: int) -> None:
    """Else tasks like them are trained on. The first few of each kind and suite, as some have to run."""
    domain, cfg, executor = opened(index)
    task_types = {task_type.kind: task_type for task_type in domain.task_types(cfg)}
    for tasks in domain.suites().values():
        for kind, task_type in task_types.items():
            for task in [task for task in tasks if task.kind == kind][:3]:
                job = task_type.probe(task, Key(cfg.seed).at("probe", kind))
                identity = task_type.identity(task, None if job is None else executor.run([job])[0])
                assert not isinstance(identity, Identity) or identity.family == task.family


@pytest.mark.parametrize("index", range(len(CASES)))
def test_worked_examples_are_in_strict_form(index: int) -> None:
    domain, cfg, _ = opened(index)
    task_types = {task_type.kind: task_type for task_type in domain.task_types(cfg)}
    for kind in cfg.kinds:
        for role in Role:
            for question, response in domain.worked_examples(kind, role, cfg):
                assert worked_example(task_types[kind], role, question, response).answer.strip()


@pytest.mark.parametrize("index", range(len(CASES)))
def test_worked_examples_are_right(index: int) -> None:
    domain, cfg, executor = opened(index)
    for task_type in domain.task_types(cfg):
        for question, response in domain.worked_examples(task_type.kind, Role.SOLVE, cfg):
            if isinstance(question, Task):
                checked = task_type.check(question, worked_example(task_type, Role.SOLVE, question, response).answer)
                grade = checked
                if not isinstance(checked, Grade):
                    grade = task_type.check_result(question, executor.run([checked])[0])
                assert grade.status is Status.PASSED, response
        for question, response in domain.worked_examples(task_type.kind, Role.PROPOSE, cfg):
            if not isinstance(question, Prompt):
                example = worked_example(task_type, Role.PROPOSE, question, response)
                proposal = task_type.parse_proposal(question, example.answer)
                assert isinstance(proposal, Proposal), proposal
                task = task_type.build_task(proposal, executor.run([proposal.job])[0])
                assert isinstance(task, Task), task


@pytest.mark.parametrize("index", range(len(CASES)))
@pytest.mark.parametrize("row", [{}, {"kind": "nonsense"}, {"kind": None, "program": 3, "query": 3}, {"pairs": [[]]}])
def test_a_row_that_is_no_task_is_one_line(index: int, row: dict[str, Any]) -> None:
    domain = opened(index)[0]
    for read in (domain.read_row, domain.held_out):
        with pytest.raises(UserError) as caught:
            read(row)
        assert len(str(caught.value).splitlines()) == 1
