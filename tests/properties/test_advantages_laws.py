"""Laws of the advantages, for every estimator: what any step, however odd, can rely on.

The oracle is written from the definitions alone: whole weights and lengths become repeated samples, and the
standard library's `statistics` does the rest.
"""

import math
import statistics
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from absolute_zero.advantages import BOUND, ESTIMATORS, compute, sampled_once
from absolute_zero.domains.python.payload import DEDUCTION, KINDS
from absolute_zero.types import Reward, Role

EVERY = pytest.mark.parametrize("name", ESTIMATORS)
DIVIDED = pytest.mark.parametrize("name", ["trr++", "trr++_token", "reinforce++", "grpo"])
NOT_DIVIDED = pytest.mark.parametrize("name", ["dr_grpo", "rloo"])


def by(name: str, samples: Sequence[Reward]) -> list[float]:
    return compute(samples, dict.fromkeys(Role, name))[1]


def pools(name: str, samples: Sequence[Reward]) -> dict[Hashable, list[int]]:
    """Which samples share a baseline, spelt out here and not taken from the table."""
    keys: dict[str, Callable[[Reward], Hashable]] = {
        "trr++": lambda sample: (sample.role, sample.kind),
        "trr++_token": lambda sample: (sample.role, sample.kind),
        "reinforce++": lambda sample: "all",
    }
    key = keys.get(name, lambda sample: (sample.role, sample.kind, sample.prompt))
    found: dict[Hashable, list[int]] = {}
    for place, sample in enumerate(samples):
        found.setdefault(key(sample), []).append(place)
    return found


# Eighths add without rounding: what a law says is not blurred by floats, and equal rewards are frequent.
EIGHTHS = st.integers(-8, 8).map(lambda eighths: eighths / 8)
WEIGHTS = st.sampled_from([1.0, 2.0, 3.0])


@st.composite
def steps(draw: st.DrawFn, rewards: st.SearchStrategy[float] = EIGHTHS, weights: bool = True) -> list[Reward]:
    """Some samples of some prompts, each prompt at least twice, in any order."""
    samples: list[Reward] = []
    for prompt in range(draw(st.integers(1, 5))):
        role, kind = draw(st.sampled_from(Role)), draw(st.sampled_from(KINDS))
        for reward in draw(st.lists(rewards, min_size=2, max_size=5)):
            weight = draw(WEIGHTS) if weights else 1.0
            samples.append(Reward(role, kind, prompt, reward, weight, draw(st.integers(1, 6))))
    return draw(st.permutations(samples))


@EVERY
@given(data=st.data())
def test_a_pool_sums_to_zero_by_weight(name: str, data: st.DataObject) -> None:
    # Leave-one-out sums to zero for equal weights only; by token, each sample counts once per token.
    samples = data.draw(steps(weights=name != "rloo"))
    found = by(name, samples)
    for places in pools(name, samples).values():
        counts = [samples[at].weight * (samples[at].tokens if name == "trr++_token" else 1) for at in places]
        total = sum(count * found[at] for count, at in zip(counts, places, strict=True))
        assert total == pytest.approx(0.0, abs=1e-11 * sum(counts))


@EVERY
@given(samples=steps(), shift=st.integers(-1000, 1000))
def test_a_shift_of_the_rewards_changes_nothing(name: str, samples: list[Reward], shift: int) -> None:
    assert by(name, [replace(sample, reward=sample.reward + shift) for sample in samples]) == by(name, samples)


@EVERY
@given(samples=steps())
def test_opposite_rewards_have_opposite_advantages(name: str, samples: list[Reward]) -> None:
    opposite = by(name, [replace(sample, reward=-sample.reward) for sample in samples])
    assert [-value for value in opposite] == pytest.approx(by(name, samples), rel=1e-12, abs=1e-12)


