"""Chance by address: stable bits, places that do not know of each other, and fair choices."""

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from absolute_zero.keys import Key
from absolute_zero.types import Role

# Recipe: blake2b with 8 bytes over repr([seed, *address]), big-endian. A change here changes every run there is.
GOLDEN = [
    (Key(0), 0xAC00623085BF099C),
    (Key(0).at("solve", "deduction", 3), 0xB7A9B7C3E0BBE17A),
    (Key(7).at(1).at("references", "induction", 0), 0xDD53419302F128BC),
    (Key(2**63 - 1).at("é", -1), 0x764DD5C51D7375B3),
]
ADDRESSES = st.lists(st.text(max_size=4) | st.integers(-9, 9), max_size=4)


@pytest.mark.parametrize(("place", "bits"), GOLDEN)
def test_bits_are_those_they_always_were(place: Key, bits: int) -> None:
    assert place.bits == bits


def test_draws_are_those_they_always_were() -> None:
    place = Key(3).at("golden")
    assert place.draw().random() == 0.4204043055822718
    assert place.choose(1000, 5) == [42, 655, 418, 593, 8]


@given(st.integers(0, 2**63 - 1), ADDRESSES, ADDRESSES)
def test_an_address_may_be_given_in_pieces(seed: int, first: list[str | int], second: list[str | int]) -> None:
    assert Key(seed).at(*first).at(*second) == Key(seed).at(*first, *second)
    assert Key(seed).at(*first).at(*second).bits == Key(seed).at(*first, *second).bits


@given(ADDRESSES, ADDRESSES)
def test_other_addresses_have_other_bits(one: list[str | int], other: list[str | int]) -> None:
    assert (Key(0).at(*one).bits == Key(0).at(*other).bits) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1",), (1,)),
        (("ab",), ("a", "b")),
        (("a, b",), ("a", "b")),
        (("a', 'b",), ("a", "b")),
        (("",), ()),
        ((1, 1), (11,)),
        ((0,), ()),
    ],
)
def test_neighbours_do_not_run_into_each_other(one: tuple[str | int, ...], other: tuple[str | int, ...]) -> None:
    assert Key(0).at(*one).bits != Key(0).at(*other).bits
    assert Key(0).at(1).bits != Key(1).at(0).bits


def test_a_word_of_an_enumeration_is_its_text() -> None:
    assert Key(0).at(Role.SOLVE).bits == Key(0).at("solve").bits


def test_drawing_leaves_no_trace() -> None:
    place = Key(5).at("x")
    before = place.at("y").bits
    first = place.draw()
    first.random()
    assert place.draw().random() != first.random()
    assert place.at("y").bits == before
    assert place.choose(9, 4) == place.choose(9, 4)


# --- choose -------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**40), st.integers(0, 30), st.integers(0, 99))
def test_choices_are_places_without_repetition(size: int, count: int, seed: int) -> None:
    chosen = Key(seed).choose(size, count)
    assert len(chosen) == len(set(chosen)) == min(size, count)
    assert all(0 <= place < size for place in chosen)


def test_nothing_and_everything() -> None:
    assert Key(0).choose(10, 0) == Key(0).choose(0, 10) == []
    assert sorted(Key(0).choose(6, 99)) == sorted(Key(0).choose(6, 6)) == list(range(6))


def chi_square(counts: Counter[tuple[int, ...]], outcomes: list[tuple[int, ...]]) -> float:
    """Distance of the counts from equal ones: near the number of outcomes if they are fair."""
    mean = sum(counts.values()) / len(outcomes)
    assert set(counts) <= set(outcomes)
    return sum((counts[outcome] - mean) ** 2 / mean for outcome in outcomes)


@pytest.mark.parametrize(("size", "count"), [(4, 3), (5, 2), (3, 3), (7, 1)])
def test_all_ordered_choices_are_equally_likely(size: int, count: int) -> None:
    # 99.9 % quantiles of chi-square: 49.7 with 23 degrees of freedom, 43.8 with 19, 20.5 with 5, 22.5 with 6.
    bound = {(4, 3): 49.7, (5, 2): 43.8, (3, 3): 20.5, (7, 1): 22.5}[size, count]
    counts = Counter(tuple(Key(seed).at("fair").choose(size, count)) for seed in range(6000))
    assert chi_square(counts, list(permutations(range(size), count))) < bound


def test_successive_items_are_independent() -> None:
    # Pairs of choices of neighbouring items: 36 outcomes; the 99.9 % quantile with 35 degrees of freedom is 66.6.
    pairs = Counter((*Key(s).at(0).choose(6, 1), *Key(s).at(1).choose(6, 1)) for s in range(6000))
    assert chi_square(pairs, [(a, b) for a in range(6) for b in range(6)]) < 66.6
