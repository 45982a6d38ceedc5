"""The sections on what the model proposed: what became of it, and what it is like.

Promises: as in `sections`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from absolute_zero.evals.statistics import Estimate
from absolute_zero.plugins import load
from absolute_zero.report.charts import PERCENT, Curve, figure, grid, nice, over_steps, percent, short
from absolute_zero.report.figures import STAGES, Figures, lengths, novel
from absolute_zero.report.markup import Markup, Part, brief, empty, join, table, tag
from absolute_zero.report.pictures import Layer, stack
from absolute_zero.report.sections import NO_STEP, colour, counted, note, spread_curve, title
from absolute_zero.report.statistics import Sums, smooth
from absolute_zero.types import Role, Status, UserError

ORDER: Final = (Status.NEUTRAL, Status.FAILED, Status.MALFORMED, Status.MASKED)
"""Statuses of what was rejected, from the mildest."""
SHADES: Final = 3
"""Reasons of a status that have a band of their own; the rest share one."""

Worth = Mapping[Status, str]
"""What a proposal of each status earns, as far as it is known."""


def worth_of(scale: str) -> Worth:
    """Return what proposals earn by the scale of this name; nothing for one that cannot be loaded.

    >>> worth_of("nobody.knows:it")
    {}
    """
    try:
        row: Any = load("rewards", scale)[Role.PROPOSE]
        rewards = {Status.NEUTRAL: row.neutral, Status.FAILED: row.failed, Status.MALFORMED: row.malformed}
        worth = {status: f"{reward:g}".replace("-", "\u2212") for status, reward in rewards.items()}
    except (UserError, LookupError, TypeError, ValueError, AttributeError):  # a plug-in's table, or none
        return {}
    return {**worth, Status.MASKED: "nothing"}


def funnel(figures: Figures, scale: str) -> Markup:
    """Return what became of proposals, and why of those that became nothing."""
    seeded = figures.seeding
    before: Part = ""
    if seeded.proposals:
        share = percent(seeded.accepted / seeded.proposals)
        before = note(
            f"Seeding, before the first step: {counted(seeded.rounds, 'round')},"
            f" {counted(seeded.proposals, 'proposal')}, {seeded.accepted:,} accepted ({share})."
        )
    if not figures.funnel:
        why = NO_STEP if not figures.steps else "The store holds no counts of proposals (metrics `proposals/…`)."
        return join((before, empty(why)))
    shares: list[Markup] = []
    stacked: list[Markup] = []
    for kind in figures.kinds:
        total = figures.funnel.get((STAGES[0], kind))
        if total is None:
            continue
        curves = [
            _share(name, style, figures.funnel.get((name, kind)), total, figures)
            for name, style in (("parsed", "line third"), ("valid", "line second"), ("accepted", "line"))
        ]
        picture = over_steps(figures.bins, PERCENT, curves, "what became of proposals", percent)
        shares.append(figure(f"{title(kind)}: what became of proposals", picture, colour(figures, kind)))
        picture = stack(figures.bins, _layers(figures, kind), "proposals: accepted, or the reason of the rejection")
        stacked.append(figure(f"{title(kind)}: accepted, or why not", picture, colour(figures, kind)))
    worth = worth_of(scale)
    words = note(
        "Above: of 100 proposals, how many could be parsed, were valid when they ran, and were accepted as new."
        " Validity should not fall. Below: every proposal, by what it came to. In the colour of its kind: accepted."
        f" Sand: neutral, rejected for what the proposer could not see{_worth(worth, Status.NEUTRAL)}."
        f" Purple: failed where it could have known better{_worth(worth, Status.FAILED)}."
        f" Grey: malformed{_worth(worth, Status.MALFORMED)}. Pale: masked, which leaves the batch."
        " Bands are smoothed like the curves; the shares beside them are of the whole run.",
    )
    return join((before, words, grid(shares, stacked), _reasons(figures, worth)))


def _worth(worth: Worth, status: Status) -> str:
    return f", reward {worth[status]}" if status in worth else ""


def _share(name: str, class_: str, counts: Sequence[float] | None, of: Sequence[float], figures: Figures) -> Curve:
    counts = counts or [0.0] * len(of)
    sums = [Sums.share(n, x) for n, x in zip(of, counts, strict=True)]
    return Curve(name, class_, [it and Estimate(it.value, it.value, it.value) for it in smooth(sums, figures.bins)])


def _layers(figures: Figures, kind: str) -> list[Layer]:
    """Return a layer for what was accepted, at the bottom, then the reasons by status, the commonest first."""
    none = [0.0] * figures.bins.count
    layers = [Layer("accepted", "s-passed", figures.funnel.get(("accepted", kind), none))]
    for status in ORDER:
        rows = [(why[1], counts) for why, counts in figures.rejected.get(kind, {}).items() if why[0] is status]
        rows.sort(key=lambda row: (-sum(row[1]), row[0]))
        named, others = rows[:SHADES], [counts for _, counts in rows[SHADES:]]
        if len(others) == 1:
            named, others = rows, []
        for shade, (reason, counts) in enumerate(named):
            layers.append(Layer(_words(reason), f"s-{status} t{shade}", counts))
        if others:
            together = [sum(counts) for counts in zip(*others, strict=True)]
            layers.append(Layer(f"{len(others)} others", f"s-{status} t{SHADES}", together))
    return layers


def _words(reason: str) -> str:
    return brief(reason.replace("_", " "), 40) or "no reason"


def _reasons(figures: Figures, worth: Worth) -> Markup:
    """Return every reason with its counts, and whether it became rarer."""
    third = max(1, figures.bins.count // 3)
    rows: list[list[Part]] = []
    for kind in figures.kinds:
        total = figures.funnel.get((STAGES[0], kind), [])
        for (status, reason), counts in sorted(
            figures.rejected.get(kind, {}).items(), key=lambda row: (ORDER.index(row[0][0]), -sum(row[1]), row[0])
        ):
            early = sum(counts[:third]) / max(sum(total[:third]), 1)
            late = sum(counts[-third:]) / max(sum(total[-third:]), 1)
            examples = figures.examples.get((kind, status, reason), [])
            shown: list[Part] = [tag("code", brief(text, 300)) for text in examples]
            name = tag("span", f"{title(kind)}: {_words(reason)}", class_=f"{colour(figures, kind)} row")
            numbers = [f"{sum(counts):,.0f}", percent(early), percent(late)]
            rows.append([name, status.value, worth.get(status, "unknown"), *numbers, join(shown)])
    if not rows:
        return note("Nothing was rejected.")
    head = ("reason", "status", "reward", "count", "first third", "last third", "first examples")
    words = tag("summary", f"{counted(len(rows), 'reason')} for rejections, with examples")
    return tag("details", words, table(head, rows, "reasons"), class_="more")


def variety(figures: Figures) -> Markup:
    """Return what the accepted tasks are like."""
    if not figures.steps:
        return empty(NO_STEP)
    drawn: list[Markup] = []
    sizes: list[Markup] = []
    spreads = {kind: lengths(figures, kind) for kind in figures.kinds}
    axis = nice(max((it.high for series in spreads.values() for it in series if it), default=1.0))
    for kind in figures.kinds:
        total = figures.funnel.get((STAGES[0], kind))
        if total and sum(total) and any(task.behaviour for task in figures.tasks if task.kind == kind):
            different, first = novel(figures, kind)
            curves = [
                _share("in the step", "line second", different, total, figures),
                _share("in the run", "line", first, total, figures),
            ]
            label = "new behaviours"
            picture = over_steps(figures.bins, PERCENT, curves, label, percent)
            drawn.append(figure(f"{title(kind)}: {label}", picture, colour(figures, kind)))
        if any(spreads[kind]):
            curve = spread_curve(spreads[kind], figures)
            picture = over_steps(figures.bins, axis, [curve], "characters of a task", short, named=False)
            sizes.append(figure(f"{title(kind)}: characters of its longest text", picture, colour(figures, kind)))
    if not drawn and not sizes:
        return empty("No task was accepted in a training step yet.")
    behaviours = (
        "Above: how many different behaviours on their probes the accepted tasks of a step have, per 100 proposals, and"
        " how many of these behaviours the run had not accepted before. They should not collapse. Below: median"
    )
    words = note(
        behaviours if drawn else "Median",
        " and middle 80 % of the lengths of accepted tasks, by the longest text of each, such as its program. A"
        " proposer that finds an easy way out writes shorter and shorter tasks.",
    )
    return join((words, grid(drawn, sizes)))
