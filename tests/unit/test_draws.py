"""Noise by address, and tokens from noise: against a generator in plain Python and against the definition."""

import math

import pytest
import torch

from absolute_zero.policy.draws import sample_token, signed, uniforms

KEYS = (0, 1, 2**63 - 1, 2**63, 2**64 - 1, 0x0123456789ABCDEF)


def splitmix(key: int, position: int) -> float:
    """SplitMix64's output number `position`, from state `key`, as a number in (0, 1)."""
    whole = 2**64 - 1
    z = (key + (position + 1) * 0x9E3779B97F4A7C15) & whole
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & whole
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & whole
    return (((z ^ (z >> 31)) >> 16) + 0.5) / 2**48


def test_the_published_generator() -> None:
    # The first outputs of SplitMix64 from state 1234567, as its authors' code gives them.
    published = (6457827717110365317, 3203168211198807973, 9817491932198370423)
    assert [splitmix(1234567, n) for n in range(3)] == [((value >> 16) + 0.5) / 2**48 for value in published]


@pytest.mark.parametrize("position", [0, 1, 500, 10**6])
def test_noise_is_a_function_of_key_and_position(position: int) -> None:
    noise = uniforms(torch.tensor([signed(key) for key in KEYS]), torch.full((len(KEYS),), position))
    assert noise.tolist() == [splitmix(key, position) for key in KEYS]


def test_noise_is_uniform() -> None:
    # 20,000 numbers, of two keys and of two thousand: mean 1/2 with deviation 0.289 / sqrt(n), and no trend.
    for keys, positions in ((2, 10_000), (2_000, 10)):
        grid = torch.cartesian_prod(torch.arange(keys) * 7919, torch.arange(positions))
        noise = uniforms(grid[:, 0], grid[:, 1])
        assert abs(noise.mean().item() - 0.5) < 4 * 0.289 / math.sqrt(len(noise))
        assert abs((noise[1:] - 0.5) @ (noise[:-1] - 0.5)).item() / len(noise) < 4 * 0.0833 / math.sqrt(len(noise))


P = torch.tensor([0.0, 0.5, 0.0, 0.25, 0.25, 0.0])
"""Probabilities whose sums are exact; three tokens cannot be drawn."""


def drawn(uniform: float, temperature: float = 1.0, top_p: float = 1.0) -> tuple[int, float]:
    token, logprob = sample_token(P.log()[None], torch.tensor([uniform], dtype=torch.float64), temperature, top_p)
    return int(token), float(logprob)


@pytest.mark.parametrize(
    ("uniform", "token"), [(2**-49, 1), (0.499999, 1), (0.5, 3), (0.749999, 3), (0.75, 4), (1 - 2**-49, 4)]
)
def test_a_token_is_where_the_noise_falls(uniform: float, token: int) -> None:
    assert drawn(uniform) == (token, pytest.approx(math.log(float(P[token])), abs=1e-6))


def test_temperature_is_in_the_distribution_and_in_the_logprob() -> None:
    # At temperature 1/2 probabilities are squared: 4/16, 1/16, 1/16 of 6/16: borders at 2/3 and 5/6.
    assert drawn(0.66, 0.5) == (1, pytest.approx(math.log(2 / 3), abs=1e-6))
    assert drawn(0.67, 0.5) == (3, pytest.approx(math.log(1 / 6), abs=1e-6))


def test_top_p_takes_the_fewest_tokens_that_hold_it() -> None:
    # 0.5 alone holds 0.5; 0.6 needs the next one too, and of equals the first: 0.5 and 0.25 are 2/3 and 1/3 then.
    assert drawn(0.99, top_p=0.5)[0] == 1
    assert [drawn(uniform, top_p=0.6)[0] for uniform in (0.66, 0.67, 0.999)] == [1, 3, 3]
    assert drawn(0.999, top_p=0.6)[1] == pytest.approx(math.log(0.25), abs=1e-6)  # of the whole distribution


def test_greedy_takes_the_most_probable_and_says_how_probable() -> None:
    assert drawn(0.999, temperature=0.0) == (1, pytest.approx(math.log(0.5), abs=1e-6))


@pytest.mark.parametrize("vocabulary", [1, 63, 64, 65, 1000])
def test_any_size_of_vocabulary(vocabulary: int) -> None:
    logits = torch.randn(200, vocabulary, generator=torch.Generator().manual_seed(0)) * 2
    uniform = uniforms(torch.arange(200), torch.zeros(200, dtype=torch.int64))
    token, logprob = sample_token(logits, uniform, 1.0, 1.0)
    sums = logits.double().softmax(-1).cumsum(-1)
    before = (sums - logits.double().softmax(-1)).gather(-1, token[:, None])[:, 0]
    assert (before <= uniform + 1e-6).all()
    assert (uniform <= sums.gather(-1, token[:, None])[:, 0] + 1e-6).all()
    expected = logits.double().log_softmax(-1).gather(-1, token[:, None])[:, 0]
    torch.testing.assert_close(logprob, expected, rtol=0, atol=1e-6)


def test_logits_that_are_no_numbers_show_in_the_logprob() -> None:
    token, logprob = sample_token(
        torch.tensor([[0.0, math.nan], [0.0, 0.0]]), torch.tensor([0.9, 0.9]).double(), 1.0, 1.0
    )
    assert 0 <= int(token[0]) < 2
    assert logprob.isnan().tolist() == [True, False]


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_rows_looked_at_in_parts_get_the_same_bits(top_p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(23, 1000, generator=torch.Generator().manual_seed(0)) * 2
    uniform = uniforms(torch.arange(23), torch.zeros(23, dtype=torch.int64))
    whole = sample_token(logits, uniform, 0.7, top_p)
    monkeypatch.setattr("absolute_zero.policy.draws.AT_ONCE", 5000)
    parts = sample_token(logits, uniform, 0.7, top_p)
    assert [part.tolist() for part in parts] == [part.tolist() for part in whole]
