"""Drawings as inline SVG: a panel with axes, and what can stand in it.

Promises: every number that is drawn can be read: axes have units, curves have their names at their ends, and each bin
of steps has its values as a `<title>`, which browsers show when pointed at. Colours are classes, so that light, dark
and print decide about them; a text of the run appears in text nodes only. Does not compute statistics.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from absolute_zero.evals.statistics import Estimate
from absolute_zero.report.markup import Markup, Part, join, tag
from absolute_zero.report.statistics import Bins

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 40, 62, 10, 30
LETTER: Final = 6.1
"""Width of a letter of a chart, about."""
APART: Final = 12.5
"""Least distance between two labels at the ends of curves."""

Point = tuple[float, float]
T = TypeVar("T")


class Axis(NamedTuple):
    """From `low` to `high`, with ticks; `show` writes a value with its unit."""

    low: float
    high: float
    ticks: tuple[float, ...]
    show: Callable[[float], str]


def signed(value: float) -> str:
    """Write a difference, or a reward, with its sign.

    >>> signed(0.5), signed(0), signed(-1) == chr(0x2212) + "1"
    ('+0.5', '0', True)
    """
    return f"{value:+g}".replace("-", "\u2212") if value else "0"


def percent(value: float) -> str:
    """Write a share as a reader takes it in, with a blank that breaks no line.

    >>> percent(0.123).split(), percent(0.004).split()
    (['12', '%'], ['0.4', '%'])
    """
    value *= 100
    return f"{value:.1f}\xa0%" if 0 < abs(value) < 1 or 99 < value < 100 else f"{value:.0f}\xa0%"


def short(value: float) -> str:
    """Write a number with three figures or so.

    >>> short(1234567), short(1250), short(12.34), short(-0.5), short(1e-6)
    ('1.2M', '1,250', '12.3', '-0.5', '1e-06')
    """
    size = abs(value)
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if size >= 1e6:
        return f"{value / 1e6:.1f}M"
    if size >= 1000:
        return f"{value:,.0f}"
    if size < 0.001 and value:
        return f"{value:.1g}"
    return f"{value:.3g}"


def hundredths(value: float) -> str:
    """Write a tick of a share."""
    return f"{100 * value:g} %"


PERCENT: Final = Axis(0, 1, (0, 0.25, 0.5, 0.75, 1), hundredths)
REWARD: Final = Axis(-1, 1, (-1, -0.5, 0, 0.5, 1), signed)


def nice(high: float, show: Callable[[float], str] = short, low: float = 0.0, parts: int = 4) -> Axis:
    """Return an axis with round ticks that holds low and high.

    >>> nice(87).ticks
    (0.0, 25.0, 50.0, 75.0, 100.0)
    """
    reach = high - low
    if not math.isfinite(reach) or reach <= 0:
        high, reach = low + 1, 1.0
    rough = reach / parts
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(multiple * step, 12) for multiple in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks, show)


def steps_axis(bins: Bins) -> Axis:
    """Return the axis of steps, from the first to the last."""
    ticks = [tick for tick in nice(bins.last).ticks if 1 < tick < bins.last and tick == int(tick)]
    ticks = [1, *(tick for tick in ticks if bins.last - tick > bins.last / 8 and tick - 1 > bins.last / 10), bins.last]
    return Axis(0.5, bins.last + 0.5, tuple(dict.fromkeys(ticks)), whole)


def whole(value: float) -> str:
    """Write a number without a fraction."""
    return f"{value:,.0f}"


@dataclass
class Panel:
    """One drawing: what is added later lies on top."""

    x: Axis
    y: Axis
    unit: str = ""
    """What the horizontal axis counts."""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    drawn: list[Markup] = field(default_factory=list[Markup])
    ends: list[tuple[float, str, str]] = field(default_factory=list[tuple[float, str, str]])
    """(height, name, class) of the curves that end at the right."""

    def at(self, x: float) -> float:
        """Return how far from the left a value stands, in pixels."""
        return self.left + (x - self.x.low) / (self.x.high - self.x.low) * (self.width - self.left - self.right)

    def up(self, y: float) -> float:
        """Return how far from the top a value stands, in pixels; a value beyond the axis stands at its end."""
        y = min(max(y, self.y.low), self.y.high)
        return self.height - BOTTOM - (y - self.y.low) / (self.y.high - self.y.low) * (self.height - TOP - BOTTOM)

    # --- what can stand in it -------------------------------------------------------------------------------

    def line(self, points: Iterable[Point | None], class_: str = "line", name: str = "") -> None:
        """Draw a curve with gaps where there is None, and its name at its end."""
        last: Point | None = None
        for run in _runs(points):
            path = "M" + "L".join(self._point(x, y) for x, y in run)
            lone = len(run) == 1  # it becomes the dot of its round ends
            self.drawn.append(tag("path", d=path + "h0.01" * lone, class_=class_ + " lone" * lone))
            last = run[-1]
        if name and last is not None:
            self.ends.append((self.up(last[1]), name, class_))

    def band(self, points: Iterable[tuple[float, float, float] | None], class_: str = "band") -> None:
        """Fill what lies between two curves, as (x, low, high)."""
        for run in _runs(points):
            there = "L".join(self._point(x, high) for x, _, high in run)
            back = "L".join(self._point(x, low) for x, low, _ in reversed(run))
            self.drawn.append(tag("path", d=f"M{there}L{back}Z", class_=class_))

    def dots(self, points: Iterable[Point], class_: str = "dot") -> None:
        """Draw faint points, as a single path of round ends."""
        path = "".join(f"M{self._point(x, y)}h0.01" for x, y in points)
        if path:
            self.drawn.append(tag("path", d=path, class_=class_))

    def text(self, x: float, y: float, text: Part, class_: str = "", anchor: str = "start") -> None:
        """Write a text at a point in pixels."""
        self.drawn.append(tag("text", text, x=x, y=y, class_=class_ or None, text_anchor=anchor))

    def rule(self, x1: float, y1: float, x2: float, y2: float, class_: str) -> None:
        """Draw a straight line between points in pixels."""
        self.drawn.append(tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_))

    def read_out(self, x: float, wide: float, text: str) -> None:
        """Say what is shown when this stretch of the axis is pointed at."""
        left, right = self.at(x - wide / 2), self.at(x + wide / 2)
        high = self.height - BOTTOM - TOP
        self.drawn.append(tag("rect", tag("title", text), x=left, y=TOP, width=right - left, height=high, class_="hit"))

    def _point(self, x: float, y: float) -> str:
        return f"{self.at(x):.1f} {self.up(y):.1f}"

    # --- the whole ------------------------------------------------------------------------------------------

    def svg(self, label: str) -> Markup:
        """Return the drawing; `label` says in words what it is of, in our own words only: it is an attribute."""
        view = f"0 0 {self.width} {self.height}"
        parts = (*self._axes(), *self.drawn, *self._names())
        return tag("svg", *parts, viewBox=view, role="img", aria_label=label)

    def _axes(self) -> Iterable[Markup]:
        bottom, right = self.height - BOTTOM, self.width - self.right
        for tick in self.y.ticks:
            class_ = "zero" if tick == 0 else "grid"
            yield tag("line", x1=self.left, y1=self.up(tick), x2=right, y2=self.up(tick), class_=class_)
            label = self.y.show(tick)
            if label:
                yield tag("text", label, x=self.left - 6, y=self.up(tick) + 3.5, text_anchor="end", class_="tick")
        for tick in self.x.ticks:
            yield tag("line", x1=self.at(tick), y1=bottom, x2=self.at(tick), y2=bottom + 4, class_="grid")
            yield tag("text", self.x.show(tick), x=self.at(tick), y=bottom + 15, text_anchor="middle", class_="tick")
        if self.unit:
            yield tag("text", self.unit, x=right, y=bottom + 27, text_anchor="end", class_="tick")

    def _names(self) -> Iterable[Markup]:
        """Write the names of the curves, moved apart where they would lie on each other."""
        ordered = sorted(self.ends, key=lambda end: round(end[0]))  # of equals, the first drawn is named first
        heights = apart([height for height, _, _ in ordered], TOP + 4, self.height - BOTTOM)
        for (_, name, class_), height in zip(ordered, heights, strict=True):
            x = self.width - self.right + 5
            yield tag("text", name, x=x, y=height + 3.5, class_=f"name {class_}")


def apart(heights: Sequence[float], low: float, high: float) -> list[float]:
    """Move sorted heights as little as it takes to keep them APART and, as far as they fit, between low and high.

    >>> apart([50, 51], 0, 100)
    [50, 62.5]
    """
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + APART if moved else low))
    limit = high
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], limit)
        limit = moved[index] - APART
    return moved


def _runs(points: Iterable[T | None]) -> Iterable[list[T]]:
    """Yield the stretches between gaps."""
    run: list[T] = []
    for point in points:
        if point is not None:
            run.append(point)
        elif run:
            yield run
            run = []
    if run:
        yield run


# --- panels over steps --------------------------------------------------------------------------------------


class Curve(NamedTuple):
    """A curve over the bins: smoothed, with an interval, and the raw values behind it."""

    name: str
    class_: str
    """Its style: `line`, `line second`, ..."""
    values: Sequence[Estimate | None]
    raw: Sequence[float | None] = ()
    joined: bool = False
    """The line runs straight over what was not measured."""


def over_steps(
    bins: Bins, y: Axis, curves: Sequence[Curve], label: str, show: Callable[[float], str], named: bool = True
) -> Markup:
    """Draw curves over the steps of a run, with what they say in every bin."""
    panel = Panel(steps_axis(bins), y, "step", right=RIGHT if named else 14)
    centres = [bins.centre(index) for index in range(bins.count)]
    for curve in curves:
        extra = curve.class_.removeprefix("line")
        if curve.raw:
            raw = zip(centres, curve.raw, strict=True)
            panel.dots([(x, value) for x, value in raw if value is not None], f"dot{extra}")
        if any(it and it.low < it.high for it in curve.values):
            edges = [it and (x, it.low, it.high) for x, it in zip(centres, curve.values, strict=True)]
            panel.band(edges, f"band{extra}")
    for curve in curves:
        points = [it and (x, it.value) for x, it in zip(centres, curve.values, strict=True)]
        points = [it for it in points if it is not None or not curve.joined]
        panel.line(points, curve.class_, curve.name if named else "")
    for index, x in enumerate(centres):
        lines = [_value_line(curve, index, show) for curve in curves]
        if any(lines):
            panel.read_out(x, bins.width, "\n".join((at_steps(bins, index), *filter(None, lines))))
    return panel.svg(label)


def _value_line(curve: Curve, index: int, show: Callable[[float], str]) -> str:
    value = curve.values[index]
    if value is None:
        return ""
    text = f"{curve.name} {show(value.value)}".strip()
    if value.low < value.high:
        text += f" ({show(value.low)} to {show(value.high)})"
    raw = curve.raw[index] if curve.raw else None
    return text if raw is None else f"{text}; here alone {show(raw)}"


def at_steps(bins: Bins, index: int) -> str:
    """Return the steps of a bin in words."""
    first, last = bins.steps(index)
    return f"step {first}" if first == last else f"steps {first} to {last}"


def figure(title: Part, drawing: Markup, class_: str = "", note: Part = "") -> Markup:
    """Return a drawing under its title."""
    caption = tag("figcaption", tag("b", title), join([" ", tag("small", note)]) if note else "")
    return tag("figure", caption, drawing, class_=f"panel {class_}".strip())


def grid(*rows: Sequence[Markup]) -> Markup:
    """Return drawings side by side as far as there is room; rows of a single drawing each go into a common row."""
    if all(len(row) <= 1 for row in rows):
        rows = ([drawing for row in rows for drawing in row],)
    return join(tag("div", *row, class_="grid") for row in rows if row)
