"""From judged tries to numbers with intervals (paper section 4.2; HumanEval, arXiv 2107.03374, for pass@k).

Promises: pure and deterministic. Intervals are percentile bootstraps over families of tasks, and differences are paired
by task. Assumes neither that tries of one task are independent of each other, nor tasks of one family: those whose
programs differ in constants only, of any kind.
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

Named = tuple[str, float]
"""A family, and the value of one task in it."""


@dataclass(frozen=True, slots=True)
class EvalResult:
    """How one task was answered: `right` of `tries` at temperature 1 (void ones left out), and greedily."""

    kind: Kind
    right: int
    tries: int
    greedy: bool | None
    """None: the machine failed, or nobody asked."""
    family: str = ""
    """Tasks of one family are solved or not together. Empty: a task of its own."""


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


METRICS: Final[Mapping[str, Callable[[EvalResult], float | None]]] = {
    "t1": lambda marks: marks.right / marks.tries if marks.tries else None,
    "greedy": lambda marks: None if marks.greedy is None else float(marks.greedy),
    "pass8": lambda marks: pass_at(8, marks.tries, marks.right) if marks.tries >= 8 else None,
}
"""The value of one task; None leaves it out of that metric."""


def table(marks: Sequence[EvalResult]) -> dict[str, dict[str, Interval]]:
    """Every metric by kind and as the mean over the kinds."""
    return _table([(mark, None) for mark in marks])


def difference(before: Sequence[EvalResult], after: Sequence[EvalResult]) -> dict[str, dict[str, Interval]]:
    """What changed, task by task: the same tasks in the same order. Raises ValueError if they are not."""
    if [mark.kind for mark in before] != [mark.kind for mark in after]:
        raise ValueError("differences are paired by task: both sides need the same tasks in the same order")
    return _table(list(zip(after, before, strict=True)))


def _table(pairs: Sequence[tuple[EvalResult, EvalResult | None]]) -> dict[str, dict[str, Interval]]:
    kinds = [kind for kind in Kind if any(mark.kind is kind for mark, _ in pairs)]
    found: dict[str, dict[str, Interval]] = {str(kind): {} for kind in kinds} | {"mean": {}}
    for name, metric in METRICS.items():
        strata = {kind: _values([pair for pair in pairs if pair[0].kind is kind], metric) for kind in kinds}
        for kind, values in strata.items():
            found[str(kind)][name] = interval([values])
        found["mean"][name] = interval(list(strata.values()))
    return found


def _values(
    pairs: Sequence[tuple[EvalResult, EvalResult | None]], metric: Callable[[EvalResult], float | None]
) -> list[Named]:
    values: list[Named] = []
    for mark, base in pairs:
        value, other = metric(mark), 0.0 if base is None else metric(base)
        if value is not None and other is not None:
            values.append((mark.family, value - other))
    return values


def interval(strata: Sequence[Sequence[Named]]) -> Interval:
    """The mean over strata of their means, and its percentile bootstrap over families.

    Families within one stratum are resampled among themselves, and so are those that reach over several.

    >>> interval([[("", 1.0), ("", 1.0)], [("", 0.0)]])
    Interval(value=0.5, low=0.5, high=0.5)
    """
    if not strata or not all(strata):
        return Interval(math.nan, math.nan, math.nan)
    random, groups, means = Random(0), _groups(strata), list[float]()
    while len(means) < RESAMPLES:
        sums, counts = [0.0] * len(strata), [0] * len(strata)
        for size, parts in groups:
            drawn = random.choices(range(size), k=size)
            for place, total, count in parts:
                sums[place] += sum(map(total.__getitem__, drawn))
                counts[place] += sum(map(count.__getitem__, drawn))
        if all(counts):  # a stratum that shares all its families with others may miss them
            means.append(sum(total / count for total, count in zip(sums, counts, strict=True)) / len(strata))
    means.sort()
    edge = (1 - LEVEL) / 2 * (RESAMPLES - 1)
    value = sum(sum(value for _, value in named) / len(named) for named in strata) / len(strata)
    return Interval(value, means[math.floor(edge)], means[math.ceil(RESAMPLES - 1 - edge)])


def _groups(strata: Sequence[Sequence[Named]]) -> list[tuple[int, list[tuple[int, list[float], list[int]]]]]:
    """Families that are resampled among themselves: how many, and for every stratum the sum and the number of the
    values of each."""
    families: dict[str | tuple[int, int], dict[int, list[float]]] = {}
    for place, named in enumerate(strata):
        for number, (family, value) in enumerate(named):
            families.setdefault(family or (place, number), {}).setdefault(place, []).append(value)
    groups: dict[int, list[dict[int, list[float]]]] = {}
    for found in families.values():
        groups.setdefault(next(iter(found)) if len(found) == 1 else len(strata), []).append(found)
    return [
        (
            len(group),
            [
                (place, [sum(found.get(place, ())) for found in group], [len(found.get(place, ())) for found in group])
                for place in range(len(strata))
                if any(place in found for found in group)
            ],
        )
        for group in groups.values()
    ]
