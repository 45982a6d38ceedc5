"""The sections on what the model proposed: what became of it, and what it is like.

Promises: as in `sections`.
"""

from collections.abc import Sequence
from typing import Final

from absolute_zero.report.charts import PERCENT, Curve, figure, grid, nice, over_steps, percent, short
from absolute_zero.report.figures import STAGES, Figures, lengths, novel
from absolute_zero.report.markup import Markup, Part, brief, empty, join, table, tag
from absolute_zero.report.pictures import Layer, stack
from absolute_zero.report.sections import NO_STEP, counted, note, spread_curve
from absolute_zero.report.statistics import Estimate, Sums, smooth
from absolute_zero.rewards import SCALES
from absolute_zero.types import Kind, Role, Status

ORDER: Final = (Status.NEUTRAL, Status.FAILED, Status.MALFORMED, Status.MASKED)
"""Standings of what was refused, from the mildest."""
SHADES: Final = 3
"""Reasons of one standing that have a band of their own; the rest share one."""


def funnel(figures: Figures, scale: str) -> Markup:
    """What became of proposals, and why of those that became nothing."""
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
    passed: list[Markup] = []
    stacked: list[Markup] = []
    for kind in figures.kinds:
        asked = figures.funnel.get((STAGES[0], kind))
        if asked is None:
            continue
        curves = [
            _share(name, style, figures.funnel.get((name, kind)), asked, figures)
            for name, style in (("read", "line third"), ("valid", "line second"), ("accepted", "line"))
        ]
        label = f"{kind}: what became of proposals"
        passed.append(figure(label, over_steps(figures.bins, PERCENT, curves, label, percent), f"k-{kind}"))
        picture = stack(figures.bins, _layers(figures, kind), f"{kind}: proposals by what was said of them")
        stacked.append(figure(f"{kind}: accepted, and why not", picture, f"k-{kind}"))
    words = note(
        "Above: of 100 proposals, how many had a form that could be read, ran to the same value again (valid), and were"
        " accepted as new and depending on their input. Validity should not fall. Below: every proposal, by what it"
        " came to. In the colour of its kind: accepted. Sand: refused by the gate for what the proposer could not see,",
        f" worth {_worth(scale, Status.NEUTRAL)}. Purple: failed where it could have known better,",
        f" worth {_worth(scale, Status.FAILED)}. Grey: broken form, worth {_worth(scale, Status.MALFORMED)}.",
        " Pale: void, which leaves the batch. Bands are smoothed like the curves; the shares beside them are of the"
        " whole run.",
    )
    return join((before, words, grid(passed, stacked), _reasons(figures, scale)))


def _share(name: str, class_: str, counts: Sequence[float] | None, of: Sequence[float], figures: Figures) -> Curve:
    counts = counts or [0.0] * len(of)
    sums = [Sums.share(n, x) for n, x in zip(of, counts, strict=True)]
    return Curve(name, class_, [it and Estimate(it.value, it.value, it.value) for it in smooth(sums, figures.bins)])


def _layers(figures: Figures, kind: Kind) -> list[Layer]:
    """Accepted at the bottom, then the reasons by standing, the commonest first."""
    none = [0.0] * figures.bins.count
    layers = [Layer("accepted", "s-passed", figures.funnel.get(("accepted", kind), none))]
    for status in ORDER:
        found = [(why[1], counts) for why, counts in figures.refused.get(kind, {}).items() if why[0] is status]
        found.sort(key=lambda row: (-sum(row[1]), row[0]))
        named, others = found[:SHADES], [counts for _, counts in found[SHADES:]]
        if len(others) == 1:
            named, others = found, []
        for shade, (reason, counts) in enumerate(named):
            layers.append(Layer(_words(reason), f"s-{status} t{shade}", counts))
        if others:
            together = [sum(counts) for counts in zip(*others, strict=True)]
            layers.append(Layer(f"{len(others)} other reasons", f"s-{status} t{SHADES}", together))
    return layers


def _words(reason: str) -> str:
    return brief(reason.replace("_", " "), 40) or "no reason"


def _worth(scale: str, status: Status) -> str:
    scales = SCALES["reference" if scale == "reference" else "paper"][Role.PROPOSE]
    worth = {Status.NEUTRAL: scales.neutral, Status.FAILED: scales.failed, Status.MALFORMED: scales.malformed}
    return f"{worth[status]:g}".replace("-", "\u2212") if status in worth else "nothing"


def _reasons(figures: Figures, scale: str) -> Markup:
    """Every reason with its counts, and whether it became rarer."""
    third = max(1, figures.bins.count // 3)
    rows: list[list[Part]] = []
    for kind in figures.kinds:
        asked = figures.funnel.get((STAGES[0], kind), [])
        for (status, reason), counts in sorted(
            figures.refused.get(kind, {}).items(), key=lambda row: (ORDER.index(row[0][0]), -sum(row[1]), row[0])
        ):
            early = sum(counts[:third]) / max(sum(asked[:third]), 1)
            late = sum(counts[-third:]) / max(sum(asked[-third:]), 1)
            examples = figures.examples.get((kind, status, reason), [])
            shown: list[Part] = [tag("code", brief(text, 300)) for text in examples]
            name = tag("span", f"{kind}: {_words(reason)}", class_=f"k-{kind} row")
            worth = _worth(scale, status)
            numbers = [f"{sum(counts):,.0f}", percent(early), percent(late)]
            rows.append([name, f"{status}, {worth}", *numbers, join(shown)])
    if not rows:
        return note("Nothing was refused.")
    head = ("reason", "standing, worth", "times", "first third", "last third", "what was said of the first ones")
    words = tag("summary", f"{counted(len(rows), 'reason')}, with examples")
    return tag("details", words, table(head, rows, "reasons"), class_="more")


def variety(figures: Figures) -> Markup:
    """What the accepted tasks are like."""
    if not figures.steps:
        return empty(NO_STEP)
    drawn: list[Markup] = []
    sizes: list[Markup] = []
    spreads = {kind: lengths(figures, kind) for kind in figures.kinds}
    axis = nice(max((it.high for some in spreads.values() for it in some if it), default=1.0))
    for kind in figures.kinds:
        asked = figures.funnel.get((STAGES[0], kind))
        if asked and sum(asked):
            different, first = novel(figures, kind)
            curves = [
                _share("in the step", "line second", different, asked, figures),
                _share("in the run", "line", first, asked, figures),
            ]
            label = f"{kind}: new behaviours, of 100 proposals"
            drawn.append(figure(label, over_steps(figures.bins, PERCENT, curves, label, percent), f"k-{kind}"))
        if any(spreads[kind]):
            label = f"{kind}: characters of a program"
            picture = over_steps(figures.bins, axis, [spread_curve(spreads[kind], figures)], label, short, named=False)
            sizes.append(figure(label, picture, f"k-{kind}"))
    if not drawn and not sizes:
        return empty("No task was accepted in a training step yet.")
    words = note(
        "Above: how many different behaviours on their probes the accepted tasks of a step have, for 100 proposals, and"
        " how many of these behaviours the run had not accepted before. They should not collapse. Below: median and"
        " middle 80 % of the lengths of accepted programs; induction takes its programs from the other kinds. A"
        " proposer that finds an easy way out writes shorter and shorter ones.",
    )
    return join((words, grid(drawn, sizes)))
