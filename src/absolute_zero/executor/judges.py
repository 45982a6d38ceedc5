"""Is an answer right? One judge per kind of task (paper section 3.2), usable on their own.

An outcome is compared with gold values here and nowhere else, on values that `absolute_zero.values` built from text:
the expected answer never enters the sandbox, so no object that a program makes can be equal to it.
"""

from collections.abc import Sequence

from absolute_zero import values
from absolute_zero.executor.pool import Sandbox
from absolute_zero.types import AbsoluteZeroError, Job, Result, Verdict


class NoVerdict(AbsoluteZeroError):
    """The machine failed twice: neither right nor wrong. Leave the sample out."""


def judge_deduction(gold: str, answer: str) -> bool:
    """Return whether the answer's text is a literal whose value equals the gold one's. Runs nothing, never raises."""
    try:
        return read_equal(gold, answer)
    except values.Unreadable:
        return False


def read_equal(gold: str, answer: str) -> bool:
    """Return whether two literals have equal values. Runs nothing. Raises Unreadable where a text is not a literal.

    For whoever tells an answer that cannot be read from one that is wrong; `judge_deduction` does not.
    """
    return values.equal(values.read(gold), values.read(answer))


def judge_abduction(sandbox: Sandbox, program: str, gold: str, answers: Sequence[str]) -> list[bool]:
    """Return for each answer, an argument list, whether the program gives the gold output on it.

    Any input that does is right, not only the one the task was made from. Raises NoVerdict.
    """
    [outcome] = sandbox.run([Job(program, tuple(answers))])
    return [_judge(result, gold) for result in outcome.results]


def judge_induction(sandbox: Sandbox, pairs: Sequence[tuple[str, str]], programs: Sequence[str]) -> list[list[bool]]:
    """Return for each program, for each (input, output), whether the program gives that output. Raises NoVerdict."""
    inputs = tuple(argument for argument, _ in pairs)
    outcomes = sandbox.run([Job(program, inputs) for program in programs])
    return [
        [_judge(result, gold) for result, (_, gold) in zip(outcome.results, pairs, strict=True)] for outcome in outcomes
    ]


def matches(result: Result, gold: str) -> bool:
    """Return whether a program gave the gold value. Never raises: what has no value matches nothing.

    A machine that failed looks like a wrong answer here; ask `result.verdict` first where that matters.
    """
    return result.verdict is Verdict.VALUE and judge_deduction(gold, result.value)


def _judge(result: Result, gold: str) -> bool:
    if result.verdict is Verdict.INFRASTRUCTURE:
        raise NoVerdict("the sandbox failed twice on one job; leave the sample out and look at the machine")
    return matches(result, gold)
