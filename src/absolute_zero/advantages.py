"""Advantages: TRR++ and its relatives (paper section 3.3), from rewards to how much better than expected.

An estimator is a pure function of (state, rewards) to (state, advantages). Ours are two choices: which rewards share a
baseline (a pool), and the formula that compares a pool's rewards; they remember nothing. `ESTIMATORS` is the table of
them, and `compute` applies one estimator per role to a step.

Promises: pure; pools do not influence each other; the order of the rewards changes no bit of any advantage;
a pool without spread gives exact zeros; every advantage is finite. Does not filter rewards by outcome (that
would shift the baseline), does not apply the weights to the loss, and knows no tensors.

A reward of weight 0 is not trained on: it is in no baseline, does not count as a rollout of its prompt, and its
advantage is 0.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

from absolute_zero.keys import Key
from absolute_zero.ports import Estimator, State
from absolute_zero.types import Reward, Role, UserError

EPSILON = 1e-6
"""Added to a standard deviation before dividing by it."""
TOKEN_EPSILON = 1e-8
"""Added to a variance before its inverse root, in the reference's whitening."""
NO_SPREAD = 1e-12
"""A pool whose standard deviation is at most this, times the largest reward's size or 1, has no spread.

Equal rewards computed by different routes differ by some units in the last place (2e-16 each, relative);
rewards that mean different things are of order 1 and differ by far more."""
BOUND = 1e100
"""Larger rewards, weights and token counts are refused: a mistake, and their squares must stay finite."""


# --- formulas -----------------------------------------------------------------------------------------------
# Each takes one pool, n >= 1 samples: rewards (n), weights (n, each > 0), tokens (n); gives advantages (n).

Formula = Callable[[Sequence[float], Sequence[float], Sequence[int]], list[float]]


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """Return the weighted mean, whatever the order: sums are exactly rounded, and weights relative to the largest."""
    top = max(weights)
    shares = [weight / top for weight in weights]
    return math.fsum(value * share for value, share in zip(values, shares, strict=True)) / math.fsum(shares)


def _spread(rewards: Sequence[float], weights: Sequence[float]) -> tuple[list[float], float]:
    """Return each reward's distance from the weighted mean, and their weighted population standard deviation.

    All exactly 0 if there is no spread (`NO_SPREAD`).
    """
    low = min(rewards)
    above = [reward - low for reward in rewards]  # so that a large common part costs no digits
    mean = _mean(above, weights)
    distances = [value - mean for value in above]
    deviation = math.sqrt(_mean([distance * distance for distance in distances], weights))
    if deviation <= NO_SPREAD * max(1.0, *map(abs, rewards)):
        return [0.0] * len(rewards), 0.0
    return distances, deviation


def standardised(rewards: Sequence[float], weights: Sequence[float], tokens: Sequence[int]) -> list[float]:
    """Return (r - mean) / (std + EPSILON), both by weight; std of the population (paper section 3.3, TRR++)."""
    distances, deviation = _spread(rewards, weights)
    return [distance / (deviation + EPSILON) for distance in distances]


def whitened_by_token(rewards: Sequence[float], weights: Sequence[float], tokens: Sequence[int]) -> list[float]:
    """Return (r - mean) * (var + TOKEN_EPSILON) ** -0.5 over tokens: the reference's whitening (its public code).

    Every sample counts once per token, so long failures move the baseline more, and the variance has
    Bessel's correction T / (T - 1) for T tokens in all. Equal weights, whatever their size, give the
    reference's numbers; it has no weights, and here they multiply the token counts in mean and variance.
    A pool of at most one token gives zeros: its variance is undefined, and the reference divides by zero.
    """
    total = sum(tokens)
    if total <= 1:
        return [0.0] * len(rewards)
    distances, deviation = _spread(rewards, [w * t for w, t in zip(weights, tokens, strict=True)])
    scale = (deviation**2 * (total / (total - 1)) + TOKEN_EPSILON) ** -0.5
    return [distance * scale for distance in distances]


