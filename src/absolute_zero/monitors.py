"""What a step shows of itself, in numbers (paper section 4.3).

Promises: `step_metrics` is a pure function of a `Step`, each value a finite float under a name `what/role or
kind/more`; a name is there only if there was something to measure. Its work grows with the step, never with the
history. Floor 2.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from absolute_zero.types import Grade, Role, Status, Step, Task


def step_metrics(step: Step) -> dict[str, float]:
    """Return everything that is recorded of a step, by name. What the policy reports of its update stays as it is."""
    return {**_proposals(step), **_difficulty(step), **_rollouts(step), **step.stats}


def _proposals(step: Step) -> dict[str, float]:
    """Count proposals: how many there were, were parsed, were valid, were accepted; and why the others were not."""
    counts: Counter[str] = Counter()
    for validation in step.validations:
        kind, result = validation.proposal.kind, validation.result
        counts[f"proposals/total/{kind}"] += 1
        counts[f"proposals/parsed/{kind}"] += not isinstance(validation.proposal.parsed, Grade)
        counts[f"proposals/valid/{kind}"] += validation.valid
        counts[f"proposals/accepted/{kind}"] += validation.task is not None
        if isinstance(result, Grade):
            counts[f"proposals/rejected/{kind}/{result.reason}"] += 1
    return _floats(counts)


def _difficulty(step: Step) -> dict[str, float]:
    """Measure how hard this step's new tasks were for its solver, by kind and by the label of the task, if it has any.

    Tasks without a graded difficulty rollout are left out.
    """
    rates: defaultdict[str, list[float]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for task in step.tasks:
        if not task.trials:
            continue
        rate = task.successes / task.trials
        rates[f"difficulty/success_rate/{task.kind}"].append(rate)
        if task.label:
            rates[f"difficulty/success_rate/{task.kind}/{task.label}"].append(rate)
        counts[f"difficulty/learnable/{task.kind}"] += task.learnable
        counts[f"difficulty/histogram/{task.kind}/{task.successes}of{task.trials}"] += 1
    return {**_means(rates), **_floats(counts)}


def _rollouts(step: Step) -> dict[str, float]:
    """Count rollouts, and those that were masked, malformed or correct; average tokens and reward, by role and kind.

    Where responses were read that are not in strict form, those that are, and are correct, are counted apart.
    """
    natural = any(not it.strict and it.grade.status not in (Status.MALFORMED, Status.MASKED) for it in step.rollouts)
    values: defaultdict[str, list[float]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for rollout in step.rollouts:
        role_and_kind, status = f"{rollout.role}/{rollout.kind}", rollout.grade.status
        counts[f"rollouts/total/{role_and_kind}"] += 1
        counts[f"rollouts/masked/{role_and_kind}"] += status is Status.MASKED
        counts[f"rollouts/malformed/{role_and_kind}"] += status is Status.MALFORMED
        counts[f"rollouts/correct/{role_and_kind}"] += rollout.grade.correct
        if natural:
            counts[f"rollouts/strict/{role_and_kind}"] += rollout.strict and status is not Status.MALFORMED
            counts[f"rollouts/strict_correct/{role_and_kind}"] += rollout.strict and rollout.grade.correct
        values[f"response_tokens/mean/{role_and_kind}"].append(len(rollout.completion.tokens))
        if rollout.reward is not None:
            values[f"reward/mean/{role_and_kind}"].append(rollout.reward)
    return {**_floats(counts), **_means(values)}


def _floats(counts: Mapping[str, int]) -> dict[str, float]:
    return {name: float(count) for name, count in counts.items()}


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: sum(series) / len(series) for name, series in values.items()}


def base_rates(tasks: Iterable[Task]) -> dict[str, float]:
    """Return how often the model that a run began with solves the new tasks of a step, by kind (paper section 4.3).

    The tasks have the outcomes of that model's rollouts; those without a graded one are left out.
    """
    rates: defaultdict[str, list[float]] = defaultdict(list)
    for task in tasks:
        if task.trials:
            rates[f"difficulty/success_rate_base/{task.kind}"].append(task.successes / task.trials)
    return _means(rates)


class Overview(NamedTuple):
    """A step in a line, over all kinds; None where nothing was measured."""

    accepted: Mapping[str, int]
    """Proposals that became tasks, by kind."""
    valid: float | None
    """Share of proposals."""
    learnable: float | None
    """Share of the new tasks with a graded difficulty rollout."""
    success_rate: Mapping[str, float]
    """Of new tasks, by kind."""
    reward: Mapping[Role, float]
    """Mean over the rollouts that were rewarded, by role."""
    tokens: int
    """Tokens of all responses."""


def overview(metrics: Mapping[str, float], kinds: Sequence[str]) -> Overview:
    """Return a step at a glance, from the metrics that `step_metrics` has of it."""

    def total(name: str) -> float:
        return sum(metrics.get(f"{name}/{kind}", 0.0) for kind in kinds)

    measured = sum(value for name, value in metrics.items() if name.startswith("difficulty/histogram/"))
    rates = {kind: f"difficulty/success_rate/{kind}" for kind in kinds}
    rewards = {role: _mean_reward(metrics, role, kinds) for role in Role}
    tokens = (
        metrics.get(f"rollouts/total/{role}/{kind}", 0.0) * metrics.get(f"response_tokens/mean/{role}/{kind}", 0.0)
        for role in Role
        for kind in kinds
    )
    return Overview(
        {kind: int(metrics.get(f"proposals/accepted/{kind}", 0.0)) for kind in kinds},
        total("proposals/valid") / total("proposals/total") if total("proposals/total") else None,
        total("difficulty/learnable") / measured if measured else None,
        {kind: metrics[name] for kind, name in rates.items() if name in metrics},
        {role: reward for role, reward in rewards.items() if reward is not None},
        round(sum(tokens)),
    )


def _mean_reward(metrics: Mapping[str, float], role: Role, kinds: Sequence[str]) -> float | None:
    """Return the mean over the rollouts of a role that were rewarded: all but the masked ones."""
    total = count = 0.0
    for kind in kinds:
        reward = metrics.get(f"reward/mean/{role}/{kind}")
        if reward is not None:
            size = metrics[f"rollouts/total/{role}/{kind}"] - metrics[f"rollouts/masked/{role}/{kind}"]
            total, count = total + size * reward, count + size
    return total / count if count else None
