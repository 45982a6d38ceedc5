"""Advantages by hand: every estimator on numbers that a reader can check, and what is refused."""

import math

import pytest

from absolute_zero.advantages import ESTIMATORS, compute, left_out, sampled_once
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, KINDS
from absolute_zero.types import Reward, Role

D, A, I = DEDUCTION, ABDUCTION, INDUCTION  # noqa: E741
P, S = Role.PROPOSE, Role.SOLVE


def pool(*rewards: float, weights: tuple[float, ...] = (), tokens: tuple[int, ...] = ()) -> list[Reward]:
    """Tries of one prompt."""
    return [
        Reward(S, D, "a", reward, weights[at] if weights else 1.0, tokens[at] if tokens else 1)
        for at, reward in enumerate(rewards)
    ]


def by(name: str, samples: list[Reward]) -> list[float]:
    return compute(samples, dict.fromkeys(Role, name))[1]


def near(*values: float) -> object:
    return pytest.approx(list(values), rel=1e-12, abs=0)


# --- TRR++ --------------------------------------------------------------------------------------------------


def test_trr() -> None:
    # mean = (1 + 0) / 2 = 1/2; var = (1/4 + 1/4) / 2 = 1/4; std = 1/2; 0.5 / (0.5 + 1e-6)
    assert by("trr++", pool(1.0, 0.0)) == near(0.5 / 0.500001, -0.5 / 0.500001)


def test_trr_uses_the_population_deviation() -> None:
    # mean = 1/4; var = (3 * 1/16 + 9/16) / 4 = 3/16 (over 3 it would be 1/4)
    divisor = math.sqrt(3) / 4 + 1e-6
    assert by("trr++", pool(1.0, 0.0, 0.0, 0.0)) == near(0.75 / divisor, *[-0.25 / divisor] * 3)


def test_trr_weighs_mean_and_deviation() -> None:
    # total weight 1 + 1/2 + 1/2 = 2; mean = (1 - 1/2 + 0) / 2 = 1/4
    # var = (1 * 9/16 + 1/2 * 25/16 + 1/2 * 1/16) / 2 = (18 + 25 + 1) / 32 / 2 = 11/16
    divisor = math.sqrt(11) / 4 + 1e-6
    expected = near(0.75 / divisor, -1.25 / divisor, -0.25 / divisor)
    assert by("trr++", pool(1.0, -1.0, 0.0, weights=(1.0, 0.5, 0.5))) == expected
    # lambda scales all weights of a role and changes no advantage
    assert by("trr++", pool(1.0, -1.0, 0.0, weights=(0.25, 0.125, 0.125))) == expected


def test_trr_has_six_baselines() -> None:
    # every role x kind: rewards c + 1/2 and c - 1/2 around a mean c of its own, over two prompts; std = 1/2
    samples = [
        Reward(role, kind, prompt, centre + half)
        for prompt, half in enumerate((0.5, -0.5))
        for centre, (role, kind) in enumerate((role, kind) for role in Role for kind in KINDS)
    ]
    assert by("trr++", samples) == near(*[0.5 / 0.500001] * 6, *[-0.5 / 0.500001] * 6)


def test_trr_ignores_lengths() -> None:
    assert by("trr++", pool(1.0, -1.0, tokens=(1, 3))) == near(1 / 1.000001, -1 / 1.000001)


def test_trr_by_token_reproduces_the_reference() -> None:
    # As tokens: 1, -1, -1, -1. mean = -1/2; sum of squares = 9/4 + 3 * 1/4 = 3; Bessel: 3 / (4 - 1) = 1
    # distances 3/2 and -1/2, each times 1 / sqrt(1 + 1e-8)
    scale = 1 / math.sqrt(1 + 1e-8)
    expected = near(1.5 * scale, -0.5 * scale)
    assert by("trr++_token", pool(1.0, -1.0, tokens=(1, 3))) == expected
    # equal weights of any size change nothing
    assert by("trr++_token", pool(1.0, -1.0, tokens=(1, 3), weights=(0.125, 0.125))) == expected


def test_trr_by_token_weighs_tokens() -> None:
    # weight x tokens: 3 * 1 and 1 * 1, so mean = (3 - 1) / 4 = 1/2, var = (3 * 1/4 + 9/4) / 4 = 3/4
    # two tokens in all: Bessel 2 / (2 - 1), var = 3/2
    scale = 1 / math.sqrt(1.5 + 1e-8)
    assert by("trr++_token", pool(1.0, -1.0, weights=(3.0, 1.0))) == near(0.5 * scale, -1.5 * scale)


