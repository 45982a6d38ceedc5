"""From the run database to series over steps: everything the page draws, counted once.

Promises: reads each step once and holds sums, never the texts of a step; looks at whole steps up to the last that was
there at the beginning, so a run may go on meanwhile; training steps only, from 1 on, but for `Seeding`. Masked rollouts
are in no share and no mean. Kinds are whatever words the run has for them. Knows nothing of drawing.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from absolute_zero.report.statistics import Bins, Sums, quantile
from absolute_zero.report.texts import TaskTexts
from absolute_zero.store import Flag, Store, StoredRollout
from absolute_zero.types import Role, Status

STAGES: Final = ("total", "parsed", "valid", "accepted")
"""Counts that a proposal passes through, in order; `absolute_zero.monitors` records them as `proposals/STAGE/KIND`."""

RoleAndKind = tuple[Role, str]
"""Whose rollouts a series counts: a role, in a kind."""


class AcceptedTask(NamedTuple):
    """An accepted task, as far as curves need it."""

    id: int
    step: int
    kind: str
    trials: int
    successes: int
    behaviour: str
    characters: int
    """Length of its longest text."""
    learnable: bool
    """As `Task.learnable`."""


class Spread(NamedTuple):
    """Median and the middle 80 % of values."""

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
    """All series of a run; lists have an item for each bin of steps."""

    last: int | None
    """The last whole step, at most 0 while seeding; None before anything."""
    bins: Bins
    kinds: list[str]
    """Those that the run has played, in the order of its settings, or else of their first appearance."""
    colours: dict[str, int] = field(default_factory=dict[str, int])
    """Position of each kind, played or not, which decides about its colour."""
    reward: dict[RoleAndKind, list[Sums]] = field(default_factory=dict[RoleAndKind, list[Sums]])
    passed: dict[RoleAndKind, list[Sums]] = field(default_factory=dict[RoleAndKind, list[Sums]])
    malformed: dict[RoleAndKind, list[Sums]] = field(default_factory=dict[RoleAndKind, list[Sums]])
    truncated: dict[RoleAndKind, list[Sums]] = field(default_factory=dict[RoleAndKind, list[Sums]])
    tokens: dict[RoleAndKind, list[Spread | None]] = field(default_factory=dict[RoleAndKind, list[Spread | None]])
    graded: Counter[RoleAndKind] = field(default_factory=Counter[RoleAndKind])
    """How many rollouts were graded."""
    funnel: dict[tuple[str, str], list[float]] = field(default_factory=dict[tuple[str, str], list[float]])
    """Counts by stage and kind."""
    rejected: dict[str, dict[tuple[Status, str], list[float]]] = field(
        default_factory=dict[str, dict[tuple[Status, str], list[float]]]
    )
    """Counts by kind, and by status and reason."""
    examples: dict[tuple[str, Status, str], list[str]] = field(default_factory=dict[tuple[str, Status, str], list[str]])
    tasks: list[AcceptedTask] = field(default_factory=list[AcceptedTask])
    written: set[int] = field(default_factory=set[int])
    """Ids of tasks of which the store keeps the text of the proposal and of a solution."""
    metrics: dict[str, list[tuple[int, float]]] = field(default_factory=dict[str, list[tuple[int, float]]])
    """What else was recorded: (step, value) by name."""
    clocks: dict[str, list[tuple[int, float]]] = field(default_factory=dict[str, list[tuple[int, float]]])
    flags: list[tuple[int, Flag]] = field(default_factory=list[tuple[int, Flag]])
    seeding: Seeding = field(default_factory=lambda: Seeding(0, 0, 0))

    @property
    def steps(self) -> int:
        """Training steps that are there."""
        return max(self.last or 0, 0)


def gather(store: Store, texts: TaskTexts | None = None, kinds: Sequence[str] = ()) -> Figures:
    """Return every series of the run in this store; `kinds` are those of its settings, as far as they are known."""
    last = store.last_step()
    figures = Figures(last, Bins(max(last or 0, 0)), [])
    if last is not None:
        first = _metrics(figures, store)
        _rejections(figures, store)
        _tasks(figures, store, texts or TaskTexts())
        _rollouts(figures, store)
        figures.flags = [row for row in store.flags() if row[0] <= last]
        # The rollouts of a step stand in the order in which kinds are asked for; metrics stand by name.
        asked = [stored.rollout.kind for stored in store.rollouts(first, texts=False)]
        played = dict.fromkeys(
            (*asked, *(task.kind for task in figures.tasks), *(kind for _, kind in (*figures.tokens, *figures.funnel)))
        )
        known = dict.fromkeys((*kinds, *played))
        figures.kinds = [kind for kind in known if kind in played]
        kinds = tuple(known)
    figures.colours = {kind: index for index, kind in enumerate(dict.fromkeys(kinds))}
    return figures


def _metrics(figures: Figures, store: Store) -> int:
    """Read the counts of the funnel by bin, what seeding came to, and everything else by name.

    Returns the first step that recorded anything, 1 if none did.
    """
    rounds: set[int] = set()
    seeded = Counter[str]()
    for step, name, value in store.metrics():
        if step > figures.steps:
            continue
        stage, kind = _stage(name)
        if step < 1:
            rounds.add(step)
            seeded[stage] += int(value) if stage else 0
        elif stage and math.isfinite(value):
            figures.funnel.setdefault((stage, kind), [0.0] * figures.bins.count)[figures.bins.of(step)] += value
        else:
            figures.metrics.setdefault(name, []).append((step, value))
    figures.seeding = Seeding(len(rounds), seeded["total"], seeded["accepted"])
    for step, name, value in store.clocks():
        if step <= figures.steps:
            figures.clocks.setdefault(name, []).append((step, value))
    return min(rounds, default=1)


def _stage(name: str) -> tuple[str, str]:
    """Return stage and kind of a count of the funnel; two empty texts for any other metric."""
    section, _, rest = name.partition("/")
    stage, _, kind = rest.partition("/")
    return (stage, kind) if section == "proposals" and stage in STAGES and kind else ("", "")


def _rejections(figures: Figures, store: Store) -> None:
    for step, rejection in store.rejections(after=0):
        if step > figures.steps:
            continue
        why = (rejection.status, rejection.reason)
        rows = figures.rejected.setdefault(rejection.kind, {})
        rows.setdefault(why, [0.0] * figures.bins.count)[figures.bins.of(step)] += rejection.count
        examples = figures.examples.setdefault((rejection.kind, *why), [])
        for text in rejection.examples:
            if text and text not in examples and len(examples) < 2:
                examples.append(text)


def _tasks(figures: Figures, store: Store, texts: TaskTexts) -> None:
    for task in store.tasks():
        if task.step > (figures.last or 0):
            return
        longest = max(len(text) for _, text in texts.parts(task))
        counts = (task.trials, task.successes, task.behaviour)
        figures.tasks.append(AcceptedTask(task.id, task.step, task.kind, *counts, longest, task.learnable))


def _rollouts(figures: Figures, store: Store) -> None:
    """Add shares and means by role, kind and bin, the rollouts of a prompt as one cluster."""
    lengths: defaultdict[RoleAndKind, list[list[int]]] = defaultdict(lambda: [[] for _ in range(figures.bins.count)])
    proposed, solved = set[int](), set[int]()
    for step in range(1, figures.steps + 1):
        index = figures.bins.of(step)
        clusters: dict[tuple[RoleAndKind, int], list[StoredRollout]] = {}
        for stored in store.rollouts(step, texts=False):
            rollout = stored.rollout
            role_and_kind = (rollout.role, rollout.kind)
            lengths[role_and_kind][index].append(stored.n_tokens)
            clusters.setdefault((role_and_kind, rollout.item), []).append(stored)
            if stored.has_texts and rollout.task:
                (proposed if rollout.role is Role.PROPOSE else solved).add(rollout.task)
        for (role_and_kind, _), cluster in clusters.items():
            _count(figures, role_and_kind, index, cluster)
    figures.written = proposed & solved
    for role_and_kind, bins in lengths.items():
        figures.tokens[role_and_kind] = [spread(values) for values in bins]


def _count(figures: Figures, role_and_kind: RoleAndKind, index: int, cluster: Iterable[StoredRollout]) -> None:
    """Add a cluster to the series of its bin."""
    graded = [stored.rollout for stored in cluster if stored.rollout.grade.status is not Status.MASKED]
    if not graded:
        return
    figures.graded[role_and_kind] += len(graded)
    statuses = Counter(rollout.grade.status for rollout in graded)
    rewards = [rollout.reward for rollout in graded if rollout.reward is not None]
    n = len(graded)
    passed = statuses[Status.PASSED]
    if role_and_kind[0] is Role.SOLVE:
        passed = sum(rollout.grade.correct for rollout in graded)
    for series, sums in (
        (figures.reward, Sums.of(len(rewards), sum(rewards)) if rewards else Sums()),
        (figures.passed, Sums.of(n, passed)),
        (figures.malformed, Sums.of(n, statuses[Status.MALFORMED])),
        (figures.truncated, Sums.of(n, sum(rollout.completion.truncated for rollout in graded))),
    ):
        bins = series.setdefault(role_and_kind, [Sums()] * figures.bins.count)
        bins[index] = bins[index].plus(sums)


def spread(values: Iterable[float]) -> Spread | None:
    """Return median, tenth and ninetieth percentile; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    return Spread(quantile(ordered, 0.5), quantile(ordered, 0.1), quantile(ordered, 0.9))


