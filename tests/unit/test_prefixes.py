"""What prompts begin with in common: which beginnings are shared, and two softmaxes that are one."""

import pytest
import torch

from absolute_zero.policy import prefixes
from absolute_zero.policy.prefixes import NONE, Prefixes, matching, shared_prefixes, softmax_parts


def prompts(*texts: str) -> list[list[int]]:
    return [[ord(letter) for letter in text] for text in texts]


def shared(*texts: str, least: int = 2) -> list[str]:
    return ["".join(map(chr, prefix)) for prefix in shared_prefixes(prompts(*texts), least)]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((), []),
        (("abc",), []),
        (("abc", "abd"), ["ab"]),
        (("axc", "abd"), []),  # one token is too short
        (("abc1", "xyz1", "abc2", "xyz2", "q"), ["abc", "xyz"]),
        (("abcabc",) * 3, ["abcab"]),  # a token of each is left
        (("abc", "abcdef"), ["ab"]),  # one begins the other
        (("abcd", "abcd"), ["abc"]),
        # Of the three, "ab" spares 2 * 2 tokens; "abcdefgh" of two spares 8.
        (("abcdefgh1", "abcdefgh2", "abx"), ["abcdefgh"]),
        # With four more, "ab" spares 6 * 2 tokens.
        (("abcdefgh1", "abcdefgh2", "abx", "aby", "abz", "abv", "abw"), ["ab"]),
        # "abc" of four spares 9, the pairs "abcde" and "abcxy" 5 each: 10.
        (("abcde1", "abcde2", "abcxy1", "abcxy2"), ["abcde", "abcxy"]),
    ],
)
def test_the_beginnings_that_spare_the_most(texts: tuple[str, ...], expected: list[str]) -> None:
    assert shared(*texts) == expected
    assert shared(*texts[::-1]) == expected


def test_short_beginnings_are_not_worth_it() -> None:
    alike = [[*range(64), number] for number in (100, 101)]
    assert shared_prefixes(alike) == [tuple(range(64))]
    assert shared_prefixes([prompt[1:] for prompt in alike]) == []


def test_many_prompts_that_begin_each_other_are_no_trouble() -> None:
    chain = [[7] * length for length in range(1, 3000)]
    [prefix] = shared_prefixes(chain)
    # k tokens are spared n - k - 1 times, by all that are longer: most for half of 3000.
    assert len(prefix) in (1499, 1500)


def test_a_prompt_goes_on_after_its_longest_prefix() -> None:
    known = prompts("ab", "abc", "x")
    assert [matching(prompt, known) for prompt in prompts("abcd", "abc", "abd", "ab", "a", "xy")] == [
        1,
        0,
        0,
        NONE,
        NONE,
        2,
    ]


@pytest.mark.parametrize("fused", [True, False])
def test_two_softmaxes_are_one(fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows with either of two prefixes or with none, against a softmax over all that each one sees."""
    torch.manual_seed(0)
    if not fused:
        monkeypatch.setattr(prefixes, "_fused", lambda device: False)
    kv_heads, rows, group, size = 2, 5, 3, 8
    which = [1, NONE, 0, 1, NONE]
    known = Prefixes([(), ()])
    known.caches = {number: torch.randn(1, 2, kv_heads, length, size) for number, length in ((0, 6), (1, 40))}
    known.arrange(torch.tensor(which))
    q, keys, values = (torch.randn(kv_heads, rows, count, size) * 2 for count in (group, 10, 10))
    scores = q @ keys.transpose(2, 3)
    mass, total, log = softmax_parts(scores)
    out = known.add(0, q, mass @ values / total, log)
    for row, number in enumerate(which):
        k, v = keys[:, row], values[:, row]
        if number != NONE:
            k, v = (torch.cat(parts, 1) for parts in zip(known.caches[number][0], (k, v), strict=True))
        expected = (q[:, row] @ k.transpose(1, 2)).softmax(-1) @ v
        torch.testing.assert_close(out[:, row], expected, rtol=0, atol=1e-5)