def test_trr_by_token_has_six_baselines() -> None:
    # deduction: tokens 1, 0: mean 1/2, var = (1/4 + 1/4) / (2 - 1) = 1/2. abduction: no spread.
    samples = [Reward(S, D, 0, 1.0), Reward(S, A, 0, 9.0), Reward(S, D, 1, 0.0), Reward(S, A, 1, 9.0)]
    scale = 1 / math.sqrt(0.5 + 1e-8)
    assert by("trr++_token", samples) == near(0.5 * scale, 0.0, -0.5 * scale, 0.0)


@pytest.mark.parametrize("tokens", [(0, 0), (1, 0), (0, 1)])
def test_trr_by_token_of_at_most_one_token_is_zero(tokens: tuple[int, int]) -> None:
    assert by("trr++_token", pool(1.0, 0.0, tokens=tokens)) == [0.0, 0.0]


# --- its relatives ------------------------------------------------------------------------------------------

MIXED = [Reward(P, A, 0, 0.0), Reward(S, D, 0, 1.0), Reward(P, I, 0, 0.0), Reward(S, I, 0, 1.0)]


def test_reinforce_has_one_baseline() -> None:
    # rewards 0, 1, 0, 1 over both roles: mean 1/2, std 1/2. One sample per role and kind, so TRR++ gives 0.
    high = 0.5 / 0.500001
    assert by("reinforce++", MIXED) == near(-high, high, -high, high)
    assert by("trr++", MIXED) == [0.0] * 4


def test_reinforce_for_one_role_is_one_baseline_for_that_role() -> None:
    # solver alone: rewards 1 and 1, no spread
    assert compute(MIXED, {P: "trr++", S: "reinforce++"})[1] == [0.0] * 4


def test_grpo() -> None:
    # mean = 1/3; var = (4/9 + 1/9 + 1/9) / 3 = 2/9
    divisor = math.sqrt(2) / 3 + 1e-6
    assert by("grpo", pool(1.0, 0.0, 0.0)) == near(2 / 3 / divisor, -1 / 3 / divisor, -1 / 3 / divisor)


def test_dr_grpo() -> None:
    assert by("dr_grpo", pool(1.0, 0.0, 0.0)) == near(2 / 3, -1 / 3, -1 / 3)
    # by weight: mean = (3 * 1 + 1 * 0) / 4 = 3/4
    assert by("dr_grpo", pool(1.0, 0.0, weights=(3.0, 1.0))) == near(0.25, -0.75)


def test_rloo() -> None:
    # means of the others: (0 + 0) / 2 = 0, (1 + 0) / 2 = 1/2, 1/2
    assert by("rloo", pool(1.0, 0.0, 0.0)) == near(1.0, -0.5, -0.5)
    # by weight, for the first: (2 * 0 + 1 * 3) / 3 = 1; second: (1 * 1 + 1 * 3) / 2 = 2; third: 1/3
    assert by("rloo", pool(1.0, 0.0, 3.0, weights=(1.0, 2.0, 1.0))) == near(0.0, -2.0, 3 - 1 / 3)


PER_PROMPT = [name for name, estimator in ESTIMATORS.items() if estimator.per_prompt]


def test_which_estimators_are_per_prompt() -> None:
    assert PER_PROMPT == ["grpo", "dr_grpo", "rloo"]


def test_prompts_are_named_within_role_and_kind() -> None:
    # the same prompt id three times: three baselines, of means 1/2, 5/2 and 9/2
    samples = [Reward(S, D, 7, 1.0), Reward(S, A, 7, 2.0), Reward(P, D, 7, 4.0)]
    samples += [Reward(S, D, 7, 0.0), Reward(S, A, 7, 3.0), Reward(P, D, 7, 5.0)]
    assert by("dr_grpo", samples) == near(0.5, -0.5, -0.5, -0.5, 0.5, 0.5)
    assert by("rloo", samples) == near(1.0, -1.0, -1.0, -1.0, 1.0, 1.0)


def test_each_role_has_its_own_estimator() -> None:
    # solver, leave-one-out by prompt: 1 - 0 and 0 - 1; proposer, TRR++: mean 1/2, std 1/2
    samples = [Reward(P, D, 0, 0.0), Reward(S, D, 0, 1.0), Reward(P, D, 1, 1.0), Reward(S, D, 0, 0.0)]
    high = 0.5 / 0.500001
    assert compute(samples, {P: "trr++", S: "rloo"})[1] == near(-high, 1.0, high, -1.0)


