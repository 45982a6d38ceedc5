"""From graded rollouts to numbers with intervals (paper section 4.2; HumanEval, arXiv 2107.03374, for pass@k).

Promises: pure and deterministic. Intervals are percentile bootstraps over groups of tasks, and differences are paired
by task. Assumes neither that rollouts of one task are independent of each other, nor tasks of one group, of any kind:
which tasks stand or fall together their domain says (in Python, those whose programs differ in constants only).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

RESAMPLES: Final = 2_000
"""Bootstrap resamples: the ends of a 95 % interval then rest on 50 of them each."""
LEVEL: Final = 0.95
Z: Final = 1.959964
"""Standard deviations of a normal distribution within which that share lies."""

GroupedValue = tuple[str, float]
"""A group of tasks, and the value of one task in it."""


@dataclass(frozen=True, slots=True)
class EvalResult:
    """How one task was answered: `correct` of `n` sampled rollouts (masked ones left out), and greedily."""

    kind: str
    correct: int
    n: int
    greedy: bool | None
    """None: the machine failed, or nobody asked."""
    group: str = ""
    """Tasks of one group are solved or not together. Empty: a task of its own."""


class Estimate(NamedTuple):
    """A value and its 95 % interval: nan where nothing was measured, and an interval of nan where there are too few
    groups for one."""

    value: float
    low: float
    high: float


def significant(estimate: Estimate) -> bool:
    """Return whether a difference has an interval without 0; never where it has no interval.

    >>> significant(Estimate(0.1, 0.02, 0.3)), significant(Estimate(0.1, math.nan, math.nan))
    (True, False)
    """
    return estimate.low > 0 or estimate.high < 0


def pass_at(k: int, n: int, correct: int) -> float:
    """Return the chance that at least one of k rollouts is right, without bias, from `correct` of `n` (k <= n).

    >>> pass_at(1, 8, 2), round(pass_at(4, 8, 2), 4)
    (0.25, 0.7857)
    """
    if not 0 < k <= n or not 0 <= correct <= n:
        raise ValueError(f"pass@{k} needs at least {k} rollouts, and 0 <= correct <= n: got {correct} of {n}")
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def proportion(successes: int, n: int) -> Estimate:
    """Return a share of independent trials, with Wilson's 95 % interval; nan for none.

    >>> [round(value, 3) for value in proportion(8, 10)]
    [0.8, 0.49, 0.943]
    """
    if not n:
        return Estimate(math.nan, math.nan, math.nan)
    share, z2 = successes / n, Z * Z
    centre, half = share + z2 / (2 * n), Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = (centre - half) / (1 + z2 / n), (centre + half) / (1 + z2 / n)
    return Estimate(share, min(share, max(0.0, low)), max(share, min(1.0, high)))  # which rounding may go past


METRICS: Final[Mapping[str, Callable[[EvalResult], float | None]]] = {
    "pass_at_1": lambda result: result.correct / result.n if result.n else None,
    "greedy": lambda result: None if result.greedy is None else float(result.greedy),
    "pass_at_8": lambda result: pass_at(8, result.n, result.correct) if result.n >= 8 else None,
}
"""The value of one task; None leaves it out of that metric."""
LABELS: Final[Mapping[str, str]] = {"pass_at_1": "pass@1", "greedy": "greedy", "pass_at_8": "pass@8"}
"""What the metrics are called for people."""


def table(results: Sequence[EvalResult]) -> dict[str, dict[str, Estimate]]:
    """Return every metric by kind, in the order in which kinds come, and as the mean over the kinds."""
    return _table([(result, None) for result in results])


def difference(before: Sequence[EvalResult], after: Sequence[EvalResult]) -> dict[str, dict[str, Estimate]]:
    """Return what changed, task by task: the same tasks in the same order. Raises ValueError if they are not."""
    if [result.kind for result in before] != [result.kind for result in after]:
        raise ValueError("differences are paired by task: both sides need the same tasks in the same order")
    return _table(list(zip(after, before, strict=True)))


def _table(pairs: Sequence[tuple[EvalResult, EvalResult | None]]) -> dict[str, dict[str, Estimate]]:
    kinds = list(dict.fromkeys(result.kind for result, _ in pairs))
    rows: dict[str, dict[str, Estimate]] = {kind: {} for kind in kinds} | {"mean": {}}
    for name, metric in METRICS.items():
        strata = {kind: _values([pair for pair in pairs if pair[0].kind == kind], metric) for kind in kinds}
        for kind, values in strata.items():
            rows[kind][name] = interval([values])
        rows["mean"][name] = interval(list(strata.values()))
    return rows


def _values(
    pairs: Sequence[tuple[EvalResult, EvalResult | None]], metric: Callable[[EvalResult], float | None]
) -> list[GroupedValue]:
    values: list[GroupedValue] = []
    for result, base in pairs:
        value, other = metric(result), 0.0 if base is None else metric(base)
        if value is not None and other is not None:
            values.append((result.group, value - other))
    return values


def interval(strata: Sequence[Sequence[GroupedValue]]) -> Estimate:
    """Return the mean over strata of their means, and its percentile bootstrap over groups.

    Groups within one stratum are resampled among themselves, and so are those that reach over several. No interval
    where a stratum has fewer than two groups, or none that can take another's place: how they vary is not known.

    >>> interval([[("", 1.0), ("", 1.0)], [("", 0.0), ("", 0.0)]])
    Estimate(value=0.5, low=0.5, high=0.5)
    >>> interval([[("", 1.0)]])
    Estimate(value=1.0, low=nan, high=nan)
    """
    if not strata or not all(strata):
        return Estimate(math.nan, math.nan, math.nan)
    value = sum(sum(value for _, value in values) / len(values) for values in strata) / len(strata)
    random, pools, means = Random(0), _pools(strata), list[float]()
    groups, largest = [0] * len(strata), [0] * len(strata)
    for size, parts in pools:
        for stratum, _, numbers in parts:
            groups[stratum] += sum(map(bool, numbers))
            largest[stratum] = max(largest[stratum], size)
    if min(*groups, *largest) < 2:
        return Estimate(value, math.nan, math.nan)
    while len(means) < RESAMPLES:
        sums, counts = [0.0] * len(strata), [0] * len(strata)
        for size, parts in pools:
            drawn = random.choices(range(size), k=size)
            for stratum, totals, numbers in parts:
                sums[stratum] += sum(map(totals.__getitem__, drawn))
                counts[stratum] += sum(map(numbers.__getitem__, drawn))
        if all(counts):  # a stratum that shares all its groups with others may miss them
            means.append(sum(total / count for total, count in zip(sums, counts, strict=True)) / len(strata))
    means.sort()
    edge = (1 - LEVEL) / 2 * (RESAMPLES - 1)
    return Estimate(value, means[math.floor(edge)], means[math.ceil(RESAMPLES - 1 - edge)])


def _pools(strata: Sequence[Sequence[GroupedValue]]) -> list[tuple[int, list[tuple[int, list[float], list[int]]]]]:
    """Return the groups that are resampled among themselves: how many, and for every stratum the sum and the number of
    the values of each."""
    groups: dict[str | tuple[int, int], dict[int, list[float]]] = {}
    for stratum, values in enumerate(strata):
        for number, (group, value) in enumerate(values):
            groups.setdefault(group or (stratum, number), {}).setdefault(stratum, []).append(value)
    pools: dict[int, list[dict[int, list[float]]]] = {}
    for by_stratum in groups.values():
        pools.setdefault(next(iter(by_stratum)) if len(by_stratum) == 1 else len(strata), []).append(by_stratum)
    return [
        (
            len(pool),
            [
                (
                    stratum,
                    [sum(by_stratum.get(stratum, ())) for by_stratum in pool],
                    [len(by_stratum.get(stratum, ())) for by_stratum in pool],
                )
                for stratum in range(len(strata))
                if any(stratum in by_stratum for by_stratum in pool)
            ],
        )
        for pool in pools.values()
    ]