def centred(rewards: Sequence[float], weights: Sequence[float], tokens: Sequence[int]) -> list[float]:
    """Return r - mean, by weight (Dr. GRPO, arXiv 2503.20783: no division by the deviation)."""
    return _spread(rewards, weights)[0]


def left_out(rewards: Sequence[float], weights: Sequence[float], tokens: Sequence[int]) -> list[float]:
    """Return r - mean of the others, by weight (RLOO, arXiv 2402.14740). Raises ValueError for a single sample."""
    if len(rewards) < 2:
        raise ValueError("leave-one-out needs at least two samples: one has no others to compare with")
    distances, _ = _spread(rewards, weights)

    def others(values: Sequence[float], index: int) -> list[float]:
        return [value for other, value in enumerate(values) if other != index]

    return [
        distance - _mean(others(distances, index), others(weights, index)) for index, distance in enumerate(distances)
    ]


# --- pools --------------------------------------------------------------------------------------------------


def whole_step(reward: Reward) -> Hashable:
    """Return one pool for all rewards that this estimator is applied to."""
    return ()


def role_and_kind(reward: Reward) -> Hashable:
    """Return a pool for each role and kind: six with two roles and three kinds (paper section 3.3)."""
    return reward.role, reward.kind


def same_prompt(reward: Reward) -> Hashable:
    """Return a pool for the rollouts of one prompt."""
    return reward.role, reward.kind, reward.prompt


@final
@dataclass(frozen=True, slots=True)
class PooledEstimator:
    """Which rewards share a baseline, and how a pool's rewards become advantages. It remembers nothing."""

    pool: Callable[[Reward], Hashable]
    formula: Formula

    @property
    def per_prompt(self) -> bool:
        """Whether it needs every prompt at least twice. A role that is sampled once cannot have it."""
        return self.pool is same_prompt

    def __call__(self, state: State, rewards: Sequence[Reward]) -> tuple[State, list[float]]:
        """Return the state as it is, and the advantage of every reward, in their order."""
        pools: dict[Hashable, list[int]] = {}
        for index, reward in enumerate(rewards):
            pools.setdefault(self.pool(reward), []).append(index)
        advantages = [0.0] * len(rewards)
        for indices in pools.values():
            pool = [rewards[index] for index in indices]
            values = self.formula([r.reward for r in pool], [r.weight for r in pool], [r.tokens for r in pool])
            for index, value in zip(indices, values, strict=True):
                advantages[index] = value
        return state, advantages


TRR = PooledEstimator(role_and_kind, standardised)
TRR_TOKEN = PooledEstimator(role_and_kind, whitened_by_token)
REINFORCE = PooledEstimator(whole_step, standardised)
GRPO = PooledEstimator(same_prompt, standardised)
DR_GRPO = PooledEstimator(same_prompt, centred)
RLOO = PooledEstimator(same_prompt, left_out)
ESTIMATORS: Mapping[str, PooledEstimator] = {
    "trr++": TRR, "trr++_token": TRR_TOKEN, "reinforce++": REINFORCE, "grpo": GRPO, "dr_grpo": DR_GRPO, "rloo": RLOO,
}  # fmt: skip
"""The estimators of this package by name. Others come in as plug-ins (`absolute_zero.plugins`)."""


