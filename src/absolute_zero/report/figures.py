"""From the run database to series over steps: everything the page draws, counted once.

Promises: reads each step once and holds sums, never the texts of a step; looks at whole steps up to the last one
there was at the beginning, so a run may go on meanwhile; training steps only, from 1 on, but for `Seeding`. Responses
that left the batch (void) are in no share and no mean. Knows nothing of drawing.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from absolute_zero.report.statistics import Bins, Sums, quantile
from absolute_zero.store import Flag, Score, Store, StoredRollout
from absolute_zero.types import Kind, Role, Status

DATABASE: Final = "run.db"
STAGES: Final = ("proposals", "read", "valid", "accepted")
"""Names of the counts that a proposal passes through, in order, as `absolute_zero.monitors` records them."""

Who = tuple[Role, Kind]


class Born(NamedTuple):
    """An accepted task, as far as curves need it."""

    id: int
    step: int
    kind: Kind
    trials: int
    successes: int
    behaviour: str
    characters: int
    """Length of its program."""
    lines: int

    @property
    def between(self) -> bool:
        """Some of its trials solved it, and some did not: what learnability pays for."""
        return 0 < self.successes < self.trials


class Spread(NamedTuple):
    """Median and the middle 80 % of some values."""

    middle: float
    low: float
    high: float


class Seeding(NamedTuple):
    """What happened before the first step."""

    rounds: int
    proposals: int
    accepted: int


@dataclass
class Figures:
    """All series of a run; lists have one place for each bin of steps."""

    last: int | None
    """The last whole step, at most 0 while seeding; None before anything."""
    bins: Bins
    kinds: list[Kind]
    reward: dict[Who, list[Sums]] = field(default_factory=dict[Who, list[Sums]])
    passed: dict[Who, list[Sums]] = field(default_factory=dict[Who, list[Sums]])
    malformed: dict[Who, list[Sums]] = field(default_factory=dict[Who, list[Sums]])
    truncated: dict[Who, list[Sums]] = field(default_factory=dict[Who, list[Sums]])
    tokens: dict[Who, list[Spread | None]] = field(default_factory=dict[Who, list[Spread | None]])
    responses: Counter[Who] = field(default_factory=Counter[Who])
    funnel: dict[tuple[str, Kind], list[float]] = field(default_factory=dict[tuple[str, Kind], list[float]])
    refused: dict[Kind, dict[tuple[Status, str], list[float]]] = field(
        default_factory=dict[Kind, dict[tuple[Status, str], list[float]]]
    )
    examples: dict[tuple[Kind, Status, str], list[str]] = field(
        default_factory=dict[tuple[Kind, Status, str], list[str]]
    )
    born: list[Born] = field(default_factory=list[Born])
    written: set[int] = field(default_factory=set[int])
    """Entries of which the store keeps the text of the proposal and of a trial."""
    metrics: dict[str, list[tuple[int, float]]] = field(default_factory=dict[str, list[tuple[int, float]]])
    """What else was recorded: (step, value) by name."""
    clocks: dict[str, list[tuple[int, float]]] = field(default_factory=dict[str, list[tuple[int, float]]])
    scores: list[tuple[int, Score]] = field(default_factory=list[tuple[int, Score]])
    flags: list[tuple[int, Flag]] = field(default_factory=list[tuple[int, Flag]])
    seeding: Seeding = field(default_factory=lambda: Seeding(0, 0, 0))

    @property
    def steps(self) -> int:
        """Training steps that are there."""
        return max(self.last or 0, 0)


def gather(store: Store) -> Figures:
    """Every series of the run in this store."""
    last = store.last_step()
    bins = Bins(max(last or 0, 0))
    figures = Figures(last, bins, [])
    if last is None:
        return figures
    _metrics(figures, store)
    _refusals(figures, store)
    _entries(figures, store)
    _rollouts(figures, store)
    figures.scores = [row for row in store.scores() if row[0] <= last]
    figures.flags = [row for row in store.flags() if row[0] <= last]
    seen = {kind for _, kind in (*figures.funnel, *figures.reward)} | {task.kind for task in figures.born}
    figures.kinds = [kind for kind in Kind if kind in seen]
    return figures


def _metrics(figures: Figures, store: Store) -> None:
    """The counts of the funnel by bin, what seeding came to, and everything else by name."""
    stages = {f"{stage}/{kind}": (stage, kind) for stage in STAGES for kind in Kind}
    rounds: set[int] = set()
    seeded = Counter[str]()
    for step, name, value in store.metrics():
        if step > figures.steps:
            continue
        place = stages.get(name)
        if step < 1:
            rounds.add(step)
            seeded[place[0] if place else ""] += int(value) if place else 0
        elif place and math.isfinite(value):
            figures.funnel.setdefault(place, [0.0] * figures.bins.count)[figures.bins.of(step)] += value
        else:
            figures.metrics.setdefault(name, []).append((step, value))
    figures.seeding = Seeding(len(rounds), seeded["proposals"], seeded["accepted"])
    for step, name, value in store.clocks():
        if step <= figures.steps:
            figures.clocks.setdefault(name, []).append((step, value))


def _refusals(figures: Figures, store: Store) -> None:
    for step, refused in store.refusals(after=0):
        if step > figures.steps:
            continue
        why = (refused.status, refused.reason)
        rows = figures.refused.setdefault(refused.kind, {})
        rows.setdefault(why, [0.0] * figures.bins.count)[figures.bins.of(step)] += refused.count
        examples = figures.examples.setdefault((refused.kind, *why), [])
        for text in refused.examples:
            if text and text not in examples and len(examples) < 2:
                examples.append(text)


def _entries(figures: Figures, store: Store) -> None:
    for entry in store.entries():
        if entry.step > (figures.last or 0):
            return
        program = entry.problem.program
        counts = (entry.trials, entry.successes, entry.behaviour)
        figures.born.append(
            Born(entry.id, entry.step, entry.problem.kind, *counts, len(program), program.strip().count("\n") + 1)
        )


def _rollouts(figures: Figures, store: Store) -> None:
    """Shares and means by role, kind and bin, a task with all its tries in a step as one cluster."""
    lengths: defaultdict[Who, list[list[int]]] = defaultdict(lambda: [[] for _ in range(figures.bins.count)])
    proposed, tried = set[int](), set[int]()
    for step in range(1, figures.steps + 1):
        place = figures.bins.of(step)
        clusters: dict[tuple[Who, int], list[StoredRollout]] = {}
        for kept in store.rollouts(step, texts=False):
            rollout = kept.rollout
            who = (rollout.role, rollout.kind)
            lengths[who][place].append(kept.tokens)
            clusters.setdefault((who, rollout.item), []).append(kept)
            if kept.whole and rollout.entry:
                (proposed if rollout.role is Role.PROPOSE else tried).add(rollout.entry)
        for (who, _), tries in clusters.items():
            _count(figures, who, place, tries)
    figures.written = proposed & tried
    for who, bins in lengths.items():
        figures.tokens[who] = [spread(values) for values in bins]


def _count(figures: Figures, who: Who, place: int, tries: Iterable[StoredRollout]) -> None:
    """Add one cluster."""
    judged = [kept.rollout for kept in tries if kept.rollout.grade.status is not Status.MASKED]
    if not judged:
        return
    figures.responses[who] += len(judged)
    statuses = Counter(rollout.grade.status for rollout in judged)
    paid = [rollout.reward for rollout in judged if rollout.reward is not None]
    n = len(judged)
    passed = statuses[Status.PASSED]
    if who[0] is Role.SOLVE:
        passed = sum(rollout.grade.right for rollout in judged)
    for series, cluster in (
        (figures.reward, Sums.of(len(paid), sum(paid)) if paid else Sums()),
        (figures.passed, Sums.of(n, passed)),
        (figures.malformed, Sums.of(n, statuses[Status.MALFORMED])),
        (figures.truncated, Sums.of(n, sum(rollout.completion.truncated for rollout in judged))),
    ):
        bins = series.setdefault(who, [Sums()] * figures.bins.count)
        bins[place] = bins[place].plus(cluster)


def spread(values: Iterable[float]) -> Spread | None:
    """Median, tenth and ninetieth percentile; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    return Spread(quantile(ordered, 0.5), quantile(ordered, 0.1), quantile(ordered, 0.9))


