"""What the run is and what it gained: from `config.json`, `result.json` and the store.

Promises: whatever stands in the two files, the page is written; what is missing or not in the form that `result.json`
has is shown as not measured. Rows are whatever kinds the result has, then its means. Does not compute intervals: it
shows those of the evaluation.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from absolute_zero.evals.runs import MEAN, RESULT_KEYS, RESULT_LABELS
from absolute_zero.evals.statistics import Estimate, significant
from absolute_zero.report.charts import Axis, figure, grid, nice, short, signed
from absolute_zero.report.figures import Figures, number
from absolute_zero.report.markup import Markup, Part, brief, empty, join, table, tag
from absolute_zero.report.pictures import Row, dots
from absolute_zero.report.sections import colour, counted, title

MOST_ROWS: Final = 60
"""Rows that are shown; a result with more is none that `azr` wrote."""

LATER: Final = "not known yet"
"""Stands for what only `result.json` knows."""

Side = Mapping[tuple[str, str], Estimate]


def read_estimates(result: Mapping[str, Any], side: str) -> Side:
    """Return (row, metric) -> estimate, of `before`, `after` or `difference`, as far as it is there."""
    estimates: dict[tuple[str, str], Estimate] = {}
    rows = result.get(side)
    for row, values in cast("Mapping[str, object]", rows).items() if isinstance(rows, dict) else ():
        for metric in RESULT_LABELS:
            value = _item(values, metric)
            listed = cast("list[object]", value) if isinstance(value, list) else []
            numbers = [it for it in map(number, listed) if it is not None]
            if len(numbers) == len(listed) == 3:
                estimates[row, metric] = Estimate(*numbers)
            elif len(numbers) == 1 and listed == [*numbers, None, None]:
                estimates[row, metric] = Estimate(numbers[0], math.nan, math.nan)
    return estimates


def _item(value: object, key: str) -> object:
    return cast("Mapping[str, object]", value).get(key) if isinstance(value, dict) else None


# --- what it is ---------------------------------------------------------------------------------------------


def facts(figures: Figures, config: Mapping[str, Any], result: Mapping[str, Any]) -> Markup:
    """Return what this run is, at a glance."""
    planned = number(config.get("steps"))
    steps = f"{figures.steps:,}" + (f" of {planned:,.0f}" if planned is not None else "")
    seconds = _so_far(figures, result, "seconds", "time/step")
    sampled = _so_far(figures, result, "sampled_tokens", "tokens/sampled")
    trained = _so_far(figures, result, "trained_tokens", "tokens/trained")
    level, commit = result.get("sandbox_level"), result.get("commit")
    domain = config.get("domain")
    listed: list[tuple[str, str]] = [
        ("model", brief(str(_item(config.get("model"), "path") or "unknown"), 120)),
        *([("domain", brief(domain.partition(":")[0], 60))] if isinstance(domain, str) else []),
        ("steps", steps),
        ("time", duration(seconds) if seconds is not None else LATER),
        ("tokens sampled", short(sampled) if sampled is not None else LATER),
        ("tokens trained", short(trained) if trained is not None else LATER),
        ("seed", str(config.get("seed", result.get("seed", "unknown")))),
        ("sandbox", str(level) if level else LATER),
        ("commit", brief(str(commit), 16) if commit else "none" if result else LATER),
    ]
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in listed), class_="facts")


def _so_far(figures: Figures, result: Mapping[str, Any], name: str, clock: str) -> float | None:
    """Return what the result says; before there is one, what the clocks of the steps add up to."""
    value = number(result.get(name))
    if value is None and clock in figures.clocks:
        value = sum(part for _, part in figures.clocks[clock] if math.isfinite(part))
    return value


def duration(seconds: float) -> str:
    """Write a time as a person says it.

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


def held_out_results(result: Mapping[str, Any] | None, figures: Figures, config: Mapping[str, Any]) -> Markup:
    """Return the results on held-out tasks, before and after: a sentence, pictures, a table; or why there are none."""
    if result is None:
        planned = number(config.get("steps")) or 0
        state = "the run is not over yet" if figures.steps < planned else "the run was not evaluated"
        return empty(f"No held-out results yet: there is no readable result.json in this folder; {state}.")
    before, after, change = (read_estimates(result, side) for side in ("before", "after", "difference"))
    if not after and not before:
        return empty("No held-out results: result.json has none in the form that this page reads.")
    rows = rows_of(figures, before, after)
    return join(
        (
            _sentence(before, after, change, figures.steps),
            _pictures(figures, rows, before, after, change),
            _table(figures, rows, before, after, change),
        )
    )


def rows_of(figures: Figures, *sides: Side) -> list[str]:
    """Return the rows of a result: kinds in the order of the run, then others, then the means."""
    rows = list(dict.fromkeys(row for side in sides for row, _ in side))

    def order(row: str) -> tuple[int, int]:
        if row in figures.colours:
            return (0, figures.colours[row])
        return (2 if row == MEAN else 3 if _suite(figures, row) else 1, rows.index(row))

    return sorted(rows, key=order)[:MOST_ROWS]


def _suite(figures: Figures, row: str) -> str:
    """Return the suite that a row is the mean of; empty for a kind, and for the mean of the main suite."""
    return "" if row in figures.colours or not row.endswith(f"_{MEAN}") else row.removesuffix(f"_{MEAN}")


def _name(figures: Figures, row: str) -> str:
    """Return what a row is called."""
    suite = _suite(figures, row)
    return title(f"{suite} {MEAN}" if suite else row)


