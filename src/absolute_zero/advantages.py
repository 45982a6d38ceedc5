"""Advantages: TRR++ and its relatives (paper section 3.3), from rewards to how much better than expected.

An estimator is two choices, and `ESTIMATORS` is the table of them: which samples share a baseline (a pool),
and the formula that compares a pool's rewards. `advantages` applies one estimator per role to a step.

Promises: pure; pools do not influence each other; the order of the samples changes no bit of any advantage;
a pool without spread gives exact zeros; every advantage is finite. Does not filter samples by outcome (that
would shift the baseline), does not apply the weights to the loss, and knows no tensors.

A sample of weight 0 is not trained on: it is in no baseline, does not count as a try of its prompt, and its
advantage is 0.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from absolute_zero.keys import Key
from absolute_zero.types import Kind, Role

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


@dataclass(frozen=True, slots=True)
class Reward:
    """What one response earned: all that its advantage depends on.

    >>> Reward(Role.SOLVE, Kind.DEDUCTION, prompt=3, reward=-0.5, weight=0.125, tokens=40).reward
    -0.5
    """

    role: Role
    kind: Kind
    prompt: int | str
    """Which prompt was answered. Names it within its role and kind: others may use the same one."""
    reward: float
    weight: float = 1.0
    """How much the sample counts, in the loss and in its baseline: 1 / tries of its prompt, times its role's."""
    tokens: int = 1
    """Length of the response. Only `trr++_token` looks at it."""


# --- formulas -----------------------------------------------------------------------------------------------
# Each takes one pool, n >= 1 samples: rewards (n), weights (n, each > 0), tokens (n); gives advantages (n).

Formula = Callable[[Sequence[float], Sequence[float], Sequence[int]], list[float]]


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """Weighted mean. Sums are exactly rounded, so order does not matter; weights are relative to the largest."""
    top = max(weights)
    shares = [weight / top for weight in weights]
    return math.fsum(value * share for value, share in zip(values, shares, strict=True)) / math.fsum(shares)


def _spread(rewards: Sequence[float], weights: Sequence[float]) -> tuple[list[float], float]:
    """Each reward's distance from the weighted mean, and their weighted population standard deviation.

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
    """(r - mean) / (std + EPSILON), both by weight; std of the population (paper section 3.3, TRR++)."""
    distances, deviation = _spread(rewards, weights)
    return [distance / (deviation + EPSILON) for distance in distances]


def whitened_by_token(rewards: Sequence[float], weights: Sequence[float], tokens: Sequence[int]) -> list[float]:
    """(r - mean) * (var + TOKEN_EPSILON) ** -0.5 over tokens: the reference's whitening (its public code).

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
    """r - mean, by weight (Dr. GRPO, arXiv 2503.20783: no division by the deviation)."""
    return _spread(rewards, weights)[0]


def left_out(rewards: Sequence[float], weights: Sequence[float], tokens: Sequence[int]) -> list[float]:
    """r - mean of the others, by weight (RLOO, arXiv 2402.14740). Raises ValueError for a single sample."""
    if len(rewards) < 2:
        raise ValueError("leave-one-out needs at least two samples: one has no others to compare with")
    distances, _ = _spread(rewards, weights)

    def others(values: Sequence[float], place: int) -> list[float]:
        return [value for at, value in enumerate(values) if at != place]

    return [
        distance - _mean(others(distances, place), others(weights, place)) for place, distance in enumerate(distances)
    ]


# --- pools --------------------------------------------------------------------------------------------------


def whole_step(sample: Reward) -> Hashable:
    """One baseline for all samples that this estimator is applied to."""
    return ()


def role_and_kind(sample: Reward) -> Hashable:
    """Six baselines in a step: two roles, three kinds (paper section 3.3)."""
    return sample.role, sample.kind


def same_prompt(sample: Reward) -> Hashable:
    """One baseline for the tries of one prompt."""
    return sample.role, sample.kind, sample.prompt


@dataclass(frozen=True, slots=True)
class Estimator:
    """Which samples share a baseline, and how a pool's rewards become advantages."""

    pool: Callable[[Reward], Hashable]
    formula: Formula

    @property
    def per_prompt(self) -> bool:
        """Whether it needs every prompt at least twice. A role that is sampled once cannot have it."""
        return self.pool is same_prompt