# --- of accepted tasks --------------------------------------------------------------------------------------


def histogram(figures: Figures, kind: str, bins: Bins) -> tuple[int, list[Counter[int]]]:
    """Return n, the largest number of difficulty rollouts, and for each bin how many new tasks had how many successes.

    Tasks with fewer rollouts (the machine failed on a few) are left out: their counts do not compare.
    """
    tasks = [task for task in figures.tasks if task.kind == kind and task.step >= 1 and task.trials]
    most = max((task.trials for task in tasks), default=0)
    counts = [Counter[int]() for _ in range(bins.count)]
    for task in tasks:
        if task.trials == most:
            counts[bins.of(task.step)][task.successes] += 1
    return most, counts


def learnable_sums(figures: Figures, kind: str) -> list[Sums]:
    """Return by bin how many of the new tasks, of those with difficulty rollouts, are learnable."""
    return _task_sums(figures, kind, lambda task: Sums.share(1, task.learnable))


def success_sums(figures: Figures, kind: str) -> list[Sums]:
    """Return by bin the successes of the difficulty rollouts of new tasks."""
    return _task_sums(figures, kind, lambda task: Sums.of(task.trials, task.successes))


def _task_sums(figures: Figures, kind: str, sums: Callable[[AcceptedTask], Sums]) -> list[Sums]:
    series = [Sums()] * figures.bins.count
    for task in figures.tasks:
        if task.kind == kind and task.step >= 1 and task.trials:
            index = figures.bins.of(task.step)
            series[index] = series[index].plus(sums(task))
    return series


