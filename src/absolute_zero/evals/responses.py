"""How responses fared, by kind and role: how many kept the form, were valid or right, and why the others were not.

Promises: pure; what the machine lost does not count. Floor 4.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self, final

from absolute_zero.evals.statistics import Estimate, proportion
from absolute_zero.selfplay import LOST
from absolute_zero.types import Completion, Grade, Rollout, Status, Validation


@final
@dataclass(frozen=True, slots=True)
class Response:
    """How one response fared."""

    text: str
    tokens: int
    well_formed: bool
    """The form that was asked for gave an answer."""
    good: bool
    """A proposal is valid (it ran, and always alike); a solution is right in full."""
    strict: bool
    """It is well formed by the strict reading as well."""
    accepted: bool
    """A proposal became a task: it is valid, and new."""
    reason: str
    """Why it is not good, or not accepted; empty otherwise."""

    @classmethod
    def of_validation(cls, validation: Validation) -> Self:
        """Return how a proposal fared."""
        proposal, result = validation.proposal, validation.result
        grade = result if isinstance(result, Grade) else None
        return cls._of(proposal.completion, grade, validation.valid, proposal.strict, validation.task is not None)

    @classmethod
    def of_rollout(cls, rollout: Rollout) -> Self:
        """Return how a solution fared."""
        return cls._of(rollout.completion, rollout.grade, rollout.grade.correct, rollout.strict)

    @classmethod
    def _of(cls, it: Completion, grade: Grade | None, good: bool, strict: bool, accepted: bool = False) -> Self:
        well_formed = bool(it.tokens) and (grade is None or grade.status is not Status.MALFORMED)
        reason = grade.reason if grade else ""
        return cls(it.text, len(it.tokens), well_formed, good, strict and well_formed, accepted, reason)


def counted(responses: Iterable[Response]) -> list[Response]:
    """Return the responses without those that the machine lost."""
    return [response for response in responses if response.reason != LOST.reason]


def share(responses: Sequence[Response], of: str) -> Estimate:
    """Return the share of responses that are `well_formed`, `good`, `strict` or `accepted`, with its interval."""
    return proportion(sum(getattr(response, of) for response in responses), len(responses))


def mean_tokens(responses: Sequence[Response]) -> float:
    """Return the mean length of responses, in tokens; 0 for none."""
    return sum(response.tokens for response in responses) / max(1, len(responses))


def failures(responses: Sequence[Response], most: int = 2) -> list[tuple[str, int, str]]:
    """Return the commonest reasons of failure, with how many there are and the last text of each.

    >>> failures([Response("2", 1, True, False, True, False, "wrong"), Response("3", 1, True, True, True, False, "")])
    [('wrong', 1, '2')]
    """
    texts = {response.reason: response.text for response in responses if response.reason}
    counts = Counter(response.reason for response in responses if response.reason)
    return [(reason, count, texts[reason]) for reason, count in counts.most_common(most)]
