"""Is an answer right? One judge per kind of task (paper section 3.2), usable on their own.

All comparing happens here, on values that `absolute_zero.values` built from text: the expected answer never
enters the sandbox, so no object that a program makes can be equal to it.
"""

from collections.abc import Sequence

from absolute_zero import values
from absolute_zero.executor.pool import Sandbox
from absolute_zero.types import AbsoluteZeroError, Job, Result, Verdict


class NoVerdict(AbsoluteZeroError):
    """The machine failed twice: neither right nor wrong. Leave the sample out."""


def judge_deduction(gold: str, answer: str) -> bool:
    """Whether the answer's text is a literal whose value equals the gold one's. Runs nothing."""
    try:
        return values.equal(values.read(gold), values.read(answer))
    except values.Unreadable:
        return False


def judge_abduction(sandbox: Sandbox, program: str, gold: str, answers: Sequence[str]) -> list[bool]:
    """For each answer, an argument list: whether the program gives the gold output on it.

    Any input that does is right, not only the one the task was made from. Raises NoVerdict.
    """
    [outcome] = sandbox.run([Job(program, tuple(answers))])
    return [_matches(result, gold) for result in outcome.results]


def judge_induction(sandbox: Sandbox, pairs: Sequence[tuple[str, str]], programs: Sequence[str]) -> list[list[bool]]:
    """For each program, for each (input, output): whether the program gives that output. Raises NoVerdict."""
    inputs = tuple(given for given, _ in pairs)
    outcomes = sandbox.run([Job(program, inputs) for program in programs])
    return [
        [_matches(result, gold) for result, (_, gold) in zip(outcome.results, pairs, strict=True)]
        for outcome in outcomes
    ]


def _matches(result: Result, gold: str) -> bool:
    if result.verdict is Verdict.INFRASTRUCTURE:
        raise NoVerdict("the sandbox failed twice on one job; leave the sample out and look at the machine")
    return result.verdict is Verdict.VALUE and judge_deduction(gold, result.value)
