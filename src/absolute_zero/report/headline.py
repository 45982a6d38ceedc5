"""What the run is and what it gained: from `config.json`, `result.json` and the store.

Promises: whatever stands in the two files, the page is written; what is missing or not in the form that
`result.json` has is shown as not measured. Does not compute intervals: it shows those of the evaluation.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, cast

from absolute_zero.report.charts import Axis, figure, grid, nice, short, signed
from absolute_zero.report.figures import Figures, number
from absolute_zero.report.markup import Markup, Part, brief, empty, join, table, tag
from absolute_zero.report.pictures import Row, dots
from absolute_zero.report.sections import counted
from absolute_zero.report.statistics import Estimate
from absolute_zero.types import Kind

METRICS: Final = {
    "t1": "one try, temperature 1",
    "greedy": "one try, greedy",
    "pass8": "pass@8: one of eight tries",
}
"""The metrics of `result.json`, and what they are."""
ROWS: Final = {**{str(kind): str(kind) for kind in Kind}, "mean": "mean", "ood_mean": "o.o.d. mean"}
"""The rows of `result.json`, and their names."""

LATER: Final = "not said yet"
"""Stands for what only `result.json` knows."""

Side = Mapping[tuple[str, str], Estimate]


def measured(result: Mapping[str, Any], side: str) -> Side:
    """(row, metric) -> estimate, of `before`, `after` or `difference`, as far as it is there."""
    found: dict[tuple[str, str], Estimate] = {}
    for row in ROWS:
        for metric in METRICS:
            value = _item(_item(result.get(side), row), metric)
            listed = cast("list[object]", value) if isinstance(value, list) else []
            numbers = [it for it in map(number, listed) if it is not None]
            if len(numbers) == len(listed) == 3:
                found[row, metric] = Estimate(*numbers)
    return found


def _item(value: object, key: str) -> object:
    return cast("Mapping[str, object]", value).get(key) if isinstance(value, dict) else None


# --- what it is ---------------------------------------------------------------------------------------------


def facts(figures: Figures, config: Mapping[str, Any], result: Mapping[str, Any]) -> Markup:
    """What this run is, at a glance."""
    planned = number(config.get("steps"))
    steps = f"{figures.steps:,}" + (f" of {planned:,.0f}" if planned is not None else "")
    seconds = _so_far(figures, result, "seconds", "seconds")
    sampled = _so_far(figures, result, "sampled_tokens", "tokens/sampled")
    trained = _so_far(figures, result, "trained_tokens", "tokens/trained")
    level, commit = result.get("sandbox_level"), result.get("commit")
    listed: list[tuple[str, str]] = [
        ("model", brief(str(_item(config.get("model"), "path") or "unknown"), 120)),
        ("steps", steps),
        ("time", duration(seconds) if seconds is not None else LATER),
        ("tokens written", short(sampled) if sampled is not None else LATER),
        ("tokens learned", short(trained) if trained is not None else LATER),
        ("seed", str(config.get("seed", result.get("seed", "unknown")))),
        ("sandbox", str(level) if level else LATER),
        ("commit", brief(str(commit), 16) if commit else "none" if result else LATER),
    ]
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in listed), class_="facts")


def _so_far(figures: Figures, result: Mapping[str, Any], name: str, clock: str) -> float | None:
    """What the result says; before there is one, what the clocks of the steps add up to."""
    said = number(result.get(name))
    if said is None and clock in figures.clocks:
        said = sum(value for _, value in figures.clocks[clock] if math.isfinite(value))
    return said


def duration(seconds: float) -> str:
    """A time as a person says it.

    >>> duration(42.3), duration(750), duration(7260)
    ('42 s', '12 min 30 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


# --- what it gained -----------------------------------------------------------------------------------------


def gained(result: Mapping[str, Any] | None, figures: Figures, config: Mapping[str, Any]) -> Markup:
    """The sentence, the picture and the table of before and after."""
    if result is None:
        planned = number(config.get("steps")) or 0
        state = "the run is not over yet" if figures.steps < planned else "it was not evaluated"
        return empty(f"No held-out marks yet: there is no result.json that can be read in this folder; {state}.")
    before, after, change = (measured(result, side) for side in ("before", "after", "difference"))
    if not after and not before:
        return empty("No held-out marks: result.json holds none in the form this page knows.")
    rows = [row for row in ROWS if any((row, metric) in {**before, **after} for metric in METRICS)]
    return join(
        (
            _sentence(before, after, change, figures.steps),
            _pictures(rows, before, after, change),
            _table(rows, before, after, change),
        )
    )


def _sentence(before: Side, after: Side, change: Side, steps: int) -> Markup:
    """The one number of the run."""
    key = ("mean", "t1")
    if key not in before or key not in after:
        return join([])
    now, then = _percent(after[key].value), _percent(before[key].value)
    strong = tag(
        "strong",
        f"After {counted(steps, 'step')} the model solves {now} of held-out tasks in one try, from {then} before",
    )
    if key not in change:
        return tag("p", strong, ".", class_="lead")
    it = change[key]
    unclear = "no clear change, as the interval holds 0"
    clear = "a clear gain" if it.low > 0 else "a clear loss" if it.high < 0 else unclear
    interval = f"{_points(it.value)} points (95 % interval {_points(it.low)} to {_points(it.high)})"
    return tag("p", strong, f": {interval}, {clear}.", class_="lead")


def _pictures(rows: list[str], before: Side, after: Side, change: Side) -> Markup:
    """Before and after by metric; below, the differences, whose intervals are paired and so narrower."""
    top = max((it.high for it in (*before.values(), *after.values())), default=1.0)
    scale = nice(min(max(top, 0.04), 1.0), lambda value: f"{100 * value:g}", parts=5)
    ends = [end for it in change.values() for end in (it.low, it.high, 0.0)]
    low, high = min(ends, default=0.0), max(ends, default=0.1)
    gain = nice(high, lambda value: signed(round(100 * value, 6)), low, parts=6)
    drawn: list[Markup] = []
    for metric, meaning in METRICS.items():
        lines = [_row(row, before.get((row, metric)), after.get((row, metric))) for row in rows]
        if any(line.before or line.after for line in lines):
            note = "hollow: before; full: after"
            drawn.append(figure(meaning, dots(lines, scale, "right, %", f"{meaning}: before and after"), note=note))
    for metric, meaning in METRICS.items():
        lines = [_row(row, None, change.get((row, metric))) for row in rows]
        if any(line.after for line in lines):
            picture = dots(lines, _wider(gain), "points, after minus before", f"{meaning}: difference")
            drawn.append(figure(f"difference, {meaning}", picture))
    return grid(drawn)


def _wider(axis: Axis) -> Axis:
    """Room for a dot at the edge."""
    pad = (axis.high - axis.low) * 0.04
    return axis._replace(low=axis.low - pad, high=axis.high + pad)


def _row(row: str, before: Estimate | None, after: Estimate | None) -> Row:
    said = [_said(name, it) for name, it in (("before", before), ("after" if before else "", after)) if it]
    class_ = f"k-{row}" if row in set(Kind) else "k-all"
    return Row(ROWS[row], class_, before, after, "\n".join((ROWS[row], *said)))


def _said(name: str, it: Estimate) -> str:
    return f"{name} {100 * it.value:.1f} (95 %: {100 * it.low:.1f} to {100 * it.high:.1f})".strip()


def _table(rows: list[str], before: Side, after: Side, change: Side) -> Markup:
    lines: list[list[Part]] = []
    for row in rows:
        cells: list[Part] = [tag("span", ROWS[row], class_=f"k-{row} row")]
        for metric in METRICS:
            it = change.get((row, metric))
            cells += [_cell(before.get((row, metric))), _cell(after.get((row, metric)))]
            sure = it is not None and (it.low > 0 or it.high < 0)
            cells.append(_cell(it, "sure" if sure else "unsure", sign=True))
        lines.append(cells)
    head = ["", *(["before, %", "after, %", "difference, points"] * len(METRICS))]
    over: list[tuple[Part, int]] = [("", 1), *((tag("b", meaning), 3) for meaning in METRICS.values())]
    note = (
        "Held-out tasks answered right, with 95 % intervals (bootstrap over families of programs; differences are"
        " paired by task). A difference in bold has an interval without 0. o.o.d.: a second set, out of the"
        " distribution of the first."
    )
    return join((table(head, lines, "marks", over), tag("p", note, class_="note")))


def _cell(it: Estimate | None, class_: str = "", sign: bool = False) -> Markup:
    if it is None:
        return tag("span", "not measured", class_="muted")
    show = _points if sign else _bare
    interval = f"{show(it.low)} to {show(it.high)}"
    return join((tag("b", show(it.value), class_=class_ or None), tag("small", interval)))


def _percent(value: float) -> str:
    return f"{100 * value:.1f}\xa0%"


def _bare(value: float) -> str:
    return f"{100 * value:.1f}"


def _points(value: float) -> str:
    rounded = round(100 * value, 1)
    return f"{rounded:+.1f}".replace("-", "\u2212") if rounded else "0.0"
