"""What a step shows of itself, in numbers (paper section 4.3; ALGORITHM.md section 7).

Promises: pure functions of a `Step`, each value a finite float under a name `what/role or kind/more`; a name is
there only if there was something to measure. Work grows with the step, never with the history. Floor 2.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from absolute_zero.store import Store
from absolute_zero.types import Entry, Grade, Kind, Status, Step
from absolute_zero.values import read


def measure(step: Step) -> dict[str, float]:
    """Everything that is recorded of a step, by name."""
    return {
        **_funnel(step),
        **_difficulty(step),
        **_responses(step),
        **{f"update/{k}": v for k, v in step.stats.items()},
    }


def _funnel(step: Step) -> dict[str, float]:
    """How many proposals came, were read, were valid, were accepted; and why the others were not."""
    counts: Counter[str] = Counter()
    for ruling in step.rulings:
        kind, made = ruling.draft.kind, ruling.made
        counts[f"proposals/{kind}"] += 1
        counts[f"read/{kind}"] += not isinstance(ruling.draft.read, Grade)
        counts[f"valid/{kind}"] += ruling.valid
        counts[f"accepted/{kind}"] += isinstance(made, Entry)
        if isinstance(made, Grade):
            counts[f"refused/{kind}/{made.reason}"] += 1
    return {name: float(count) for name, count in counts.items()}


def _difficulty(step: Step) -> dict[str, float]:
    """How hard this step's new tasks were for its solver, by kind and by the type of the output."""
    rates: defaultdict[str, list[float]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for entry in step.entries:
        if not entry.trials:
            continue
        kind, rate = entry.problem.kind, entry.successes / entry.trials
        rates[f"solve_rate/new/{kind}"].append(rate)
        rates[f"solve_rate/output/{kind}/{type(read(entry.problem.pairs[0][1])).__name__}"].append(rate)
        counts[f"learnable/{kind}"] += 0 < entry.successes < entry.trials
        counts[f"solved/{kind}/{entry.successes}of{entry.trials}"] += 1
    return {**_means(rates), **{name: float(count) for name, count in counts.items()}}


def _responses(step: Step) -> dict[str, float]:
    """Tokens, rewards, and how many were malformed, cut or void, by role and kind."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for rollout in step.rollouts:
        who, status = f"{rollout.role}/{rollout.kind}", rollout.grade.status
        counts[f"responses/{who}"] += 1
        counts[f"void/{who}"] += status is Status.MASKED
        counts[f"malformed/{who}"] += status is Status.MALFORMED
        counts[f"right/{who}"] += rollout.grade.right
        values[f"tokens/{who}"].append(len(rollout.completion.tokens))
        if rollout.reward is not None:
            values[f"reward/{who}"].append(rollout.reward)
    return {**{name: float(count) for name, count in counts.items()}, **_means(values)}


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: sum(some) / len(some) for name, some in values.items()}


def complaint(short: Mapping[Kind, int], wanted: int, store: Store) -> str:
    """One line on a model that could not fill its buffers: what is missing, why, two examples, what to do."""
    missing = ", ".join(f"{size} of {wanted} {kind}" for kind, size in short.items())
    counts: Counter[str] = Counter()
    for _, refused in store.refusals():
        counts[refused.reason] += refused.count
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts.most_common(6))
    said = [kept.rollout for kept in store.rollouts(store.last_step() or 0)]
    texts = [rollout.completion.text for rollout in said if not rollout.entry and rollout.completion.text]
    examples = " and ".join(repr(text[-160:]) for text in texts[-2:]) or "none kept"
    return (
        f"seeding made {missing} tasks; refused: {reasons or 'none'}; last ones: {examples}:"
        " raise seeding.rounds, or use a model that can write such tasks"
    )
