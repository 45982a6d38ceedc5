"""Rewards: what one response is worth (paper section 3.1, equations 4 to 6).

Promises: pure functions of counts and statuses, the same floats for the same facts, every number of the
paper a named constant, every variant a row of a table. Says nothing of how a status came about, keeps no
state, and compares nothing with other responses: baselines are `absolute_zero.advantages`.

Written `composite(status, score, SCALES[preset][role])`, where the score is the role's own reward:
`learnability` for a proposal, `accuracy` or `coverage` for a solution.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Literal, assert_never, cast

from absolute_zero.checked.plain import number
from absolute_zero.types import Role, Status, UserError

RIGHT = 1.0
"""Accuracy of a right answer (paper eq. 5)."""
WRONG = 0.0
"""Accuracy of a wrong answer (paper eq. 5)."""
NOT_PASSING = -0.5
"""Well formed but not passing (paper eq. 6)."""
FORMAT_ERROR = -1.0
"""The format is broken (paper eq. 6)."""
LARGEST = 1e100
"""No status is worth more, either side of 0: a mistake, and its square must stay finite."""
UNFORESEEABLE = 0.0
"""A valid proposal that was rejected for what the proposer could not see. Ours: the paper has no such check."""

Form = Literal["paper", "variance", "keep_unsolved"]
Preset = Literal["paper", "reference"]


def _paper(successes: int, trials: int) -> float:
    return 0.0 if successes in (0, trials) else (trials - successes) / trials


def _variance(successes: int, trials: int) -> float:
    return 4 * successes * (trials - successes) / trials**2


def _keep_unsolved(successes: int, trials: int) -> float:
    return (trials - successes) / trials


FORMS: Mapping[Form, Callable[[int, int], float]] = {
    "paper": _paper,
    "variance": _variance,
    "keep_unsolved": _keep_unsolved,
}
"""Learnability from (successes, trials). With s = successes / trials: `paper` is 0 if s is 0 or 1, else 1 - s,
largest for a task solved once; `variance` is 4 s (1 - s), largest at s = 1/2; `keep_unsolved` is 1 - s.

From counts and not from s, so that each is rounded once: 9 of 10 gives 0.1, where 1 - 0.9 does not."""


def learnability(successes: int, trials: int, form: Form = "paper") -> float:
    """Return what a valid task is worth to its proposer, in [0, 1] (paper eq. 4).

    `successes` of `trials` rollouts by the current solver were well formed and right. Rollouts that the machine
    failed are in neither count; a task without any left has no learnability, and its status is MASKED.
    Raises ValueError for counts that cannot be, or an unknown form.

    >>> learnability(1, 8), learnability(8, 8), learnability(4, 8, "variance")
    (0.875, 0.0, 1.0)
    """
    if form not in FORMS:
        raise ValueError(f"no form of learnability is called {form!r}: use one of {', '.join(FORMS)}")
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials cannot be: count 0 <= successes <= trials >= 1")
    return FORMS[form](successes, trials)


def accuracy(right: bool) -> float:
    """Return what an answer is worth to its solver: 1 if right, else 0 (paper eq. 5)."""
    return RIGHT if right else WRONG


def coverage(right: int, hidden: int) -> float:
    """Return the share of hidden pairs that a program gets right, in [0, 1]: accuracy by fraction.

    `hidden` counts every hidden pair: one on which the program raised or gave nothing is a pair not given. A
    program that gives none has not passed (Status.FAILED). Raises ValueError for counts that cannot be.

    >>> coverage(4, 5)
    0.8
    """
    if hidden < 1 or not 0 <= right <= hidden:
        raise ValueError(f"{right} of {hidden} hidden pairs cannot be: count 0 <= right <= hidden >= 1")
    return right / hidden


@dataclass(frozen=True, slots=True)
class Scale:
    """What each status earns one role; a response that passed earns its score, unless that is zero."""

    zero: float = 0.0
    """Passed with a score of exactly 0: a valid task that nobody learns from."""
    failed: float = NOT_PASSING
    malformed: float = FORMAT_ERROR
    neutral: float = UNFORESEEABLE
    natural: float = 0.0
    """Added to what a response earns whose format is only natural, and not strict (`absolute_zero.forms`)."""


BOTH = Scale()
"""Of either role (paper eq. 6)."""

Scales = Mapping[Role, Scale]
"""What a response earns, by role."""

SCALES: Mapping[str, Scales] = {
    "paper": {Role.PROPOSE: BOTH, Role.SOLVE: BOTH},
    "reference": {
        # Its zero learnability counts as not passing, and whatever is not a valid task as broken format.
        Role.PROPOSE: Scale(zero=NOT_PASSING, failed=FORMAT_ERROR),
        Role.SOLVE: BOTH,
    },
}
"""The table of scales: the paper's text, or what its public code does instead. A plug-in of the group `rewards` that is
a mapping like these is another one."""
PAPER, REFERENCE = SCALES["paper"], SCALES["reference"]


def check_scales(scales: Scales, name: str) -> Scales:
    """Return the table with Python's own numbers. Raises UserError, naming the table, unless it has a scale for each
    role, with a finite number for each status."""
    if not isinstance(cast("object", scales), Mapping):
        raise UserError(f"reward.scale = {name!r} is not a table of scales: give a rewards.Scale for each role")
    table: dict[Role, Scale] = {}
    for role in Role:
        scale, numbers = scales.get(role), dict[str, float]()
        for field in fields(Scale):
            worth = number(getattr(scale, field.name, field.default if field.name == "natural" else None))
            if worth is None or not abs(worth) <= LARGEST:  # nan is not
                raise UserError(
                    f"reward.scale = {name!r} has no whole scale for {role} ({field.name} is not a finite number):"
                    " give a rewards.Scale for each role"
                )
            numbers[field.name] = worth
        table[role] = Scale(**numbers)
    return table


def formed(reward: float, scale: Scale, strictness: float) -> float:
    """Return what a response earns whose format is only natural: from its reward, as it would be in strict form.

    `strictness` is how far the schedule from natural to strict has come: at 1 it is paid as a malformed one.

    >>> formed(1.0, BOTH, 0.0), formed(1.0, BOTH, 0.5), formed(1.0, BOTH, 1.0)
    (1.0, 0.0, -1.0)
    """
    extra = getattr(scale, "natural", 0.0)  # a plug-in's own scale may lack it
    return (1.0 - strictness) * (reward + extra) + strictness * scale.malformed


def composite(status: Status, score: float, scale: Scale = BOTH) -> float | None:
    """Return the reward of one response, of either role (paper eq. 6); None if it leaves the batch.

    `score` counts only where the status is PASSED. Raises ValueError if it then is not a finite number.

    >>> composite(Status.PASSED, 0.875), composite(Status.MALFORMED, 0.875), composite(Status.MASKED, 0.875)
    (0.875, -1.0, None)
    """
    match status:
        case Status.PASSED:
            if not math.isfinite(score):
                raise ValueError(f"a score of {score} cannot be trained on: pass a finite number")
            return score if score else scale.zero
        case Status.FAILED:
            return scale.failed
        case Status.MALFORMED:
            return scale.malformed
        case Status.NEUTRAL:
            return scale.neutral
        case Status.MASKED:
            return None
        case _:
            assert_never(status)
