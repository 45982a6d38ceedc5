"""Sampling a large model: common beginnings computed once, packed weights, one worker; the same numbers as before."""

from typing import Any

import pytest
import torch

import tiny_models
from absolute_zero.keys import Key
from absolute_zero.policy import decoding, hardware, local, packing, prefixes, sampler
from absolute_zero.policy.prefixes import shared_prefixes
from absolute_zero.policy.tokens import Tokens
from absolute_zero.policy.transformer import Weights
from absolute_zero.types import Completion, Prompt, Sampling
from local_policies import by_transformers, policy

TOKENS = Tokens(tiny_models.tokenizer(), [])
KIND, OTHER = "Worked example of one kind: 1 + 1 = 2. ", "Of another kind, longer, and so on and so forth: [3, 4]. "
MIXED = (
    f"{KIND}First",
    f"{OTHER}b",
    "no beginning in common",
    f"{KIND}another, of more tokens than the first",
    f"{OTHER}the longest of all that there are, by far",
    f"{KIND}F",
    f"{OTHER}b",  # the same once more
    f"{KIND}First, and more: the first one begins it",
    "x",
)
NESTED = (f"{KIND}{OTHER}1", f"{KIND}{OTHER}2", *(f"{KIND}{number}" for number in range(3)))
ALIKE = (f"{KIND}!",) * 4


def completions(
    model: Any, prompts: list[list[int]], counts: list[int], rows: int, beginnings: Any
) -> list[list[Completion]]:
    """Sample by the fast engine, so many rows at a time."""
    keys = [[Key(0).at(item, attempt).bits for attempt in range(n)] for item, n in enumerate(counts)]
    weights = Weights.of(model, torch.float32)
    engine = decoding.Decoder(weights, beginnings)
    settings = Sampling(max_tokens=25, temperature=0.8, stop=("e", "</answer>", ">"))
    kept = sum(map(len, beginnings))
    lengths = [len(p) - len(beginnings[k]) if (k := prefixes.matching(p, beginnings)) >= 0 else len(p) for p in prompts]
    memory = engine.bytes_per_token * (kept + rows * (max(lengths) + 25))
    return sampler.sample(lambda: engine, TOKENS, prompts, keys, settings, 256, memory, beginnings)


@pytest.mark.parametrize("name", tiny_models.FAST)
@pytest.mark.parametrize(("texts", "expected"), [(MIXED, 2), (NESTED, 2), (ALIKE, 1)])
@pytest.mark.parametrize("rows", [1000, 6])
def test_shared_beginnings_change_no_probability(name: str, texts: tuple[str, ...], expected: int, rows: int) -> None:
    """Ragged prompts with and without prefixes, all rows from the start or joining as others are dropped."""
    model = tiny_models.model(name)
    prompts = TOKENS.encode([Prompt(text) for text in texts])
    beginnings = shared_prefixes(prompts, 16)
    assert len(beginnings) == expected
    counts = [1 + item % 3 for item in range(len(prompts))]
    together = completions(model, prompts, counts, rows, beginnings)
    apart = completions(model, prompts, counts, rows, ())
    assert len({len(completion.tokens) for row in together for completion in row}) > 2
    for prompt, row, alone in zip(prompts, together, apart, strict=True):
        for completion, other in zip(row, alone, strict=True):
            assert completion.tokens == other.tokens
            by_rows = by_transformers(model, prompt, completion.tokens, 0.8)
            assert completion.logprobs == pytest.approx(by_rows, abs=1e-5)


def test_a_prefix_is_computed_once_and_held_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    forward = decoding.forward

    def counted(w: Any, ids: Any, *rest: Any) -> Any:
        computed.append(len(ids))
        return forward(w, ids, *rest)

    monkeypatch.setattr(decoding, "forward", counted)
    engine = decoding.Decoder(Weights.of(tiny_models.model("qwen2"), torch.float32), [tuple(range(40))])
    for _ in range(2):
        engine.admit([[*range(40), 7, 8, 9], [*range(40), 6]], [1, 2])
    assert computed == [40, 6, 6]
    assert engine._prompt.shape[3:5] == (4, 3)  # type: ignore[attr-defined]


