"""What the local policy samples: transformers' probabilities, the same tokens however they are computed."""

from typing import Any

import pytest
import torch

import tiny_models
from absolute_zero.keys import Key
from absolute_zero.policy import decoding, generic, sampler
from absolute_zero.policy.tokens import Tokens
from absolute_zero.policy.transformer import Weights, supported
from absolute_zero.types import Completion, Message, Prompt, Sample, Sampling, UserError
from local_policies import PROMPTS, by_transformers, policy

EVERY = pytest.mark.parametrize("name", tiny_models.CONFIGS)


@EVERY
@pytest.mark.parametrize("counts", [(1, 1, 1, 1), (3, 1, 5, 2)])
@pytest.mark.parametrize("rows", [1000, 6])
def test_log_probabilities_are_those_of_transformers(name: str, counts: tuple[int, ...], rows: int) -> None:
    """Ragged prompts, alone and shared, with every row from the start and with rows that join and are dropped."""
    model = tiny_models.model(name)
    tokens = Tokens(tiny_models.tokenizer(), [])
    prompts = tokens.encode(PROMPTS)
    keys = [[Key(0).at(item, attempt).bits for attempt in range(n)] for item, n in enumerate(counts)]
    weights = Weights.of(model, torch.float32) if supported(model) else None
    assert (weights is not None) == (name in tiny_models.FAST)
    engine: Any = decoding.Decoder(weights) if weights else generic.Generic(model)
    settings = Sampling(max_tokens=25, temperature=0.8, stop=("e", "</answer>", ">"))
    memory = rows * engine.bytes_per_token * (max(map(len, prompts)) + 25)
    completions = sampler.sample(lambda: engine, tokens, prompts, keys, settings, 256, memory)
    lengths = {len(completion.tokens) for row in completions for completion in row}
    assert len(lengths) > 2
    for prompt, row in zip(prompts, completions, strict=True):
        for completion in row:
            expected = by_transformers(model, prompt, completion.tokens, 0.8)
            assert completion.logprobs == pytest.approx(expected, abs=1e-5)


def test_long_prompts_take_the_fused_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    local = policy("qwen3")
    settings = Sampling(max_tokens=8)
    keys = [Key(number) for number in range(len(PROMPTS))]
    expected = local.sample(PROMPTS, 2, settings, keys)
    monkeypatch.setattr(decoding, "EAGER_LONGEST", 4)
    monkeypatch.setattr(decoding, "PREFILL_TOKENS", 100)  # and are computed in pieces
    rows = local.sample(PROMPTS, 2, settings, keys)
    for first, other in zip((c for row in rows for c in row), (c for row in expected for c in row), strict=True):
        assert first.tokens == other.tokens
        assert first.logprobs == pytest.approx(other.logprobs, abs=1e-5)


@pytest.mark.parametrize("name", ["qwen2", "gpt2"])
def test_shares_and_workers_change_no_token(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    local = policy(name, model={"threads": 3})
    keys = [Key(number) for number in range(len(PROMPTS))]
    whole = local.sample(PROMPTS, 3, Sampling(max_tokens=10), keys)
    monkeypatch.setattr("absolute_zero.policy.local.ROWS_PER_WORKER", 3)
    assert [[c.tokens for c in row] for row in local.sample(PROMPTS, 3, Sampling(max_tokens=10), keys)] == [
        [c.tokens for c in row] for row in whole
    ]


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_sampling_follows_an_update_at_once(name: str) -> None:
    local = policy(name, model={"dtype": "bfloat16"}, update={"learning_rate": 0.05})
    keys = [Key(0)] * 4
    [[first], *_] = local.sample(PROMPTS, 1, Sampling(max_tokens=10), keys)
    local.update([Sample(PROMPTS[0], first, 1.0)])
    [[second], *_] = local.sample(PROMPTS, 1, Sampling(max_tokens=10, temperature=0.0), keys)
    local.model.eval()
    expected = by_transformers(local.model, local.tokens.encode(PROMPTS[:1])[0], second.tokens, 1.0)
    assert second.logprobs == pytest.approx(expected, abs=0.2)  # bfloat16; before the update it is off by far more
    assert first.logprobs != second.logprobs


def test_the_context_is_a_limit_for_prompt_and_completion() -> None:
    local = policy("gpt2")  # which has learned positions, and 256 of them
    # The second ends while the others go on, beside it.
    prompts = [Prompt("x" * length) for length in (256, 250, *[230] * 10)]
    [[none], [full], *rest] = local.sample(prompts, 1, Sampling(max_tokens=20, stop=()), [Key(0)] * 12)
    assert none == Completion("", (), (), truncated=True)
    assert (len(full.tokens), full.truncated) == (6, True)
    assert [len(row[0].tokens) for row in rest] == [20] * 10


def test_a_chat_is_answered_and_learned_from_by_the_tokenizers_template() -> None:
    local = policy()
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}"
    local.tokens.tokenizer.chat_template = template + "{% if add_generation_prompt %}assistant: {% endif %}"
    chat, text = Prompt(messages=(Message("user", "a b"),)), Prompt(f"user: a b{tiny_models.END}assistant: ")
    rows = local.sample([chat, text], 2, Sampling(max_tokens=8), [Key(0), Key(0)])
    assert [c.tokens for c in rows[0]] == [c.tokens for c in rows[1]]
    samples = [Sample(chat, completion, advantage=1.0 - 2 * attempt) for attempt, completion in enumerate(rows[0])]
    assert local.update(samples)["mismatch/max"] == pytest.approx(1.0, abs=1e-4)
    with pytest.raises(UserError, match="no chat template"):
        policy().sample([text, chat], 1, Sampling(max_tokens=8), [Key(0), Key(0)])
    with pytest.raises(UserError, match="no chat template"):
        policy().update(samples)