# --- what has nothing to compare ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize(
    "rewards",
    [
        (0.1 + 0.2, 0.3),
        (sum([0.1] * 10), 1.0),
        (1e6 + sum([0.1] * 10), 1e6 + 1),
        (3e99 * 1.1, 3.3e99),
        (0.1 + 0.2 - 0.3, 0.0),
    ],
)
def test_equal_rewards_by_different_routes_are_equal(name: str, rewards: tuple[float, float]) -> None:
    assert by(name, pool(*rewards)) == [0.0, 0.0]


@pytest.mark.parametrize(("name", "factor"), [("trr++", 1 / 1e-6), ("dr_grpo", 1.0), ("rloo", 2.0)])
def test_a_tiny_spread_is_a_spread(name: str, factor: float) -> None:
    # rewards c and c + 2h: distances -h and h, std h; TRR++ divides by h + 1e-6, which is 1e-6 to 1e-4
    # (c = 1 keeps only 16 digits of h)
    h = 1e-10
    assert by(name, pool(1.0, 1 + 2 * h)) == pytest.approx([-h * factor, h * factor], rel=2e-4)


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - set(PER_PROMPT)))
def test_a_sample_alone_in_its_pool_is_zero(name: str) -> None:
    assert by(name, pool(1.0, tokens=(5,))) == [0.0]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_nothing_in_nothing_out(name: str) -> None:
    assert by(name, []) == []


@pytest.mark.parametrize("name", ESTIMATORS)
def test_weight_zero_is_not_there(name: str) -> None:
    there = by(name, pool(1.0, 0.0, 0.0))
    assert by(name, pool(1.0, 1e50, 0.0, 0.0, weights=(1.0, 0.0, 1.0, 1.0))) == [there[0], 0.0, *there[1:]]
    assert by(name, pool(1.0, 0.0, weights=(0.0, 0.0))) == [0.0, 0.0]


def test_extremes_keep_their_digits() -> None:
    # rewards c and -c: distances c and -c, std c. Two samples of T tokens: Bessel 2T / (2T - 1), 1 to all digits.
    large = pool(1e100, -1e100, weights=(1e100, 1e100), tokens=(10**100, 10**100))
    assert by("trr++", large) == by("trr++_token", large) == near(1.0, -1.0)
    # the smallest weights there are weigh as any equal ones
    assert by("dr_grpo", pool(1.0, 0.0, 0.0, 0.0, weights=(5e-324,) * 4)) == near(0.75, -0.25, -0.25, -0.25)


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PER_PROMPT)
@pytest.mark.parametrize("weight", [0.0, None])
def test_a_prompt_sampled_once_is_refused(name: str, weight: float | None) -> None:
    samples = [*pool(1.0, 0.0), Reward(S, A, "b", 1.0), Reward(S, D, 3, 1.0)]
    if weight is not None:
        samples.append(Reward(S, A, "b", 0.0, weight))  # not trained on: no try
    assert sampled_once(samples, {S: name}) == [2, 3]
    with pytest.raises(ValueError, match=r"prompt 'b' \(solve, abduction\) was sampled once") as refused:
        by(name, samples)
    assert "\n" not in str(refused.value)
    assert sampled_once(samples, {S: "trr++"}) == []


def test_leave_one_out_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        left_out([1.0], [1.0], [1])


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("reward", [NAN, INF, -INF, 1e101, -1e101])
def test_a_reward_that_is_no_reward_is_refused(reward: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        by("trr++", pool(reward, 0.0))


@pytest.mark.parametrize("weight", [NAN, INF, -0.5, 1e101])
def test_a_weight_that_is_no_weight_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        by("trr++", pool(1.0, 0.0, weights=(1.0, weight)))


@pytest.mark.parametrize("tokens", [-1, 10**101])
def test_a_length_that_is_no_length_is_refused(tokens: int) -> None:
    with pytest.raises(ValueError, match="finite"):
        by("trr++_token", pool(1.0, 0.0, tokens=(1, tokens)))


def test_estimators_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="use one of trr"):
        by("ppo", [])
    with pytest.raises(ValueError, match="no estimator for the role propose"):
        compute(MIXED, {S: "trr++"})
