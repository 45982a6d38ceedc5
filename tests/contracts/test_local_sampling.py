"""What the local policy samples: transformers' probabilities, the same tokens however they are computed."""

from typing import Any

import pytest
import torch

import tiny_models
from absolute_zero.keys import Key
from absolute_zero.policy import decoding, generic, sampler
from absolute_zero.policy.tokens import Tokens
from absolute_zero.policy.transformer import Weights, supported
from absolute_zero.types import Completion, Sample, Sampling
from local_policies import PROMPTS, policy

EVERY = pytest.mark.parametrize("name", tiny_models.CONFIGS)


def transformers_says(model: Any, prompt: list[int], tokens: tuple[int, ...], temperature: float) -> list[float]:
    """Log-probabilities of a completion by the model's own forward, on the one sequence, without a cache."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *tokens]]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    every = (logits.double() / temperature).log_softmax(-1)
    return every.gather(-1, torch.tensor(tokens)[:, None])[:, 0].tolist()


@EVERY
@pytest.mark.parametrize("tries", [(1, 1, 1, 1), (3, 1, 5, 2)])
@pytest.mark.parametrize("rows", [1000, 6])
def test_log_probabilities_are_those_of_transformers(name: str, tries: tuple[int, ...], rows: int) -> None:
    """Ragged prompts, alone and shared, with every row from the start and with rows that join and are dropped."""
    model = tiny_models.model(name)
    words = Tokens(tiny_models.tokenizer(), [])
    prompts = words.encode(PROMPTS)
    keys = [[Key(0).at(place, number).bits for number in range(count)] for place, count in enumerate(tries)]
    weights = Weights.of(model, torch.float32) if supported(model) else None
    assert (weights is not None) == (name in tiny_models.FAST)
    engine: Any = decoding.Decoder(weights) if weights else generic.Generic(model)
    settings = Sampling(max_tokens=25, temperature=0.8, stop=("e", "</answer>", ">"))
    memory = rows * engine.bytes_per_token * (max(map(len, prompts)) + 25)
    found = sampler.sample(lambda: engine, words, prompts, keys, settings, 256, memory)
    lengths = {len(completion.tokens) for row in found for completion in row}
    assert len(lengths) > 2
    for prompt, row in zip(prompts, found, strict=True):
        for completion in row:
            expected = transformers_says(model, prompt, completion.tokens, 0.8)
            assert completion.logprobs == pytest.approx(expected, abs=1e-5)


def test_long_prompts_take_the_fused_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    made = policy("qwen3")
    settings = Sampling(max_tokens=8)
    keys = [Key(number) for number in range(len(PROMPTS))]
    expected = made.sample(PROMPTS, 2, settings, keys)
    monkeypatch.setattr(decoding, "EAGER_LONGEST", 4)
    monkeypatch.setattr(decoding, "PREFILL_TOKENS", 100)  # and are computed in pieces
    found = made.sample(PROMPTS, 2, settings, keys)
    for one, other in zip((c for row in found for c in row), (c for row in expected for c in row), strict=True):
        assert one.tokens == other.tokens
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)


@pytest.mark.parametrize("name", ["qwen2", "gpt2"])
def test_pieces_and_lanes_change_no_token(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = policy(name, model={"threads": 3})
    keys = [Key(number) for number in range(len(PROMPTS))]
    whole = made.sample(PROMPTS, 3, Sampling(max_tokens=10), keys)
    monkeypatch.setattr("absolute_zero.policy.local.PIECE", 3)
    assert [[c.tokens for c in row] for row in made.sample(PROMPTS, 3, Sampling(max_tokens=10), keys)] == [
        [c.tokens for c in row] for row in whole
    ]


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_sampling_follows_an_update_at_once(name: str) -> None:
    made = policy(name, model={"dtype": "bfloat16"}, update={"learning_rate": 0.05})
    keys = [Key(0)] * 4
    [[first], *_] = made.sample(PROMPTS, 1, Sampling(max_tokens=10), keys)
    made.update([Sample(PROMPTS[0], first, 1.0)])
    [[second], *_] = made.sample(PROMPTS, 1, Sampling(max_tokens=10, temperature=0.0), keys)
    made.model.eval()
    expected = transformers_says(made.model, made.tokens.encode(PROMPTS[:1])[0], second.tokens, 1.0)
    assert second.logprobs == pytest.approx(expected, abs=0.2)  # bfloat16; before the update it is off by far more
    assert first.logprobs != second.logprobs


def test_the_context_is_a_limit_for_prompt_and_completion() -> None:
    made = policy("gpt2")  # which has learned positions, and 256 of them
    prompts = ["x" * 256, "x" * 250, *["x" * 230] * 10]  # the second ends while the others go on, beside them
    [[none], [full], *rest] = made.sample(prompts, 1, Sampling(max_tokens=20, stop=()), [Key(0)] * 12)
    assert none == Completion("", (), (), truncated=True)
    assert (len(full.tokens), full.truncated) == (6, True)
    assert [len(row[0].tokens) for row in rest] == [20] * 10