@NOT_DIVIDED
@given(samples=steps(), scale=st.sampled_from([0.25, 2.0, 1024.0]))
def test_what_is_not_divided_scales(name: str, samples: list[Reward], scale: float) -> None:
    scaled = by(name, [replace(sample, reward=sample.reward * scale) for sample in samples])
    assert scaled == [value * scale for value in by(name, samples)]


@DIVIDED
@given(samples=steps(), scale=st.sampled_from([2.0, 1024.0]))
def test_what_is_divided_does_not_scale_but_for_epsilon(name: str, samples: list[Reward], scale: float) -> None:
    # d / (std + eps) against c d / (c std + eps): larger for c > 1, by less than eps / std, and std > 1/200
    once = by(name, samples)
    scaled = by(name, [replace(sample, reward=sample.reward * scale) for sample in samples])
    assert scaled == pytest.approx(once, rel=2e-4, abs=0)
    assert all(abs(small) <= abs(large) for small, large in zip(once, scaled, strict=True))


@EVERY
@given(samples=steps(st.floats(-1e9, 1e9)), data=st.data())
def test_the_order_of_the_samples_changes_no_bit(name: str, samples: list[Reward], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(samples))))
    found = by(name, samples)
    assert by(name, [samples[at] for at in order]) == [found[at] for at in order]


@EVERY
@given(samples=steps(), data=st.data())
def test_pools_do_not_influence_each_other(name: str, samples: list[Reward], data: st.DataObject) -> None:
    inside = data.draw(st.sampled_from(list(pools(name, samples).values())))
    changed = list(samples)
    for at in set(range(len(samples))) - set(inside):
        reward, weight, tokens = data.draw(st.tuples(st.floats(-1e50, 1e50), WEIGHTS, st.integers(0, 9)))
        changed[at] = replace(samples[at], reward=reward, weight=weight, tokens=tokens)
    before, after = by(name, samples), by(name, changed)
    assert [after[at] for at in inside] == [before[at] for at in inside]
    alone = by(name, [samples[at] for at in inside])
    assert alone == [before[at] for at in inside]


@given(samples=steps(), names=st.fixed_dictionaries({role: st.sampled_from(sorted(ESTIMATORS)) for role in Role}))
def test_roles_with_different_estimators_are_apart(samples: list[Reward], names: dict[Role, str]) -> None:
    assume(len(set(names.values())) == len(Role))
    found = compute(samples, names)[1]
    for role, name in names.items():
        mine = [at for at, sample in enumerate(samples) if sample.role is role]
        assert by(name, [samples[at] for at in mine]) == [found[at] for at in mine]


# --- any numbers at all -------------------------------------------------------------------------------------

ANY = st.floats(-BOUND, BOUND) | st.sampled_from([BOUND, -BOUND, 5e-324, 0.0, 1.0]) | st.floats(-1, 1)
SIZES = st.floats(0, BOUND) | st.sampled_from([0.0, 5e-324, 1e-300, 1.0, BOUND])
LENGTHS = st.integers(0, 3) | st.integers(0, 10**100)


@EVERY
@given(st.data())
def test_no_numbers_give_nan_or_infinity(name: str, data: st.DataObject) -> None:
    one = st.builds(Reward, st.sampled_from(Role), st.sampled_from(KINDS), st.integers(0, 1), ANY, SIZES, LENGTHS)
    samples = data.draw(st.lists(one | one.map(lambda sample: replace(sample, role=Role.SOLVE, kind=DEDUCTION))))
    lone = sampled_once(samples, dict.fromkeys(Role, name))
    samples = [sample for at, sample in enumerate(samples) if at not in lone]
    found = by(name, samples)
    assert len(found) == len(samples)
    assert all(math.isfinite(value) for value in found)
    assert all(value == 0 for value, sample in zip(found, samples, strict=True) if sample.weight == 0)