ESTIMATORS: Mapping[str, Estimator] = {
    "trr++": Estimator(role_and_kind, standardised),
    "trr++_token": Estimator(role_and_kind, whitened_by_token),
    "reinforce++": Estimator(whole_step, standardised),
    "grpo": Estimator(same_prompt, standardised),
    "dr_grpo": Estimator(same_prompt, centred),
    "rloo": Estimator(same_prompt, left_out),
}


def advantages(samples: Sequence[Reward], estimators: Mapping[Role, str], shuffled: Key | None = None) -> list[float]:
    """The advantage of every sample, in the samples' order; `estimators` names one of ESTIMATORS per role.

    With `shuffled`, a control: those of each role and kind are dealt anew among the samples that are trained on.

    Roles with the same estimator share its pools: `reinforce++` for both is one baseline for both. Raises
    ValueError for an unknown or missing estimator, for a sample that is not finite (or over BOUND, or with
    a negative weight or length), and for the samples that `sampled_once` finds.

    >>> pair = [Reward(Role.SOLVE, Kind.DEDUCTION, prompt=0, reward=reward) for reward in (1.0, 0.0)]
    >>> advantages(pair, {Role.SOLVE: "dr_grpo"})
    [0.5, -0.5]
    """
    pools = _pools(samples, estimators)
    for name, places in pools:
        if ESTIMATORS[name].per_prompt and len(places) < 2:
            lone = samples[places[0]]
            raise ValueError(
                f"{name} compares the tries of a prompt, and prompt {lone.prompt!r} ({lone.role}, {lone.kind}) "
                "was sampled once: raise its tries, leave it out, or choose trr++"
            )
    found = [0.0] * len(samples)
    for name, places in pools:
        pool = [samples[place] for place in places]
        gained = ESTIMATORS[name].formula([s.reward for s in pool], [s.weight for s in pool], [s.tokens for s in pool])
        for place, value in zip(places, gained, strict=True):
            found[place] = value
    return found if shuffled is None else _dealt(samples, found, shuffled)


def _dealt(samples: Sequence[Reward], gained: Sequence[float], key: Key) -> list[float]:
    found = list(gained)
    for (role, kind), places in _by_role_and_kind(samples).items():
        order = key.at(role, kind).choose(len(places), len(places))
        for place, other in zip(places, order, strict=True):
            found[place] = gained[places[other]]
    return found


def _by_role_and_kind(samples: Sequence[Reward]) -> dict[tuple[Role, Kind], list[int]]:
    """Where the samples of weight above 0 are, by role and kind."""
    places: dict[tuple[Role, Kind], list[int]] = {}
    for place, sample in enumerate(samples):
        if sample.weight > 0:
            places.setdefault((sample.role, sample.kind), []).append(place)
    return places


def sampled_once(samples: Sequence[Reward], estimators: Mapping[Role, str]) -> list[int]:
    """Where, in order, the samples are that have no other try of their prompt and need one.

    Right settings do not rule it out: of two tries, one may have left the batch because the machine failed.
    Raises ValueError for what `advantages` refuses, except these samples.
    """
    pools = _pools(samples, estimators)
    return [places[0] for name, places in pools if ESTIMATORS[name].per_prompt and len(places) < 2]


def _pools(samples: Sequence[Reward], estimators: Mapping[Role, str]) -> list[tuple[str, list[int]]]:
    """The samples of weight above 0 by shared baseline: (estimator's name, places in `samples`)."""
    for name in estimators.values():
        if name not in ESTIMATORS:
            raise ValueError(f"no estimator is called {name!r}: use one of {', '.join(ESTIMATORS)}")
    pools: dict[Hashable, tuple[str, list[int]]] = {}
    for place, sample in enumerate(samples):
        # Written so that nan, which is not within anything, is refused too.
        if not (abs(sample.reward) <= BOUND and 0 <= sample.weight <= BOUND and 0 <= sample.tokens <= BOUND):
            raise ValueError(f"cannot compare {sample}: reward, weight, tokens must be finite, the last two >= 0")
        if sample.role not in estimators:
            raise ValueError(f"no estimator for the role {sample.role}: name one of {', '.join(ESTIMATORS)}")
        if sample.weight > 0:
            name = estimators[sample.role]
            pools.setdefault((name, ESTIMATORS[name].pool(sample)), (name, []))[1].append(place)
    return list(pools.values())
