"""Rewards by hand: learnability from counts, accuracy, and what each standing earns under each preset."""

import pytest

from absolute_zero.rewards import SCALES, Form, Preset, Scale, accuracy, composite, coverage, formed, learnability
from absolute_zero.types import Role, Status

# With k successes in n trials, s = k / n:
#   paper          0 at s = 0 and s = 1, else 1 - s      1 of 8: 1 - 1/8 = 7/8;  7 of 8: 1/8
#   variance       4 s (1 - s)                           1 of 8: 4 * 1/8 * 7/8 = 7/16;  4 of 8: 4 * 1/4 = 1
#   keep_unsolved  1 - s                                 0 of 8: 1
LEARNABILITY: list[tuple[Form, int, int, float]] = [
    ("paper", 0, 8, 0.0),
    ("paper", 1, 8, 0.875),
    ("paper", 4, 8, 0.5),
    ("paper", 7, 8, 0.125),
    ("paper", 8, 8, 0.0),
    ("paper", 0, 1, 0.0),
    ("paper", 1, 1, 0.0),
    ("paper", 9, 10, 0.1),  # 1 - 0.9 is 0.09999999999999998
    ("variance", 0, 8, 0.0),
    ("variance", 1, 8, 0.4375),
    ("variance", 2, 8, 0.75),  # 4 * 1/4 * 3/4
    ("variance", 4, 8, 1.0),
    ("variance", 7, 8, 0.4375),
    ("variance", 8, 8, 0.0),
    ("keep_unsolved", 0, 8, 1.0),
    ("keep_unsolved", 1, 8, 0.875),
    ("keep_unsolved", 7, 8, 0.125),
    ("keep_unsolved", 8, 8, 0.0),
]


@pytest.mark.parametrize(("form", "successes", "trials", "worth"), LEARNABILITY)
def test_learnability(form: Form, successes: int, trials: int, worth: float) -> None:
    assert learnability(successes, trials, form) == worth


def test_the_papers_form_is_the_default_and_peaks_at_one_success() -> None:
    worths = [learnability(successes, 8) for successes in range(9)]
    assert worths == [0.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0]


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (1, 0), (-1, 8), (9, 8), (0, -1), (-2, -1)])
@pytest.mark.parametrize("form", ["paper", "variance", "keep_unsolved"])
def test_counts_that_cannot_be(successes: int, trials: int, form: Form) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        learnability(successes, trials, form)


def test_an_unknown_form_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="paper, variance, keep_unsolved"):
        learnability(1, 8, "entropy")  # pyright: ignore[reportArgumentType]


def test_accuracy() -> None:
    assert (accuracy(True), accuracy(False)) == (1.0, 0.0)


def test_coverage_is_the_share_of_all_hidden_pairs() -> None:
    # A program that gives 1 of 5 hidden pairs and raises on the other 4 has a fifth, not the whole.
    assert [coverage(given, 5) for given in range(6)] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


@pytest.mark.parametrize(("given", "hidden"), [(0, 0), (6, 5), (-1, 5)])
def test_coverage_of_counts_that_cannot_be(given: int, hidden: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        coverage(given, hidden)


# Paper eq. 6: the role's reward if it passes, -0.5 if well formed, -1 if not. The reference differs for the
# proposer only: a valid task of learnability 0 gets -0.5, and every task that is not valid gets -1.
# standing, score -> paper (both roles), reference proposer, reference solver
PAID: list[tuple[Status, float, float | None, float | None, float | None]] = [
    (Status.PASSED, 0.875, 0.875, 0.875, 0.875),
    (Status.PASSED, 0.125, 0.125, 0.125, 0.125),
    (Status.PASSED, 1.0, 1.0, 1.0, 1.0),
    (Status.PASSED, 0.0, 0.0, -0.5, 0.0),
    (Status.FAILED, 0.875, -0.5, -1.0, -0.5),
    (Status.MALFORMED, 0.875, -1.0, -1.0, -1.0),
    (Status.NEUTRAL, 0.875, 0.0, 0.0, 0.0),
    (Status.MASKED, 0.875, None, None, None),
]


@pytest.mark.parametrize(("status", "score", "paper", "propose", "solve"), PAID)
def test_composite(
    status: Status, score: float, paper: float | None, propose: float | None, solve: float | None
) -> None:
    expected: dict[tuple[Preset, Role], float | None] = {
        ("paper", Role.PROPOSE): paper,
        ("paper", Role.SOLVE): paper,
        ("reference", Role.PROPOSE): propose,
        ("reference", Role.SOLVE): solve,
    }
    assert {key: composite(status, score, SCALES[key[0]][key[1]]) for key in expected} == expected
    assert composite(status, score) == paper


def test_every_standing_is_paid_by_every_scale() -> None:
    assert {status for status, *_ in PAID} == set(Status)
    assert {preset: set(roles) for preset, roles in SCALES.items()} == {preset: set(Role) for preset in SCALES}


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_is_no_number_is_refused_only_where_it_counts(score: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        composite(Status.PASSED, score)
    assert composite(Status.FAILED, score) == -0.5


def test_what_is_only_natural_is_paid_between_its_reward_and_a_broken_format() -> None:
    scale = Scale(natural=-0.25)
    assert formed(1.0, scale, 0.0) == 0.75
    assert formed(1.0, scale, 0.5) == 0.5 * 0.75 + 0.5 * -1.0
    assert formed(-0.5, scale, 1.0) == -1.0
