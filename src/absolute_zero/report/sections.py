"""The curves of the page, each section with what to look for in it.

Promises: a section without data says why in one line. Captions say what is drawn and how, never what came out. Does
not read files.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from absolute_zero.report.charts import (
    PERCENT,
    REWARD,
    Axis,
    Curve,
    figure,
    grid,
    hundredths,
    nice,
    over_steps,
    percent,
    short,
)
from absolute_zero.report.figures import (
    Figures,
    Spread,
    Who,
    born_sums,
    histogram,
)
from absolute_zero.report.markup import Markup, Part, empty, join, table, tag
from absolute_zero.report.pictures import heat, small
from absolute_zero.report.statistics import (
    Estimate,
    Interval,
    Sums,
    mean_interval,
    share_interval,
    smooth,
    smooth_values,
)
from absolute_zero.types import Kind, Role

NO_STEP: Final = "No training step is stored yet, so there is nothing to draw."
COLUMNS: Final = 30
"""Columns of a heat map: with fewer steps in each, one would see single tasks."""
TENTH: Final = Axis(0, 0.1, (0, 0.025, 0.05, 0.075, 0.1), hundredths)
"""For shares that stay so small."""
NAMES: Final = {Role.PROPOSE: "proposer", Role.SOLVE: "solver"}


def note(*parts: Part) -> Markup:
    """A caption."""
    return tag("p", *parts, class_="note")


def smoothing(figures: Figures) -> str:
    """How the curves of this run are smoothed, in words."""
    reach = figures.bins.reach * figures.bins.width
    if not reach:
        return "Curves of so short a run are not smoothed."
    return f"Curves are averages over about {reach} steps to each side; dots are single steps."


# --- learning -----------------------------------------------------------------------------------------------


def learning(figures: Figures) -> Markup:
    """Success of the solver, and rewards of both roles."""
    if not figures.passed:
        return empty(NO_STEP if not figures.steps else "No response was judged, so there is nothing to draw.")
    solved: list[Markup] = []
    paid: list[Markup] = []
    for kind in figures.kinds:
        who = (Role.SOLVE, kind)
        if who in figures.passed:
            curve = smoothed("solved", "line", figures.passed[who], figures, share_interval)
            label = f"{kind}: answers that are right"
            picture = over_steps(figures.bins, PERCENT, [curve], label, percent, named=False)
            solved.append(figure(label, picture, f"k-{kind}", ends(curve, percent)))
        curves = [
            smoothed(NAMES[role], style, figures.reward[role, kind], figures, mean_interval)
            for role, style in ((Role.SOLVE, "line"), (Role.PROPOSE, "line second"))
            if (role, kind) in figures.reward
        ]
        if curves:
            picture = over_steps(figures.bins, REWARD, curves, f"{kind}: mean reward", _reward)
            paid.append(figure(f"{kind}: mean reward", picture, f"k-{kind}"))
    words = note(
        "Look for curves that rise and stay up. Bands are 95 % intervals that count a task with all its tries once. ",
        smoothing(figures),
        " The tasks are the model's own and change with it: a proposer that learns to be hard holds the solver's curve"
        " down, so the held-out marks above decide, not these.",
    )
    return join((words, grid(solved, paid)))


def smoothed(name: str, class_: str, sums: Sequence[Sums], figures: Figures, interval: Interval) -> Curve:
    return Curve(name, class_, smooth(sums, figures.bins, interval), [part.mean for part in sums])


def ends(curve: Curve, show: Callable[[float], str]) -> str:
    known = [it.value for it in curve.values if it is not None]
    return f"{show(known[0])} → {show(known[-1])}" if len(known) > 1 else ""


def _reward(value: float) -> str:
    return f"{value:+.2f}"


# --- difficulty ---------------------------------------------------------------------------------------------


def learnability(figures: Figures) -> Markup:
    """How many of n trials solved each new task."""
    if not figures.steps:
        return empty(NO_STEP)
    coarse = replace(figures.bins, most=COLUMNS)
    drawn: list[Markup] = []
    shares: list[Markup] = []
    for kind in figures.kinds:
        most, counts = histogram(figures, kind, coarse)
        if not most:
            continue
        label = f"{kind}: trials that solved a new task"
        drawn.append(figure(label, heat(coarse, most, counts, label), f"k-{kind}", f"of {most}"))
        curve = smoothed("", "line", born_sums(figures, kind, between=True), figures, share_interval)
        label = f"{kind}: tasks to learn from"
        picture = over_steps(figures.bins, PERCENT, [curve], label, percent, named=False)
        shares.append(figure(label, picture, f"k-{kind}", ends(curve, percent)))
    if not drawn:
        return empty("No accepted task was tried yet, so its difficulty is not known.")
    words = note(
        "Each column holds the new tasks of one or a few steps, from never solved (bottom) to always solved (top); the"
        " stronger the colour, the more of them. A proposer that learns leaves both edges, and is paid most just above"
        " the lower one. Below: the share of new tasks that some trials solved and some did not. Tasks of which the"
        " machine failed a trial are not in the upper picture.",
    )
    return join((words, grid(drawn, shares)))


def regulation(figures: Figures) -> Markup:
    """How hard new tasks are for the solver of their step, and for the one the run began with."""
    if not figures.steps:
        return empty(NO_STEP)
    drawn: list[Markup] = []
    frozen = False
    for kind in figures.kinds:
        sums = born_sums(figures, kind, between=False)
        if not any(part.n for part in sums):
            continue
        curves = [smoothed("solver now", "line", sums, figures, share_interval)]
        base = figures.metrics.get(f"solve_rate/base/{kind}")
        if base:
            frozen = True
            curves.append(_measured("base solver", "line second", base, figures))
        label = f"{kind}: new tasks, share of trials that solve them"
        picture = over_steps(figures.bins, PERCENT, curves, label, percent, named=len(curves) > 1)
        drawn.append(figure(f"{kind}: trials that solve new tasks", picture, f"k-{kind}"))
    if not drawn:
        return empty("No accepted task was tried yet, so its difficulty is not known.")
    words = (
        "If the solver's curve stays in the middle while the frozen base solver's falls, the proposer makes tasks"
        " harder as the solver gets better: difficulty regulates itself."
        if frozen
        else "This run did not measure the frozen base solver (metrics `solve_rate/base/…`): a level curve may mean"
        " that both roles stand still, or that both move at one pace."
    )
    return join((note(words), grid(drawn)))


def _measured(name: str, class_: str, values: Sequence[tuple[int, float]], figures: Figures) -> Curve:
    """A recorded metric by bin, as it was measured, maybe at some steps only."""
    bins: defaultdict[int, list[float]] = defaultdict(list)
    for step, value in values:
        if math.isfinite(value):
            bins[figures.bins.of(step)].append(value)
    means = [sum(bins[at]) / len(bins[at]) if at in bins else None for at in range(figures.bins.count)]
    return Curve(name, class_, [None if it is None else Estimate(it, it, it) for it in means], means, joined=True)


# --- form ---------------------------------------------------------------------------------------------------


def tokens(figures: Figures, limit: float | None) -> Markup:
    """Lengths of responses, and how many have no proper form."""
    if not figures.tokens:
        return empty(NO_STEP if not figures.steps else "No response is stored, so there is nothing to measure.")
    whos: list[Who] = [(role, kind) for role in Role for kind in figures.kinds if (role, kind) in figures.tokens]
    high = max((it.high for who in whos for it in figures.tokens[who] if it), default=1.0)
    axis = nice(high)
    drawn: list[Markup] = []
    forms: list[tuple[str, Kind, list[Curve]]] = []
    for role, kind in whos:
        label = f"{NAMES[role]}, {kind}: tokens of a response"
        curve = spread_curve(figures.tokens[role, kind], figures)
        drawn.append(figure(label, over_steps(figures.bins, axis, [curve], label, short, named=False), f"k-{kind}"))
        if (role, kind) not in figures.malformed:
            continue
        curves = [
            smoothed("malformed", "line", figures.malformed[role, kind], figures, share_interval),
            smoothed("cut", "line second", figures.truncated[role, kind], figures, share_interval)._replace(raw=()),
        ]
        forms.append((f"{NAMES[role]}, {kind}: no proper form", kind, curves))
    forms = [(label, kind, [_without_empty_band(it) for it in curves]) for label, kind, curves in forms]
    tops = [it.high for _, _, curves in forms for curve in curves for it in curve.values if it]
    tops += [raw for _, _, curves in forms for curve in curves for raw in curve.raw if raw is not None]
    shares = nice(min(max(tops, default=1.0), 1.0), hundredths) if max(tops, default=1.0) > 0.1 else TENTH
    broken = [
        figure(label, over_steps(figures.bins, shares, curves, label, percent), f"k-{kind}")
        for label, kind, curves in forms
    ]
    longest = f" A response is cut at {limit:,.0f} tokens." if limit else ""
    words = note(
        "Above: median and middle 80 % of the lengths. Thinking that pays off gets longer; a median that drifts towards"
        " the limit, or to nothing, is a warning. Below: responses whose form is broken, and those among them that were"
        " cut at the limit; both should fall early and stay low.",
        longest,
    )
    return join((words, grid(drawn, broken)))


def _without_empty_band(curve: Curve) -> Curve:
    """Where nothing ever happened, an interval would be all that is seen."""
    if any(it.value for it in curve.values if it is not None):
        return curve
    return curve._replace(values=[it and Estimate(it.value, it.value, it.value) for it in curve.values])


def spread_curve(spreads: Sequence[Spread | None], figures: Figures) -> Curve:
    parts: list[list[float | None]] = [
        smooth_values([None if it is None else it[at] for it in spreads], figures.bins) for at in range(3)
    ]
    values = [
        None if middle is None or low is None or high is None else Estimate(middle, low, high)
        for middle, low, high in zip(*parts, strict=True)
    ]
    return Curve("median", "line", values, [None if it is None else it.middle for it in spreads])


# --- everything else ----------------------------------------------------------------------------------------

_DRAWN: Final = (
    "proposals/ read/ valid/ accepted/ refused/ learnable/ solved/ solve_rate/ responses/ void/ malformed/ right/"
    " tokens/ reward/"
).split()
"""Metrics that have a picture of their own."""


def others(metrics: Mapping[str, Sequence[tuple[int, float]]], all_: Literal["metrics", "clocks"]) -> Markup:
    """Whatever else was recorded, a line each."""
    rows: list[list[Part]] = []
    for name, values in sorted(metrics.items()):
        if not values or (all_ == "metrics" and name.startswith(tuple(_DRAWN))):
            continue
        numbers = [value for _, value in values]
        cells = [short(numbers[0]), short(numbers[-1]), short(min(numbers)), short(max(numbers))]
        rows.append([name, small(values), *cells])
    if not rows:
        return empty(f"No other {all_} are stored.")
    return table((all_, "over steps", "first", "last", "least", "most"), rows, "others")


def counted(number: int, what: str) -> str:
    """A count with its noun.

    >>> counted(1, "step"), counted(1200, "step")
    ('1 step', '1,200 steps')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def rests_on(figures: Figures) -> str:
    """How many responses of the run the curves rest on."""
    counts = Counter[Role]()
    for (role, _), number in figures.responses.items():
        counts[role] += number
    return f"{counted(counts[Role.PROPOSE], 'proposal')} and {counted(counts[Role.SOLVE], 'answer')}"
