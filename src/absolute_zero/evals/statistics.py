"""From judged tries to numbers with intervals (paper section 4.2; HumanEval, arXiv 2107.03374, for pass@k).

Promises: pure and deterministic. A task is one cluster: intervals are percentile bootstraps over tasks, within kinds,
and differences are paired by task. Does not assume that tries of one task are independent of each other.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from absolute_zero.types import Kind

RESAMPLES: Final = 2_000
"""Bootstrap resamples: the ends of a 95 % interval then rest on 50 of them each."""
LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Marks:
    """How one task was answered: `right` of `tries` at temperature 1 (void ones left out), and greedily."""

    kind: Kind
    right: int
    tries: int
    greedy: bool | None
    """None: the machine failed, or nobody asked."""


class Interval(NamedTuple):
    """An estimate and its 95 % interval; nan where nothing was measured."""

    value: float
    low: float
    high: float


def pass_at(k: int, tries: int, right: int) -> float:
    """The chance that at least one of k tries is right, without bias, from `right` of `tries` (k <= tries).

    >>> pass_at(1, 8, 2), round(pass_at(4, 8, 2), 4)
    (0.25, 0.7857)
    """
    if not 0 < k <= tries or not 0 <= right <= tries:
        raise ValueError(f"pass@{k} needs at least {k} tries, and 0 <= right <= tries: got {right} of {tries}")
    return 1.0 - math.comb(tries - right, k) / math.comb(tries, k)


METRICS: Final[Mapping[str, Callable[[Marks], float | None]]] = {
    "t1": lambda marks: marks.right / marks.tries if marks.tries else None,
    "greedy": lambda marks: None if marks.greedy is None else float(marks.greedy),
    "pass8": lambda marks: pass_at(8, marks.tries, marks.right) if marks.tries >= 8 else None,
}
"""The value of one task; None leaves it out of that metric."""


def table(marks: Sequence[Marks]) -> dict[str, dict[str, Interval]]:
    """Every metric by kind and as the mean over the kinds."""
    return _table([(mark, None) for mark in marks])


def difference(before: Sequence[Marks], after: Sequence[Marks]) -> dict[str, dict[str, Interval]]:
    """What changed, task by task: the same tasks in the same order. Raises ValueError if they are not."""
    if [mark.kind for mark in before] != [mark.kind for mark in after]:
        raise ValueError("differences are paired by task: both sides need the same tasks in the same order")
    return _table(list(zip(after, before, strict=True)))


def _table(pairs: Sequence[tuple[Marks, Marks | None]]) -> dict[str, dict[str, Interval]]:
    kinds = [kind for kind in Kind if any(mark.kind is kind for mark, _ in pairs)]
    found: dict[str, dict[str, Interval]] = {str(kind): {} for kind in kinds} | {"mean": {}}
    for name, metric in METRICS.items():
        strata = {kind: _values([pair for pair in pairs if pair[0].kind is kind], metric) for kind in kinds}
        for kind, values in strata.items():
            found[str(kind)][name] = interval([values])
        found["mean"][name] = interval(list(strata.values()))
    return found


def _values(pairs: Sequence[tuple[Marks, Marks | None]], metric: Callable[[Marks], float | None]) -> list[float]:
    values: list[float] = []
    for mark, base in pairs:
        value, other = metric(mark), 0.0 if base is None else metric(base)
        if value is not None and other is not None:
            values.append(value - other)
    return values


def interval(strata: Sequence[Sequence[float]]) -> Interval:
    """The mean over strata of their means, and its percentile bootstrap: every stratum is resampled by itself.

    >>> interval([[1.0, 1.0], [0.0]])
    Interval(value=0.5, low=0.5, high=0.5)
    """
    if not strata or not all(strata):
        return Interval(math.nan, math.nan, math.nan)
    random = Random(0)
    means = sorted(
        sum(sum(random.choices(values, k=len(values))) / len(values) for values in strata) / len(strata)
        for _ in range(RESAMPLES)
    )
    edge = (1 - LEVEL) / 2 * (RESAMPLES - 1)
    value = sum(sum(values) / len(values) for values in strata) / len(strata)
    return Interval(value, means[math.floor(edge)], means[math.ceil(RESAMPLES - 1 - edge)])
