"""Rows 78 to 113 and 156 to 158, and many more: nothing but a right answer is judged right.

Three promises carry all of it: an answer's text is read, never run; the gold is never in the process that
runs foreign code; and what comes back from there is text, compared as plain values on this side.
"""

import time

import pytest

from absolute_zero.executor import Sandbox, judge_abduction, judge_deduction, judge_induction
from absolute_zero.executor.judges import matches
from absolute_zero.types import Job, Result, Verdict

from .cases import HONEST
from .cases_answers import ABDUCED, DEDUCED, PLUS_ONE, Abduced, Deduced
from .cases_hacks import CASES as HACKS
from .cases_hacks import PAIRS, Induced
from .cases_tampering import CASES as TAMPERING
from .conftest import Outside

CASES = HACKS + TAMPERING


def by_name(case: Abduced | Deduced | Induced) -> str:
    return case.name.split()[0]


def stands(case: Induced, judged: list[bool]) -> bool:
    """Whether this judgement gives the program what it earned."""
    if len(judged) != len(case.right):
        return False
    if case.at_most:
        return all(earned or not given for given, earned in zip(judged, case.right, strict=True))
    return tuple(judged) == case.right


def check_honest(sandbox: Sandbox) -> None:
    [outcome] = sandbox.run([Job(program=HONEST, inputs=("21",))])
    assert [(result.verdict, result.value) for result in outcome.results] == [(Verdict.VALUE, "42")]


@pytest.mark.parametrize("case", DEDUCED, ids=by_name)
def test_deduction(case: Deduced, world: Outside) -> None:
    started = time.monotonic()
    right = judge_deduction(gold=case.gold, answer=world.fill(case.answer))
    assert right is case.right, f"{case.name}: answer {case.answer[:80]!r} judged {right}"
    assert time.monotonic() - started < 2.0, case.name
    assert not world.marks(), case.name


@pytest.mark.parametrize("case", [case for case in DEDUCED if case.right], ids=by_name)
def test_right_deduction_either_way_round(case: Deduced) -> None:
    """Equality of plain values is symmetric, however a gold was written down."""
    assert judge_deduction(gold=case.answer, answer=case.gold) is True


def test_abduction(sandbox: Sandbox, world: Outside) -> None:
    """All answers to one program in one call, in order: no answer helps or spoils another."""
    groups: dict[tuple[str, str], list[Abduced]] = {}
    for case in ABDUCED:
        groups.setdefault((case.program, case.gold), []).append(case)
    wrong = []
    for (program, gold), cases in groups.items():
        answers = [world.fill(case.answer) for case in cases]
        judged = judge_abduction(sandbox, program, gold=gold, answers=answers)
        assert len(judged) == len(cases)
        wrong += [case.name for case, right in zip(cases, judged, strict=True) if right is not case.right]
    assert not wrong, f"judged otherwise than they should be: {wrong}"
    assert not world.marks()
    check_honest(sandbox)


def test_abduction_one_by_one(sandbox: Sandbox, world: Outside) -> None:
    wrong = []
    for case in ABDUCED:
        answers = [world.fill(case.answer)]
        if judge_abduction(sandbox, case.program, gold=case.gold, answers=answers) != [case.right]:
            wrong.append(case.name)
    assert not wrong, f"judged otherwise than they should be: {wrong}"
    assert not world.marks()


def test_nothing_to_judge(sandbox: Sandbox) -> None:
    assert judge_abduction(sandbox, PLUS_ONE, gold="6", answers=[]) == []
    assert judge_induction(sandbox, pairs=list(PAIRS), programs=[]) == []


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_induction(case: Induced, sandbox: Sandbox, world: Outside) -> None:
    [judged] = judge_induction(sandbox, pairs=list(case.pairs), programs=[world.fill(case.program)])
    assert stands(case, judged), f"{case.name}: earned {case.right}, judged {judged}"
    assert all(type(right) is bool for right in judged)
    assert not world.marks(), case.name
    check_honest(sandbox)


def test_induction_among_others(sandbox: Sandbox, world: Outside) -> None:
    """All hacks as candidates for the same pairs, a right program between: the same judgement as alone."""
    cases = [case for case in CASES if case.pairs == PAIRS]
    programs = [text for case in cases for text in (world.fill(case.program), HONEST)]
    judged = judge_induction(sandbox, pairs=list(PAIRS), programs=programs)
    wrong = [case.name for case, right in zip(cases, judged[::2], strict=True) if not stands(case, right)]
    assert not wrong, f"judged otherwise than alone: {wrong}"
    assert all(right == [True] * len(PAIRS) for right in judged[1::2])


def test_pairs_that_are_no_pairs(sandbox: Sandbox) -> None:
    """A gold that is not readable, or an input that is no argument list, is nobody's right answer."""
    pairs = [("1", "1 + 1"), ("1 + 1", "4"), ("1", ""), ("", "2"), ("1", "2")]
    assert judge_induction(sandbox, pairs=pairs, programs=[HONEST]) == [[False, False, False, False, True]]


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize(("value", "gold", "equal"), [("2", "2.0", True), ("2", "3", False), ("1 +", "1 +", False)])
def test_only_a_value_matches(verdict: Verdict, value: str, gold: str, equal: bool) -> None:
    assert matches(Result(verdict, value), gold) is (equal and verdict is Verdict.VALUE)
