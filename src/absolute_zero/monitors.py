"""What a step shows of itself, in numbers (paper section 4.3).

Promises: `measure` is a pure function of a `Step`, each value a finite float under a name `what/role or kind/more`; a
name is there only if there was something to measure. Its work grows with the step, never with the history. `complaint`
reads the store of a run whose seeding came to nothing, and writes nothing. Floor 2.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from absolute_zero.store import Store
from absolute_zero.types import Grade, Status, Step

REMEDIES: Final = {
    "prompt_too_long": "raise sampling.max_prompt_tokens, as most prompts for a proposal are longer than that",
    "truncated": "raise sampling.max_tokens, as most responses end at that limit",
}
"""What to do about a short seeding, by its commonest reason."""
REMEDY: Final = "raise seeding.rounds, or use a model that can write such tasks"
"""What to do about it for any other reason."""


def measure(step: Step) -> dict[str, float]:
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


def complaint(short: Mapping[str, int], wanted: int, store: Store) -> str:
    """Return one line on a model that could not fill its buffers: what is missing, why, two examples, what to do.

    `short` has the number of tasks of each kind with fewer than `wanted`.
    """
    missing = " and ".join(f"{size} of {wanted} {kind}" for kind, size in short.items())
    counts: Counter[str] = Counter()
    for _, rejection in store.rejections():
        if rejection.kind in short:
            counts[rejection.reason] += rejection.count
    commonest = counts.most_common(6)
    reasons = ", ".join(f"{reason} {count}" for reason, count in commonest) or "none"
    last = [stored.rollout for stored in store.rollouts(store.last_step() or 0)]
    texts = [it.completion.text for it in last if it.kind in short and not it.task and it.completion.text]
    examples = " and ".join(repr(text[-160:]) for text in texts[-2:]) or "none kept"
    remedy = REMEDIES.get(commonest[0][0], REMEDY) if commonest else REMEDY
    return f"seeding gave only {missing} tasks; rejected: {reasons}; the last responses: {examples}: {remedy}"
