"""Laws of shared beginnings: they are what two prompts begin with, and no single one would spare more."""

from hypothesis import given
from hypothesis import strategies as st

from absolute_zero.policy.prefixes import NONE, matching, shared_prefixes

PROMPTS = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=12), max_size=12)


def spared(prompts: list[list[int]], prefixes: list[tuple[int, ...]]) -> int:
    """Tokens that are not computed, of all prompts: each prefix is computed once."""
    known = [matching(prompt, prefixes) for prompt in prompts]
    return sum(len(prefixes[number]) for number in known if number != NONE) - sum(map(len, prefixes))


@given(PROMPTS, st.integers(1, 6))
def test_no_single_beginning_spares_more(prompts: list[list[int]], least: int) -> None:
    prefixes = shared_prefixes(prompts, least)
    for prefix in prefixes:
        assert len(prefix) >= least
        assert sum(len(p) > len(prefix) and tuple(p[: len(prefix)]) == prefix for p in prompts) >= 2
    every = {tuple(prompt[:length]) for prompt in prompts for length in range(least, len(prompt))}
    assert spared(prompts, prefixes) >= max((spared(prompts, [prefix]) for prefix in every), default=0)


@given(PROMPTS.flatmap(st.permutations))
def test_the_order_of_the_prompts_does_not_matter(prompts: list[list[int]]) -> None:
    assert shared_prefixes(prompts, 2) == shared_prefixes(sorted(prompts), 2)