def novel(figures: Figures, kind: str) -> tuple[list[float], list[float]]:
    """Return by bin the different behaviours among the accepted tasks of a step; and of these, how many the run,
    seeding included, had not accepted before in this kind. Tasks whose behaviour is not known are left out."""
    different, first = [0.0] * figures.bins.count, [0.0] * figures.bins.count
    seen, step, within = set[str](), 0, set[str]()
    for task in figures.tasks:
        if task.kind != kind or not task.behaviour:
            continue
        if task.step != step:
            step, within = task.step, set[str]()
        if task.step >= 1 and task.behaviour not in within:
            different[figures.bins.of(task.step)] += 1
            first[figures.bins.of(task.step)] += task.behaviour not in seen
        within.add(task.behaviour)
        seen.add(task.behaviour)
    return different, first


def lengths(figures: Figures, kind: str) -> list[Spread | None]:
    """Return by bin the characters of the longest text of accepted tasks."""
    values: list[list[int]] = [[] for _ in range(figures.bins.count)]
    for task in figures.tasks:
        if task.kind == kind and task.step >= 1:
            values[figures.bins.of(task.step)].append(task.characters)
    return [spread(characters) for characters in values]


# --- files beside the store ---------------------------------------------------------------------------------


def read_object(path: Path) -> Mapping[str, Any] | None:
    """Return the JSON object in a file; None if there is none that can be read."""
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return cast("Mapping[str, Any]", content) if isinstance(content, dict) else None


def number(value: object) -> float | None:
    """Return a finite number that JSON held; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # whole numbers have no end
        return None


def names(value: object) -> list[str]:
    """Return the texts in a list that JSON held."""
    return [item for item in cast("list[object]", value) if isinstance(item, str)] if isinstance(value, list) else []
