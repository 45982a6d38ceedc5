"""Means and shares over steps, with intervals that do not take the rollouts of a task for independent.

A `Sums` holds what is needed of observations that come in clusters (the rollouts of a task): they add up over
steps, so that a smoothed curve is a weighted sum of them. Promises: pure; nothing measured gives None. Does not know
what is measured.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from absolute_zero.evals.statistics import Estimate

Z: Final = 1.959964
"""Standard errors on each side of a 95 % interval."""


class Sums(NamedTuple):
    """Of clusters with n_c observations that add up to x_c: the sums of n_c, x_c, x_c^2, x_c n_c, n_c^2 and 1.

    >>> Sums.of(4, 1).plus(Sums.of(4, 3))
    Sums(n=8, x=4, xx=10, xn=16, nn=32, clusters=2)
    """

    n: float = 0
    x: float = 0
    xx: float = 0
    xn: float = 0
    nn: float = 0
    clusters: float = 0

    @classmethod
    def of(cls, n: float, x: float) -> "Sums":
        """Return the sums of a single cluster."""
        return cls(n, x, x * x, x * n, n * n, 1)

    @classmethod
    def share(cls, n: float, x: float) -> "Sums":
        """Return the sums of n observations that stand each for itself, x of which are 1 and the others 0."""
        return cls(n, x, x, x, n, n)

    def plus(self, other: "Sums") -> "Sums":
        """Add other sums."""
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def mean(self) -> float | None:
        """Over all observations; None without any."""
        return self.x / self.n if self.n else None


IntervalFormula = Callable[[float, float, float, float], Estimate]
"""From a mean, its standard error, and how many observations and clusters it rests on."""


def mean_interval(value: float, error: float, n: float, clusters: float) -> Estimate:
    """Return the interval of 1.96 standard errors to each side."""
    return Estimate(value, value - Z * error, value + Z * error)


def share_interval(value: float, error: float, n: float, clusters: float) -> Estimate:
    """Return Wilson's interval for a share, of as many independent draws as would have this standard error.

    Where all clusters agree there is no error to see; then a cluster counts as a single draw.
    """
    value = min(max(value, 0.0), 1.0)
    spread = value * (1 - value)
    size = min(spread / error**2, n) if spread > 0 and error > 0 else clusters
    size = max(size, 1.0)
    centre = (value + Z * Z / (2 * size)) / (1 + Z * Z / size)
    half = Z / (1 + Z * Z / size) * math.sqrt(spread / size + Z * Z / (4 * size * size))
    return Estimate(value, max(0.0, centre - half), min(1.0, centre + half))


def estimate(parts: Sequence[tuple[float, Sums]], interval: IntervalFormula) -> Estimate | None:
    """Return the mean of weighted parts, and its interval: the ratio estimator, with the variance between clusters."""
    n = sum(weight * part.n for weight, part in parts)
    if n <= 0:
        return None
    value = sum(weight * part.x for weight, part in parts) / n
    squared = sum(w * w * (it.xx - 2 * value * it.xn + value * value * it.nn) for w, it in parts)
    clusters = sum(weight * part.clusters for weight, part in parts)
    # Weighted parts are worth fewer draws than there are (Kish's effective size).
    worth = clusters**2 / sum(weight * weight * part.clusters for weight, part in parts)
    corrected = max(squared, 0.0) * (worth / (worth - 1) if worth > 1 else 1.0)
    return interval(value, math.sqrt(corrected) / n, n * worth / clusters, worth)


# --- over steps ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bins:
    """Steps 1 to `last` in at most `most` parts of equal width."""

    last: int
    most: int = 100

    @property
    def width(self) -> int:
        """Steps in a bin."""
        return max(1, -(-self.last // self.most))

    @property
    def count(self) -> int:
        return -(-self.last // self.width)

    @property
    def reach(self) -> int:
        """Bins to each side over which curves are smoothed: a tenth of the run, none in a very short one."""
        return 0 if self.count < 8 else max(1, round(self.count / 10))

    def of(self, step: int) -> int:
        """Return the bin of a step."""
        return (step - 1) // self.width

    def steps(self, index: int) -> tuple[int, int]:
        """Return first and last step of a bin."""
        return index * self.width + 1, min(self.last, (index + 1) * self.width)

    def centre(self, index: int) -> float:
        """Return the middle of a bin, in steps."""
        first, last = self.steps(index)
        return (first + last) / 2

    def window(self, index: int) -> list[tuple[float, int]]:
        """Return (weight, bin) around a bin, falling off in straight lines."""
        reach = self.reach
        near = range(max(0, index - reach), min(self.count, index + reach + 1))
        return [(1 - abs(other - index) / (reach + 1), other) for other in near]


def smooth(series: Sequence[Sums], bins: Bins, interval: IntervalFormula = share_interval) -> list[Estimate | None]:
    """Return the smoothed curve; None in a bin where nothing was measured in or near it."""
    windows = map(bins.window, range(bins.count))
    return [estimate([(weight, series[other]) for weight, other in window], interval) for window in windows]


def smooth_values(values: Sequence[float | None], bins: Bins) -> list[float | None]:
    """Return the weighted mean of what there is around each bin."""
    means: list[float | None] = []
    for index in range(bins.count):
        near = [(weight, values[other]) for weight, other in bins.window(index)]
        total = sum(weight for weight, value in near if value is not None)
        means.append(sum(weight * value for weight, value in near if value is not None) / total if total else None)
    return means


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values, between neighbours in a straight line.

    >>> quantile([1, 2, 3, 4], 0.5)
    2.5
    """
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