def large(monkeypatch: pytest.MonkeyPatch, name: str = "qwen2") -> Any:
    """Return a policy on a tiny model that counts as large."""
    monkeypatch.setattr(hardware, "LARGE", 1)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    return policy(name)


LONG = [
    Prompt("A beginning of more than sixty-four tokens, which are bytes here, to be sure. " + end) for end in "abcd"
]


@pytest.mark.parametrize("name", ["qwen2", "llama-biased", "gpt2"])
def test_a_large_model_gives_the_same_tokens(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [Key(number) for number in range(4)]
    plain = policy(name).sample(LONG, 3, Sampling(max_tokens=10), keys)
    seen: list[int] = []
    monkeypatch.setattr(local, "shared_prefixes", lambda ids: seen.append(len(ids)) or shared_prefixes(ids))
    for first, other in zip(
        large(monkeypatch, name).sample(LONG, 3, Sampling(max_tokens=10), keys), plain, strict=True
    ):
        assert [c.tokens for c in first] == [c.tokens for c in other]
        for completion, expected in zip(first, other, strict=True):
            assert completion.logprobs == pytest.approx(expected.logprobs, abs=1e-5)
    assert seen == ([] if name == "gpt2" else [4])


def test_a_small_model_shares_and_packs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(local, "shared_prefixes", refuse)
    monkeypatch.setattr(packing, "packed", refuse)
    policy("qwen2").sample(LONG, 1, Sampling(max_tokens=2), [Key(0)] * 4)


@pytest.mark.parametrize("rows", [1, 2, 50])
def test_packed_products_are_the_plain_ones(rows: int) -> None:
    weights = Weights.of(tiny_models.model("llama-biased"), torch.float32)
    if not packing.packable(weights):
        pytest.skip("no oneDNN for x86 here")
    layer, x = packing.packed(weights).layers[0], torch.randn(rows, tiny_models.SIZES["hidden_size"])
    with torch.inference_mode():
        assert layer.gate.packed is not None
        torch.testing.assert_close(layer.gate(x), weights.layers[0].gate(x), rtol=0, atol=1e-5)
        torch.testing.assert_close(layer.qkv(x), weights.layers[0].qkv(x), rtol=0, atol=1e-5)


def test_weights_are_packed_where_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = Weights.of(tiny_models.model("llama"), torch.float32)
    assert not packing.packable(Weights.of(tiny_models.model("llama"), torch.bfloat16))
    monkeypatch.setattr(packing, "memory", lambda: 1000)
    assert not packing.packable(weights)


@pytest.mark.parametrize("as_large", [False, True])
def test_prompts_at_the_borders(as_large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context has 256 tokens, and what fits is cut there; what leaves no room, or is too long, has no tokens."""
    local_policy = large(monkeypatch) if as_large else policy("qwen2")
    local_policy.tokens = TOKENS  # without an end token: what is drawn does not end it
    prompts = [Prompt("x" * length) for length in (254, 255, 256, 300, 200, 65, 66, 1)]
    rows = local_policy.sample(prompts, 2, Sampling(max_tokens=60, stop=()), [Key(0)] * 8)
    assert [[len(c.tokens) for c in row] for row in rows] == [[n, n] for n in (2, 1, 0, 0, 56, 60, 60, 60)]
    assert all(c.truncated for row in rows for c in row)
    short = policy("qwen2", sampling={"max_prompt_tokens": 65})
    short.tokens = TOKENS
    rows = short.sample(prompts, 1, Sampling(max_tokens=3, stop=()), [Key(0)] * 8)
    assert [len(row[0].tokens) for row in rows] == [0, 0, 0, 0, 0, 3, 0, 3]
