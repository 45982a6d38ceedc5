"""The drawings that are not plain curves: dots with intervals, a heat map, bands that fill a whole, a small curve.

Promises: as in `charts`. Does not compute statistics.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from absolute_zero.evals.statistics import Estimate
from absolute_zero.report.charts import (
    BOTTOM,
    LETTER,
    PERCENT,
    TOP,
    Axis,
    Panel,
    apart,
    at_steps,
    nice,
    percent,
    short,
    steps_axis,
    whole,
)
from absolute_zero.report.markup import Markup, brief, join, tag
from absolute_zero.report.statistics import Bins, smooth_values

NOTHING: Final = Axis(0, 1, (), str)
NAME: Final = 20
"""Letters of the name of a row that there is room for."""


class Row(NamedTuple):
    """A line of a picture of dots."""

    name: str
    class_: str
    before: Estimate | None
    after: Estimate | None
    """Without `before`, a difference."""
    note: str


def dots(rows: Sequence[Row], x: Axis, unit: str, label: str) -> Markup:
    """Draw each row as a dot with its interval: before hollow, after full."""
    height = TOP + 30 * len(rows) + BOTTOM + 4
    letters = min(max((len(row.name) for row in rows), default=0), NAME)
    panel = Panel(x, NOTHING, unit, height=height, left=max(86, round(LETTER * letters) + 20), right=12)
    for tick in x.ticks:
        panel.rule(panel.at(tick), TOP, panel.at(tick), height - BOTTOM, "zero" if tick == 0 else "grid")
    for index, row in enumerate(rows):
        middle = TOP + 30 * index + 18.0
        panel.text(4, middle + 4, brief(row.name, NAME - 1), f"row {row.class_}")
        lift = 5 if row.before and row.after else 0
        for estimate, y, class_ in ((row.before, middle - lift, "before"), (row.after, middle + lift, "after")):
            if estimate is None:
                continue
            if estimate.low < estimate.high:
                panel.rule(panel.at(estimate.low), y, panel.at(estimate.high), y, f"{class_} {row.class_}")
            spot = {"cx": panel.at(estimate.value), "cy": y, "r": 4.2}
            panel.drawn.append(tag("circle", class_=f"{class_} {row.class_}", **spot))
        across = panel.width - panel.left - panel.right
        hit = {"x": panel.left, "y": middle - 13, "width": across, "height": 28}
        panel.drawn.append(tag("rect", tag("title", row.note), class_="hit", **hit))
    return panel.svg(label)


def heat(bins: Bins, most: int, counts: Sequence[Counter[int]], label: str) -> Markup:
    """Draw for each bin the share of new tasks with 0, 1, ... successes in `most` rollouts, as shades."""
    ticks = tuple(tick for tick in (nice(most).ticks if most > 4 else range(most + 1)) if tick <= most)
    axis = Axis(-0.5, most + 0.5, tuple(dict.fromkeys((*ticks, most))), whole)
    panel = Panel(steps_axis(bins), axis, "step", right=62)
    for index, count in enumerate(counts):
        total = count.total()
        left = panel.at(bins.centre(index) - bins.width / 2)
        wide = panel.at(bins.centre(index) + bins.width / 2) - left
        for solved, number in sorted(count.items()):
            top, high = panel.up(solved + 0.5), panel.up(solved - 0.5) - panel.up(solved + 0.5)
            # A square root lets rare counts be seen; ten shades are as many as an eye tells apart.
            shade = math.ceil(10 * math.sqrt(number / total))
            # Half a pixel over its neighbour: else the background shines through between them.
            box = {"x": left, "y": top, "width": wide + 0.4, "height": high - 1}
            panel.drawn.append(tag("rect", class_=f"heat h{shade}", **box))
        if total:
            share = ", ".join(f"{solved}: {percent(number / total)}" for solved, number in sorted(count.items()))
            words = f"{at_steps(bins, index)}, {total} new task{'' if total == 1 else 's'}\nsuccesses {share}"
            panel.read_out(bins.centre(index), bins.width, words)
    for name, level in (("too easy", most), ("too hard", 0)):
        panel.ends.append((panel.up(level), name, "muted"))
    return panel.svg(label)


class Layer(NamedTuple):
    """A band of a whole."""

    name: str
    class_: str
    counts: Sequence[float]


def stack(bins: Bins, layers: Sequence[Layer], label: str) -> Markup:
    """Draw shares that add up to one, from the bottom; the widest have their names at the right."""
    panel = Panel(steps_axis(bins), PERCENT, "step", right=104)
    totals = [sum(layer.counts[index] for layer in layers) for index in range(bins.count)]
    smooth = smooth_values(totals, bins)
    centres = [bins.centre(index) for index in range(bins.count)]
    floor = [0.0] * bins.count
    names: list[tuple[float, float, str, str]] = []
    for layer in layers:
        parts = smooth_values(layer.counts, bins)
        shares = [(part or 0.0) / total if total else 0.0 for part, total in zip(parts, smooth, strict=True)]
        roof = [low + part for low, part in zip(floor, shares, strict=True)]
        edges = [(x, low, high) for x, low, high in zip(centres, floor, roof, strict=True)]
        # To both ends of the axis, which reaches half a bin beyond the centres.
        edges = [(panel.x.low, *edges[0][1:]), *edges, (panel.x.high, *edges[-1][1:])]
        panel.band(edges, f"layer {layer.class_}")
        share = sum(layer.counts) / max(sum(totals), 1)
        if share >= 0.025:
            names.append((panel.up((floor[-1] + roof[-1]) / 2), share, layer.name, layer.class_))
        floor = roof
    names = sorted(sorted(names, key=lambda name: -name[1])[:11])
    heights = apart([height for height, *_ in names], TOP + 4, panel.height - BOTTOM - 2)
    for (_, share, name, class_), height in zip(names, heights, strict=True):
        x = panel.width - panel.right + 6
        panel.drawn.append(tag("rect", x=x, y=height - 4.0, width=7, height=8, class_=f"layer {class_}"))
        panel.text(x + 11, height + 3.5, f"{name} {percent(share)}", "name ink")
    for index, total in enumerate(totals):
        if total:
            lines = [f"{it.name} {percent(it.counts[index] / total)}" for it in reversed(layers) if it.counts[index]]
            head = f"{at_steps(bins, index)}, {total:.0f} proposals"
            panel.read_out(bins.centre(index), bins.width, "\n".join((head, *lines)))
    return panel.svg(label)


def small(values: Sequence[tuple[int, float]], show: Callable[[float], str] = short) -> Markup:
    """Draw a curve of the size of a word."""
    finite = [(float(step), value) for step, value in values if math.isfinite(value)]
    if len(finite) < 2:
        return join([])
    every = max(1, len(finite) // 150)
    points = [*finite[::every], finite[-1]]
    low, high = min(value for _, value in points), max(value for _, value in points)
    pad = (high - low) * 0.08 or 1.0
    x0, x1 = points[0][0], points[-1][0]

    def pixels(step: float, value: float) -> str:
        right, up = (step - x0) / max(x1 - x0, 1), (value - low + pad) / (high - low + 2 * pad)
        return f"{2 + right * 136:.1f} {26 - up * 24:.1f}"

    path = "M" + "L".join(pixels(step, value) for step, value in points)
    label = f"from {show(points[0][1])} to {show(points[-1][1])}"
    return tag(
        "svg",
        tag("path", d=path, class_="line ink"),
        viewBox="0 0 140 28",
        role="img",
        aria_label=label,
        class_="small",
    )