def compute(
    rewards: Sequence[Reward],
    names: Mapping[Role, str],
    state: State = MappingProxyType({}),
    estimators: Mapping[str, Estimator] = ESTIMATORS,
    shuffled: Key | None = None,
) -> tuple[State, list[float]]:
    """Return what the estimators remember next, by name, and the advantage of every reward, in the rewards' order.

    `names` says which estimator each role has. Roles with the same one share its pools: `reinforce++` for both is one
    baseline for both. With `shuffled`, a control: the advantages of each role and kind are dealt anew among the rewards
    that are trained on. Raises ValueError for an unknown or missing estimator, for a reward that is not finite (or over
    BOUND, or with a negative weight or length), and for those that `sampled_once` finds; UserError if a plug-in gives
    something else than a finite number for each.

    >>> pair = [Reward(Role.SOLVE, "deduction", prompt=0, reward=reward) for reward in (1.0, 0.0)]
    >>> compute(pair, {Role.SOLVE: "dr_grpo"})[1]
    [0.5, -0.5]
    """
    _check(rewards, names, estimators)
    for index in sampled_once(rewards, names, estimators):
        lone = rewards[index]
        raise ValueError(
            f"{names[lone.role]} compares the rollouts of a prompt, and prompt {lone.prompt!r} ({lone.role},"
            f" {lone.kind}) was sampled once: raise its rollouts, leave it out, or choose trr++"
        )
    after = dict(state)
    advantages = [0.0] * len(rewards)
    for name in dict.fromkeys(names.values()):
        indices = [i for i, reward in enumerate(rewards) if reward.weight > 0 and names[reward.role] == name]
        if not indices:
            continue
        own, values = estimators[name](state.get(name, {}), [rewards[index] for index in indices])
        if len(values) != len(indices) or not all(map(math.isfinite, values)):
            raise UserError(f"estimator {name!r} gave {len(values)} values for {len(indices)} rewards, or no numbers")
        after[name] = _plain(name, own)
        for index, value in zip(indices, values, strict=True):
            advantages[index] = value
    after = {name: own for name, own in after.items() if own}
    return after, advantages if shuffled is None else _dealt(rewards, advantages, shuffled)


def _plain(name: str, state: State) -> State:
    """Return the state as it will be read back from the store, so that a run that goes on and one that is resumed are
    one."""
    try:
        return json.loads(json.dumps(dict(state)))
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"estimator {name!r} remembers what is not plain data ({error}): keep what JSON has") from None


def _dealt(rewards: Sequence[Reward], advantages: Sequence[float], key: Key) -> list[float]:
    pools: dict[tuple[Role, str], list[int]] = {}
    for index, reward in enumerate(rewards):
        if reward.weight > 0:
            pools.setdefault((reward.role, reward.kind), []).append(index)
    dealt = list(advantages)
    for (role, kind), indices in pools.items():
        order = key.at(role, kind).choose(len(indices), len(indices))
        for index, other in zip(indices, order, strict=True):
            dealt[index] = advantages[indices[other]]
    return dealt


def sampled_once(
    rewards: Sequence[Reward], names: Mapping[Role, str], estimators: Mapping[str, Estimator] = ESTIMATORS
) -> list[int]:
    """Return where, in order, the rewards are whose prompt has no other rollout, and whose estimator needs one.

    Right settings do not rule it out: of two rollouts, one may have left the batch because the machine failed.
    Raises ValueError for what `compute` refuses, except these.
    """
    _check(rewards, names, estimators)
    counts = Counter(same_prompt(reward) for reward in rewards if reward.weight > 0)
    return [
        index
        for index, reward in enumerate(rewards)
        if reward.weight > 0
        and getattr(estimators[names[reward.role]], "per_prompt", False)
        and counts[same_prompt(reward)] < 2
    ]


def _check(rewards: Sequence[Reward], names: Mapping[Role, str], estimators: Mapping[str, Estimator]) -> None:
    for name in names.values():
        if name not in estimators:
            raise ValueError(f"no estimator is called {name!r}: use one of {', '.join(estimators)}")
    for reward in rewards:
        # Written so that nan, which is not within anything, is refused too.
        if not (abs(reward.reward) <= BOUND and 0 <= reward.weight <= BOUND and 0 <= reward.tokens <= BOUND):
            raise ValueError(f"cannot compare {reward}: reward, weight, tokens must be finite, the last two >= 0")
        if reward.role not in names:
            raise ValueError(f"no estimator for the role {reward.role}: name one of {', '.join(estimators)}")