def _sentence(before: Side, after: Side, change: Side, steps: int) -> Markup:
    """Return the sentence with the number that the run is about."""
    key = (MEAN, RESULT_KEYS["pass_at_1"])
    if key not in before or key not in after:
        return join([])
    now, then = _percent(after[key].value), _percent(before[key].value)
    strong = tag(
        "strong",
        f"After {counted(steps, 'step')} the model solves {now} of held-out tasks at the first attempt; before training"
        f" it solved {then}",
    )
    if key not in change:
        return tag("p", strong, ".", class_="lead")
    it = change[key]
    points = f"{_points(it.value)} points"
    if math.isnan(it.low):
        return tag("p", strong, f": {points}; these are too few tasks for an interval.", class_="lead")
    words = "no significant change, as the interval includes 0"
    if significant(it):
        words = "a significant gain" if it.low > 0 else "a significant loss"
    interval = f"95 % interval {_points(it.low)} to {_points(it.high)}"
    return tag("p", strong, f": {points} ({interval}), {words}.", class_="lead")


def _pictures(figures: Figures, rows: list[str], before: Side, after: Side, change: Side) -> Markup:
    """Draw before and after by metric; below, the differences, whose intervals are paired and so narrower."""
    top = max((end for it in (*before.values(), *after.values()) for end in _ends(it)), default=1.0)
    scale = nice(min(max(top, 0.04), 1.0), lambda value: f"{100 * value:g}", parts=5)
    ends = [end for it in change.values() for end in (*_ends(it), 0.0)]
    low, high = min(ends, default=0.0), max(ends, default=0.1)
    gain = nice(high, lambda value: signed(round(100 * value, 6)), low, parts=6)
    drawn: list[Markup] = []
    for metric, meaning in RESULT_LABELS.items():
        lines = [_row(figures, row, before.get((row, metric)), after.get((row, metric))) for row in rows]
        if any(line.before or line.after for line in lines):
            note = "hollow: before; full: after"
            drawn.append(figure(meaning, dots(lines, scale, "solved, %", f"{meaning}: before and after"), note=note))
    for metric, meaning in RESULT_LABELS.items():
        lines = [_row(figures, row, None, change.get((row, metric))) for row in rows]
        if any(line.after for line in lines):
            picture = dots(lines, _wider(gain), "points, after minus before", f"{meaning}: difference")
            drawn.append(figure(f"{meaning}: difference", picture))
    return grid(drawn)


def _ends(it: Estimate) -> Sequence[float]:
    """Return from where to where an estimate is drawn."""
    return (it.value, it.value) if math.isnan(it.low) else (it.low, it.high)


def _wider(axis: Axis) -> Axis:
    """Return the axis with room for a dot at its edges."""
    pad = (axis.high - axis.low) * 0.04
    return axis._replace(low=axis.low - pad, high=axis.high + pad)


def _row(figures: Figures, row: str, before: Estimate | None, after: Estimate | None) -> Row:
    sides = (("before", before), ("after" if before else "", after))
    lines = [_line(side, it) for side, it in sides if it]
    name = _name(figures, row)
    return Row(name, colour(figures, row), before, after, "\n".join((name, *lines)))


def _line(side: str, it: Estimate) -> str:
    interval = "no interval" if math.isnan(it.low) else f"95 %: {100 * it.low:.1f} to {100 * it.high:.1f}"
    return f"{side} {100 * it.value:.1f} ({interval})".strip()


def _table(figures: Figures, rows: list[str], before: Side, after: Side, change: Side) -> Markup:
    lines: list[list[Part]] = []
    for row in rows:
        cells: list[Part] = [tag("span", _name(figures, row), class_=f"{colour(figures, row)} row")]
        for metric in RESULT_LABELS:
            it = change.get((row, metric))
            cells += [_cell(before.get((row, metric))), _cell(after.get((row, metric)))]
            sure = it is not None and significant(it)
            cells.append(_cell(it, "sure" if sure else "unsure", sign=True))
        lines.append(cells)
    head = ["", *(["before, %", "after, %", "difference, points"] * len(RESULT_LABELS))]
    over: list[tuple[Part, int]] = [("", 1), *((tag("b", meaning), 3) for meaning in RESULT_LABELS.values())]
    words = [
        "Share of held-out tasks solved, with 95 % intervals (bootstrap over groups of tasks that are solved or not"
        " together; differences are paired by task). pass@1 and pass@8 are of eight answers at temperature 1, greedy is"
        " one at temperature 0. A difference in bold has an interval without 0."
    ]
    for row in rows:
        if suite := _suite(figures, row):
            words.append(f" {_name(figures, row)}: the mean over another suite, {title(suite)}.")
    return join((table(head, lines, "results", over), tag("p", *words, class_="note")))


def _cell(it: Estimate | None, class_: str = "", sign: bool = False) -> Markup:
    if it is None:
        return tag("span", "not measured", class_="muted")
    show = _points if sign else _bare
    interval = "too few tasks for an interval" if math.isnan(it.low) else f"{show(it.low)} to {show(it.high)}"
    return join((tag("b", show(it.value), class_=class_ or None), tag("small", interval)))


def _percent(value: float) -> str:
    return f"{100 * value:.1f}\xa0%"


def _bare(value: float) -> str:
    return f"{100 * value:.1f}"


def _points(value: float) -> str:
    rounded = round(100 * value, 1)
    return f"{rounded:+.1f}".replace("-", "\u2212") if rounded else "0.0"
