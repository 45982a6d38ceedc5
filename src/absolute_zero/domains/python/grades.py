"""The grades that the task types have in common."""

from typing import Final

from absolute_zero import rewards
from absolute_zero.types import Grade, Refusal, Result, Status, Verdict

CORRECT: Final = Grade(Status.PASSED, rewards.accuracy(True))
WRONG: Final = Grade(Status.FAILED, rewards.accuracy(False), "wrong")


def malformed(refusal: Refusal) -> Grade:
    """Return the grade of a response whose form is broken."""
    return Grade(Status.MALFORMED, reason=refusal.reason, detail=refusal.detail)


def unusable(result: Result) -> Grade:
    """Return what it means that a program gave no value: nothing, if the machine failed."""
    lost = result.verdict is Verdict.INFRASTRUCTURE
    return Grade(Status.MASKED if lost else Status.FAILED, reason=result.verdict.value, detail=result.detail)