# --- of accepted tasks --------------------------------------------------------------------------------------


def histogram(figures: Figures, kind: Kind, bins: Bins) -> tuple[int, list[Counter[int]]]:
    """n, and for each bin how many new tasks were solved by so many of n trials; n is the largest number of trials.

    Tasks with fewer trials (the machine failed on some) are left out: their counts do not compare.
    """
    tasks = [task for task in figures.born if task.kind is kind and task.step >= 1 and task.trials]
    most = max((task.trials for task in tasks), default=0)
    counts = [Counter[int]() for _ in range(bins.count)]
    for task in tasks:
        if task.trials == most:
            counts[bins.of(task.step)][task.successes] += 1
    return most, counts


def born_sums(figures: Figures, kind: Kind, between: bool) -> list[Sums]:
    """By bin, of new tasks that were tried: how many lie `between` 0 and 1, or their trials and successes."""
    series = [Sums()] * figures.bins.count
    for task in figures.born:
        if task.kind is kind and task.step >= 1 and task.trials:
            place = figures.bins.of(task.step)
            one = Sums.share(1, task.between) if between else Sums.of(task.trials, task.successes)
            series[place] = series[place].plus(one)
    return series


def novel(figures: Figures, kind: Kind) -> tuple[list[float], list[float]]:
    """By bin: the different behaviours among the accepted tasks of a step; and of these, the ones that the run, seeding
    included, had not accepted before in this kind."""
    different, first = [0.0] * figures.bins.count, [0.0] * figures.bins.count
    seen, step, within = set[str](), 0, set[str]()
    for task in figures.born:
        if task.kind is not kind:
            continue
        if task.step != step:
            step, within = task.step, set[str]()
        if task.step >= 1 and task.behaviour not in within:
            different[figures.bins.of(task.step)] += 1
            first[figures.bins.of(task.step)] += task.behaviour not in seen
        within.add(task.behaviour)
        seen.add(task.behaviour)
    return different, first


def lengths(figures: Figures, kind: Kind) -> list[Spread | None]:
    """By bin: characters of the programs of accepted tasks."""
    values: list[list[int]] = [[] for _ in range(figures.bins.count)]
    for task in figures.born:
        if task.kind is kind and task.step >= 1:
            values[figures.bins.of(task.step)].append(task.characters)
    return [spread(some) for some in values]


# --- files beside the store ---------------------------------------------------------------------------------


def read_object(path: Path) -> Mapping[str, Any] | None:
    """The JSON object in a file; None if there is none that can be read."""
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None


def number(value: object) -> float | None:
    """A finite number that JSON held; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # whole numbers have no end
        return None