@EVERY
@given(reward=st.floats(), weight=st.floats(), tokens=st.integers())
def test_what_is_out_of_bounds_is_refused_and_the_rest_is_finite(
    name: str, reward: float, weight: float, tokens: int
) -> None:
    samples = [Reward(Role.SOLVE, DEDUCTION, 0, value) for value in (0.0, 1.0)]
    samples.append(Reward(Role.SOLVE, DEDUCTION, 0, reward, weight, tokens))
    if abs(reward) <= BOUND and 0 <= weight <= BOUND and 0 <= tokens <= BOUND:
        assert all(math.isfinite(value) for value in by(name, samples))
    else:
        with pytest.raises(ValueError, match="cannot compare"):
            by(name, samples)


@EVERY
@given(
    reward=st.floats(-1e50, 1e50),
    ulps=st.lists(st.integers(-20, 20), min_size=2, max_size=6),
    weights=st.lists(WEIGHTS, min_size=6, max_size=6),
)
def test_equal_up_to_rounding_is_exactly_zero(name: str, reward: float, ulps: list[int], weights: list[float]) -> None:
    rewards = [reward + apart * math.ulp(reward) for apart in ulps]
    samples = [Reward(Role.SOLVE, DEDUCTION, 0, *pair, 3) for pair in zip(rewards, weights, strict=False)]
    assert by(name, samples) == [0.0] * len(samples)


# --- the oracle ---------------------------------------------------------------------------------------------


def oracle(name: str, samples: Sequence[Reward]) -> list[float]:
    """Every advantage from its definition; by token for equal weights only, as in the reference."""
    found = [0.0] * len(samples)
    for places in pools(name, samples).values():
        for at in places:
            reward = samples[at].reward
            pool = [samples[other] for other in places]
            counted = [sample.reward for sample in pool for _ in range(int(sample.weight))]
            if name == "trr++_token":
                spelt = [sample.reward for sample in pool for _ in range(sample.tokens)]
                found[at] = (reward - statistics.mean(spelt)) / math.sqrt(statistics.variance(spelt) + 1e-8)
            elif name == "rloo":
                others = [samples[other] for other in places if other != at]
                found[at] = reward - statistics.mean(
                    [sample.reward for sample in others for _ in range(int(sample.weight))]
                )
            elif name == "dr_grpo":
                found[at] = reward - statistics.mean(counted)
            else:
                found[at] = (reward - statistics.mean(counted)) / (statistics.pstdev(counted) + 1e-6)
    return found


@EVERY
@given(data=st.data())
def test_the_oracle_agrees(name: str, data: st.DataObject) -> None:
    samples = data.draw(steps(weights=name != "trr++_token"))
    assert by(name, samples) == pytest.approx(oracle(name, samples), rel=1e-11, abs=1e-11)


@given(samples=steps(weights=False))
def test_trr_of_equal_weights_is_the_plain_formula(samples: list[Reward]) -> None:
    found = by("trr++", samples)
    for places in pools("trr++", samples).values():
        rewards = [samples[at].reward for at in places]
        mean, deviation = statistics.fmean(rewards), statistics.pstdev(rewards)
        expected = [(reward - mean) / (deviation + 1e-6) for reward in rewards]
        assert [found[at] for at in places] == pytest.approx(expected, rel=1e-11, abs=1e-11)


@given(samples=steps(), tokens=st.integers(1, 5000))
def test_equal_lengths_leave_bessel_and_epsilon(samples: list[Reward], tokens: int) -> None:
    # d / (std + 1e-6) against d / sqrt(std^2 * T / (T - 1) + 1e-8), T tokens in the pool
    samples = [replace(sample, tokens=tokens) for sample in samples]
    plain, by_token = by("trr++", samples), by("trr++_token", samples)
    for places in pools("trr++", samples).values():
        counted = [samples[at].reward for at in places for _ in range(int(samples[at].weight))]
        deviation, total = statistics.pstdev(counted), tokens * len(places)
        factor = (deviation + 1e-6) / math.sqrt(deviation**2 * total / (total - 1) + 1e-8)
        expected = [plain[at] * factor for at in places]
        assert [by_token[at] for at in places] == pytest.approx(expected, rel=1e-11, abs=1e-11)
