"""The grammar means what it writes: its own runs agree with the sandbox's, and its programs pass as proposals."""

from collections import Counter

import pytest

from absolute_zero.domains.python import guard
from absolute_zero.domains.python.novelty import normal_form, reads_input
from absolute_zero.domains.python.novelty import written as canonically_written
from absolute_zero.executor import Sandbox
from absolute_zero.keys import Key
from absolute_zero.pretraining.grammar.dice import Dice
from absolute_zero.pretraining.grammar.variants import near_arguments, near_program
from absolute_zero.pretraining.traces.backward import undo
from absolute_zero.pretraining.traces.cases import Case, find_case, pair, telling, written
from absolute_zero.types import Job
from absolute_zero.values import canonical

COUNT = 400


def dice(number: int) -> Dice:
    return Dice(Key(7).at("test", number))


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [find_case(dice(number)) for number in range(COUNT)]


def test_a_case_is_a_function_of_its_address(cases: list[Case]) -> None:
    for number in (0, 17, 399):
        again = find_case(dice(number))
        assert (again.text, again.pairs) == (cases[number].text, cases[number].pairs)


def test_own_runs_agree_with_the_sandbox(cases: list[Case]) -> None:
    jobs = [Job(case.text, tuple(one.input for one in case.pairs)) for case in cases]
    with Sandbox(workers=1, minimum_level="weak") as sandbox:
        outcomes = sandbox.run(jobs)
    for case, outcome in zip(cases, outcomes, strict=True):
        assert [result.value for result in outcome.results] == [one.output for one in case.pairs], case.text


def test_a_traced_run_gives_what_a_plain_one_gives(cases: list[Case]) -> None:
    for case in cases:
        for one in case.pairs:
            done = case.program.run(one.arguments, traced=True)
            assert done is not None, case.text
            assert canonical(done[0]) == one.output


def test_programs_pass_as_proposals(cases: list[Case]) -> None:
    for case in cases:
        assert guard(case.text) is None
        assert reads_input(case.text)
        assert len({one.output for one in case.pairs}) > 1
        for one in case.pairs:
            assert canonically_written(one.input) == one.input


def test_programs_are_various(cases: list[Case]) -> None:
    normal = {normal_form(case.text) for case in cases}
    assert len(normal) > 0.93 * COUNT
    lines = sorted(case.text.count("\n") + 1 for case in cases)
    assert 3 <= lines[COUNT // 2] <= 5
    outputs = Counter(type(telling(case, dice(0)).value).__name__ for case in cases)
    assert set(outputs) == {"int", "list", "str", "tuple", "bool", "float", "set", "dict"}
    assert outputs["bool"] < 0.12 * COUNT
    text = "\n".join(case.text for case in cases)
    for word in ("for ", "while ", "if ", "else:", "def g(", "return f(", "sorted(", "+= ", " for ", ".append("):
        assert word in text, word
    arguments = Counter(type(argument).__name__ for case in cases for argument in case.pairs[0].arguments)
    assert set(arguments) == {"int", "list", "str", "tuple", "bool", "float", "set", "dict"}


def test_a_thought_steps_through_values() -> None:
    found = {case.text: case for case in (find_case(dice(number)) for number in range(3000))}
    texts = {text: case for text, case in found.items() if text.count("\n") == 2 and " * 2\n" in text}
    assert texts
    for case in texts.values():
        one = case.pairs[0]
        done = case.program.run(one.arguments, traced=True)
        assert done is not None
        assert "*2" in done[1], (case.text, done[1])


def test_the_way_back_leads_to_an_input() -> None:
    tried = right = 0
    for number in range(1500):
        draws = dice(number)
        case = find_case(draws)
        one = telling(case, draws)
        undone = undo(case.program, one.arguments, one.value, draws)
        if undone is not None:
            tried += 1
            back = pair(case.program, undone[1])
            right += back is not None and back.output == one.output
    assert tried > 150
    assert right > 0.9 * tried  # an inverse may be one input of many, so it has to be run


def test_near_misses_are_near(cases: list[Case]) -> None:
    changed = 0
    for number, case in enumerate(cases):
        near = near_program(case.program, dice(number))
        if near is not None:
            changed += near.write() != case.text
            assert guard(near.write()) is None
            assert near.write().count("\n") == case.text.count("\n")
        arguments = near_arguments(case.pairs[0].arguments, case.program.sorts, dice(number))
        assert len(arguments) == len(case.pairs[0].arguments)
        assert written(case.pairs[0].arguments) == case.pairs[0].input, "the original is left as it was"
    assert changed > 0.7 * COUNT


def test_a_generator_gets_brackets_where_it_needs_them() -> None:
    case = find_case(dice(6939))
    assert case.text.endswith("min(ch.replace('e', ch) for ch in w)")
    near = [near_program(case.program, dice(number)) for number in range(40)]
    written_ = {program.write() for program in near if program is not None}
    assert any(text.endswith("min([ch.replace('e', ch) for ch in w], key=len)") for text in written_)
    assert all(guard(text) is None for text in written_)
