"""The curves of the page, each section with what to look for in it.

Promises: a section without data says why in one line. Captions say what is drawn and how, never what came out. Does
not read files.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from absolute_zero.evals.statistics import Estimate
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
    RoleAndKind,
    Spread,
    histogram,
    learnable_sums,
    success_sums,
)
from absolute_zero.report.markup import Markup, Part, brief, empty, join, table, tag
from absolute_zero.report.pictures import heat, small
from absolute_zero.report.statistics import (
    IntervalFormula,
    Sums,
    mean_interval,
    share_interval,
    smooth,
    smooth_values,
)
from absolute_zero.types import Role

NO_STEP: Final = "No training step is stored yet, so there is nothing to draw."
NO_DIFFICULTY: Final = "No accepted task has graded difficulty rollouts yet, so nothing is known of difficulty."
COLUMNS: Final = 30
"""Columns of a heat map: with fewer steps in each, one would see single tasks."""
TENTH: Final = Axis(0, 0.1, (0, 0.025, 0.05, 0.075, 0.1), hundredths)
"""For shares that stay so small."""
NAMES: Final = {Role.PROPOSE: "proposer", Role.SOLVE: "solver"}
COLOURS: Final = 8
"""Classes `k0` to `k7` of `style.css`, told apart by every kind of sight."""


def colour(figures: Figures, kind: str) -> str:
    """Return the class that colours a kind, by its position in the run; `all` for what is not a kind of the run."""
    return f"k{figures.colours[kind] % COLOURS}" if kind in figures.colours else "all"


def title(kind: str) -> str:
    """Return a kind for a reader: it is a word of somebody else, and may be long, or none."""
    return brief(kind, 40) or "unnamed"


def note(*parts: Part) -> Markup:
    """Return a caption."""
    return tag("p", *parts, class_="note")


def smoothing(figures: Figures) -> str:
    """Say how the curves of this run are smoothed."""
    reach = figures.bins.reach * figures.bins.width
    if not reach:
        return "Curves of so short a run are not smoothed."
    dots = f"means of {figures.bins.width} steps" if figures.bins.width > 1 else "single steps"
    return f"Curves are averages over about {counted(reach, 'step')} to each side; dots are {dots}."


# --- learning -----------------------------------------------------------------------------------------------


def learning(figures: Figures) -> Markup:
    """Return the success rates of the solver, and the rewards of both roles."""
    if not figures.passed:
        return empty(NO_STEP if not figures.steps else "No rollout was graded, so there is nothing to draw.")
    solved: list[Markup] = []
    rewarded: list[Markup] = []
    for kind in figures.kinds:
        role_and_kind = (Role.SOLVE, kind)
        if role_and_kind in figures.passed:
            curve = smoothed("success rate", "line", figures.passed[role_and_kind], figures, share_interval)
            picture = over_steps(figures.bins, PERCENT, [curve], "solver success rate", percent, named=False)
            caption = f"{title(kind)}: solver success rate"
            solved.append(figure(caption, picture, colour(figures, kind), ends(curve, percent)))
        curves = [
            smoothed(NAMES[role], style, figures.reward[role, kind], figures, mean_interval)
            for role, style in ((Role.SOLVE, "line"), (Role.PROPOSE, "line second"))
            if (role, kind) in figures.reward
        ]
        if curves:
            picture = over_steps(figures.bins, REWARD, curves, "mean reward", _reward)
            rewarded.append(figure(f"{title(kind)}: mean reward", picture, colour(figures, kind)))
    words = note(
        "Look for curves that rise and stay up. Bands are 95 % intervals that count a task with all its rollouts once.",
        f" {smoothing(figures)}",
        " The tasks are the model's own and change with it: a proposer that learns to write hard tasks holds the"
        " solver's curve down, so the held-out results above decide, not these curves.",
    )
    return join((words, grid(solved, rewarded)))


def smoothed(name: str, class_: str, sums: Sequence[Sums], figures: Figures, interval: IntervalFormula) -> Curve:
    """Return the smoothed curve of a series, with the mean of each bin behind it."""
    return Curve(name, class_, smooth(sums, figures.bins, interval), [part.mean for part in sums])


def ends(curve: Curve, show: Callable[[float], str]) -> str:
    """Write the first and the last value of a curve; nothing for a single point."""
    known = [it.value for it in curve.values if it is not None]
    return f"{show(known[0])} → {show(known[-1])}" if len(known) > 1 else ""


def _reward(value: float) -> str:
    return f"{value:+.2f}"


# --- difficulty ---------------------------------------------------------------------------------------------


def learnability(figures: Figures) -> Markup:
    """Return how many of the difficulty rollouts of each new task succeeded."""
    if not figures.steps:
        return empty(NO_STEP)
    coarse = replace(figures.bins, most=COLUMNS)
    drawn: list[Markup] = []
    shares: list[Markup] = []
    for kind in figures.kinds:
        most, counts = histogram(figures, kind, coarse)
        if not most:
            continue
        caption = f"{title(kind)}: successes in {most} rollouts"
        picture = heat(coarse, most, counts, "successes in the difficulty rollouts of new tasks")
        drawn.append(figure(caption, picture, colour(figures, kind)))
        curve = smoothed("", "line", learnable_sums(figures, kind), figures, share_interval)
        picture = over_steps(figures.bins, PERCENT, [curve], "share of learnable tasks", percent, named=False)
        shares.append(figure(f"{title(kind)}: learnable tasks", picture, colour(figures, kind), ends(curve, percent)))
    if not drawn:
        return empty(NO_DIFFICULTY)
    words = note(
        "Each column holds the new tasks of one or a few steps, from never solved (bottom) to always solved (top); the"
        " stronger the colour, the more of them. A proposer that learns leaves both edges, and earns most just above"
        " the lower one. Below: the share of new tasks that are learnable, which some of their difficulty rollouts"
        " solved and some did not. A task is not in the upper picture if the machine failed on one of its rollouts.",
    )
    return join((words, grid(drawn, shares)))


def difficulty_curves(figures: Figures) -> Markup:
    """Draw success rates on new tasks: of the solver of their step, and of the base model that the run began with."""
    if not figures.steps:
        return empty(NO_STEP)
    drawn: list[Markup] = []
    frozen = False
    for kind in figures.kinds:
        sums = success_sums(figures, kind)
        if not any(part.n for part in sums):
            continue
        curves = [smoothed("solver", "line", sums, figures, share_interval)]
        base = figures.metrics.get(f"difficulty/success_rate_base/{kind}")
        if base:
            frozen = True
            curves.append(_recorded("base model", "line second", base, figures))
        label = "success rate on new tasks"
        picture = over_steps(figures.bins, PERCENT, curves, label, percent, named=len(curves) > 1)
        drawn.append(figure(f"{title(kind)}: {label}", picture, colour(figures, kind)))
    if not drawn:
        return empty(NO_DIFFICULTY)
    words = (
        "The success rate of the difficulty rollouts. If the solver's curve stays in the middle while that of the"
        " frozen base model falls, the proposer writes harder tasks as the solver gets better: difficulty regulates"
        " itself."
        if frozen
        else "The success rate of the difficulty rollouts. This run did not measure the frozen base model (metrics"
        " `difficulty/success_rate_base/…`): a level curve may mean that both roles stand still, or that both move at"
        " one pace."
    )
    return join((note(words), grid(drawn)))


def _recorded(name: str, class_: str, values: Sequence[tuple[int, float]], figures: Figures) -> Curve:
    """Return a recorded metric by bin, as it was measured, maybe in a few steps only."""
    bins: defaultdict[int, list[float]] = defaultdict(list)
    for step, value in values:
        if math.isfinite(value):
            bins[figures.bins.of(step)].append(value)
    means = [sum(bins[it]) / len(bins[it]) if it in bins else None for it in range(figures.bins.count)]
    return Curve(name, class_, [None if it is None else Estimate(it, it, it) for it in means], means, joined=True)


# --- form ---------------------------------------------------------------------------------------------------


def tokens(figures: Figures, limit: float | None) -> Markup:
    """Return the lengths of responses, and how many are malformed."""
    if not figures.tokens:
        return empty(NO_STEP if not figures.steps else "No rollout is stored, so there is nothing to measure.")
    pairs: list[RoleAndKind] = [
        (role, kind) for role in Role for kind in figures.kinds if (role, kind) in figures.tokens
    ]
    high = max((it.high for role_and_kind in pairs for it in figures.tokens[role_and_kind] if it), default=1.0)
    axis = nice(high)
    drawn: list[Markup] = []
    forms: list[tuple[RoleAndKind, list[Curve]]] = []
    for role, kind in pairs:
        curve = spread_curve(figures.tokens[role, kind], figures)
        picture = over_steps(figures.bins, axis, [curve], "tokens of a response", short, named=False)
        drawn.append(figure(f"{NAMES[role]}, {title(kind)}: tokens of a response", picture, colour(figures, kind)))
        if (role, kind) not in figures.malformed:
            continue
        curves = [
            smoothed("malformed", "line", figures.malformed[role, kind], figures, share_interval),
            smoothed("truncated", "line second", figures.truncated[role, kind], figures, share_interval),
        ]
        curves[1] = curves[1]._replace(raw=())
        forms.append(((role, kind), [_without_empty_band(it) for it in curves]))
    tops = [it.high for _, curves in forms for curve in curves for it in curve.values if it]
    tops += [raw for _, curves in forms for curve in curves for raw in curve.raw if raw is not None]
    shares = nice(min(max(tops, default=1.0), 1.0), hundredths) if max(tops, default=1.0) > 0.1 else TENTH
    broken = [
        figure(
            f"{NAMES[role]}, {title(kind)}: malformed responses",
            over_steps(figures.bins, shares, curves, "malformed responses", percent),
            colour(figures, kind),
        )
        for (role, kind), curves in forms
    ]
    longest = f" A response is truncated at {limit:,.0f} tokens." if limit else ""
    words = note(
        "Above: median and middle 80 % of the lengths. Thinking that pays off gets longer; a median that drifts towards"
        " the limit, or to nothing, is a warning. Below: malformed responses, and those among them that were truncated"
        " at the limit; both should fall early and stay low.",
        longest,
    )
    return join((words, grid(drawn, broken)))


def _without_empty_band(curve: Curve) -> Curve:
    """Take the band off a curve of zeros: where nothing ever happened, it would be all that is seen."""
    if any(it.value for it in curve.values if it is not None):
        return curve
    return curve._replace(values=[it and Estimate(it.value, it.value, it.value) for it in curve.values])


def spread_curve(spreads: Sequence[Spread | None], figures: Figures) -> Curve:
    """Return the smoothed median, with the middle 80 % as its band."""
    parts: list[list[float | None]] = [
        smooth_values([None if it is None else it[column] for it in spreads], figures.bins) for column in range(3)
    ]
    values = [
        None if middle is None or low is None or high is None else Estimate(middle, low, high)
        for middle, low, high in zip(*parts, strict=True)
    ]
    return Curve("median", "line", values, [None if it is None else it.middle for it in spreads])


# --- everything else ----------------------------------------------------------------------------------------

_DRAWN: Final = ("proposals/", "difficulty/", "rollouts/", "response_tokens/", "reward/")
"""Beginnings of metrics that have a picture of their own, or count what a picture counts."""


def others(metrics: Mapping[str, Sequence[tuple[int, float]]], all_: Literal["metrics", "clocks"]) -> Markup:
    """Return whatever else was recorded, a line each."""
    rows: list[list[Part]] = []
    for name, values in sorted(metrics.items()):
        labelled = name.startswith("difficulty/success_rate/") and name.count("/") > 2  # by label, in no picture
        if not values or (all_ == "metrics" and name.startswith(_DRAWN) and not labelled):
            continue
        numbers = [value for _, value in values]
        cells = [short(numbers[0]), short(numbers[-1]), short(min(numbers)), short(max(numbers))]
        rows.append([brief(name, 120), small(values), *cells])
    if not rows:
        return empty(f"No other {all_} are stored.")
    return table((all_, "over steps", "first", "last", "lowest", "highest"), rows, "others")


def counted(number: int, what: str) -> str:
    """Write a count with its noun.

    >>> counted(1, "step"), counted(1200, "step")
    ('1 step', '1,200 steps')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def rests_on(figures: Figures) -> str:
    """Say how many graded rollouts of the run the curves rest on."""
    counts = Counter[Role]()
    for (role, _), number in figures.graded.items():
        counts[role] += number
    return f"{counted(counts[Role.PROPOSE], 'graded proposal')} and {counted(counts[Role.SOLVE], 'graded solution')}"
