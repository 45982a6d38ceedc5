"""What the local policy promises beyond the port: transformers' numbers, exact bits, and folders that can be read."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import tiny_models
from absolute_zero.chance import Chance
from absolute_zero.config import Config
from absolute_zero.policy import decoding, generic, sampler, shared
from absolute_zero.policy.batches import Item
from absolute_zero.policy.learner import Learner
from absolute_zero.policy.local import LocalPolicy
from absolute_zero.policy.tokens import Tokens
from absolute_zero.policy.transformer import Weights, supported
from absolute_zero.types import Completion, Sample, Sampling, UserError

EVERY = pytest.mark.parametrize("name", tiny_models.CONFIGS)
PROMPTS = ("hello <think>", "a much longer prompt it is, longer than all of the others", "x", "the middle one")


def config(**sections: dict[str, Any]) -> Config:
    model = {"dtype": "float32", "device": "cpu", **sections.pop("model", {})}
    return Config.model_validate({"model": model, **sections})


def policy(name: str = "llama", **sections: dict[str, Any]) -> LocalPolicy:
    return LocalPolicy(tiny_models.model(name), tiny_models.tokenizer(), config(**sections))


def transformers_says(model: Any, prompt: list[int], tokens: tuple[int, ...], temperature: float) -> list[float]:
    """Log-probabilities of a completion by the model's own forward, on the one sequence, without a cache."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *tokens]]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    every = (logits.double() / temperature).log_softmax(-1)
    return every.gather(-1, torch.tensor(tokens)[:, None])[:, 0].tolist()


# --- sampling -----------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("tries", [(1, 1, 1, 1), (3, 1, 5, 2)])
@pytest.mark.parametrize("rows", [1000, 6])
def test_log_probabilities_are_those_of_transformers(name: str, tries: tuple[int, ...], rows: int) -> None:
    """Ragged prompts, alone and shared, with every row from the start and with rows that join and are dropped."""
    model = tiny_models.model(name)
    words = Tokens(tiny_models.tokenizer(), [])
    prompts = words.encode(PROMPTS)
    keys = [[Chance(0).at(place, number).bits for number in range(count)] for place, count in enumerate(tries)]
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
    chances = [Chance(number) for number in range(len(PROMPTS))]
    expected = made.sample(PROMPTS, 2, settings, chances)
    monkeypatch.setattr(decoding, "EAGER_LONGEST", 4)
    monkeypatch.setattr(decoding, "PREFILL_TOKENS", 100)  # and are computed in pieces
    found = made.sample(PROMPTS, 2, settings, chances)
    for one, other in zip((c for row in found for c in row), (c for row in expected for c in row), strict=True):
        assert one.tokens == other.tokens
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)


@pytest.mark.parametrize("name", ["qwen2", "gpt2"])
def test_pieces_and_lanes_change_no_token(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = policy(name, model={"threads": 3})
    chances = [Chance(number) for number in range(len(PROMPTS))]
    whole = made.sample(PROMPTS, 3, Sampling(max_tokens=10), chances)
    monkeypatch.setattr("absolute_zero.policy.local.PIECE", 3)
    assert [[c.tokens for c in row] for row in made.sample(PROMPTS, 3, Sampling(max_tokens=10), chances)] == [
        [c.tokens for c in row] for row in whole
    ]


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_sampling_follows_an_update_at_once(name: str) -> None:
    made = policy(name, model={"dtype": "bfloat16"}, update={"learning_rate": 0.05})
    chances = [Chance(0)] * 4
    [[first], *_] = made.sample(PROMPTS, 1, Sampling(max_tokens=10), chances)
    made.update([Sample(PROMPTS[0], first, 1.0)])
    [[second], *_] = made.sample(PROMPTS, 1, Sampling(max_tokens=10, temperature=0.0), chances)
    made.model.eval()
    expected = transformers_says(made.model, made.tokens.encode(PROMPTS[:1])[0], second.tokens, 1.0)
    assert second.logprobs == pytest.approx(expected, abs=0.2)  # bfloat16; before the update it is off by far more
    assert first.logprobs != second.logprobs


def test_the_context_is_a_limit_for_prompt_and_completion() -> None:
    made = policy("gpt2")  # which has learned positions, and 256 of them
    [[full], [none]] = made.sample(["x" * 250, "x" * 256], 1, Sampling(max_tokens=100, stop=()), [Chance(0)] * 2)
    assert (len(full.tokens), full.cut) == (6, True)
    assert none == Completion("", (), (), cut=True)


# --- learning -----------------------------------------------------------------------------------------------


def samples_of(made: LocalPolicy, seed: int = 0, tries: int = 3) -> list[Sample]:
    """Its own answers, of many lengths, with whatever advantages."""
    chances = [Chance(seed).at(number) for number in range(len(PROMPTS))]
    rows = made.sample(PROMPTS, tries, Sampling(max_tokens=20, stop=("e", ">", "a")), chances)
    return [
        Sample(prompt, completion, advantage=math.sin(7.0 * place + number), weight=1.0 / (1 + number))
        for place, (prompt, row) in enumerate(zip(PROMPTS, rows, strict=True))
        for number, completion in enumerate(row)
    ]


def gradient(
    monkeypatch: pytest.MonkeyPatch, made: LocalPolicy, samples: list[Sample]
) -> tuple[float, torch.Tensor, float]:
    """Loss, gradient (before clipping, as one vector) and largest ratio of an update that is not made."""
    found: list[torch.Tensor] = []

    def instead(*_: object, **__: object) -> None:
        found.append(torch.cat([p.grad.flatten() for p in made.model.parameters() if p.grad is not None]))

    monkeypatch.setattr(made.learner.optimizer, "step", instead)
    measured = made.update(samples)
    return measured["loss"], found[0], measured["ratio_max"]


def plain_gradient(made: LocalPolicy, samples: list[Sample]) -> tuple[float, torch.Tensor]:
    """The same from the definition, sequence by sequence, by transformers' forward and automatic differentiation."""
    settings = made.cfg.update
    total = sum(sample.weight * len(sample.completion.tokens) for sample in samples)
    loss: Any = 0.0
    made.model.zero_grad()
    for sample in samples:
        [prompt], tokens = made.tokens.encode([sample.prompt]), sample.completion.tokens
        logits = made.model(torch.tensor([[*prompt, *tokens]]), use_cache=False).logits[0, len(prompt) - 1 : -1]
        every = logits.double().log_softmax(-1)
        logprob = every.gather(-1, torch.tensor(tokens)[:, None])[:, 0]
        entropy = -(every.exp() * every).sum(-1)
        old = logprob.detach()
        mismatch = (old - torch.tensor(sample.completion.logprobs)).exp().clamp(max=settings.mismatch_cap)
        term = -mismatch * (logprob - old).exp() * sample.advantage - settings.entropy * entropy
        loss = loss + sample.weight * term.sum() / total
    loss.backward()
    return loss.item(), torch.cat([p.grad.flatten() for p in made.model.parameters()])


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """The distance of two gradients, relative to their length."""
    return ((one - other).norm() / other.norm()).item()


@EVERY
@pytest.mark.parametrize("checkpoint", [False, True])
def test_loss_and_gradient_are_those_of_transformers(
    name: str, checkpoint: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = {"entropy": 0.1, "grad_clip": 1e9, "checkpoint_activations": checkpoint}
    made = policy(name, update=update)
    samples = samples_of(made)
    assert samples == samples_of(policy(name))
    loss, grad, ratio = gradient(monkeypatch, made, samples)
    expected_loss, expected = plain_gradient(made, samples)
    assert loss == pytest.approx(expected_loss, rel=1e-6, abs=1e-6)
    assert apart(grad, expected) < 3e-6
    assert ratio == 1.0


@pytest.mark.parametrize("name", ["qwen2", "gpt2"])
def test_micro_batches_and_lanes_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = samples_of(policy(name))
    settings = {"entropy": 0.1, "grad_clip": 1e9}
    whole = gradient(monkeypatch, policy(name, update={**settings, "tokens_per_batch": 10**6}), samples)
    for budget in (200, 1):
        cut = policy(name, update={**settings, "tokens_per_batch": budget})
        found = gradient(monkeypatch, cut, samples)
        assert found[0] == pytest.approx(whole[0], rel=1e-6)
        assert apart(found[1], whole[1]) < 1e-6
        assert found[2] == 1.0
        side_by_side = policy(name, model={"threads": 3}, update={**settings, "tokens_per_batch": budget})
        again = gradient(monkeypatch, side_by_side, samples)
        if name in tiny_models.FAST:  # in lanes
            assert again[0] == found[0]
            assert torch.equal(again[1], found[1])
        assert apart(again[1], found[1]) < 1e-6  # with threads of OpenMP, which add up in another order


def test_long_samples_go_through_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = samples_of(policy())
    settings = {"entropy": 0.1, "grad_clip": 1e9}
    ours = gradient(monkeypatch, policy(update=settings), samples)
    monkeypatch.setattr(shared, "LONGEST", 30)  # some are longer and some are not
    monkeypatch.setattr(generic, "PLAIN_LONGEST", 30)
    theirs = gradient(monkeypatch, policy(update=settings), samples)
    assert theirs[0] == pytest.approx(ours[0], rel=1e-6)
    assert apart(theirs[1], ours[1]) < 1e-6


def test_old_log_probabilities_are_those_before_the_first_update() -> None:
    made = policy(update={"epochs": 3, "learning_rate": 0.01, "clip_low": 0.01, "clip_high": 0.01})
    samples = samples_of(made)
    measured = made.update(samples)
    assert measured["ratio_max"] > 1.01  # of the last of three updates
    assert measured["clipped"] > 0
    assert measured["mismatch_max"] == pytest.approx(1.0, abs=1e-4)  # old against sampler: still the same weights
    once = policy(update={"epochs": 1, "learning_rate": 0.01})
    assert once.update(samples)["ratio_max"] == 1.0


def test_the_reference_is_where_the_run_began(tmp_path: Path) -> None:
    made = policy(update={"kl": 0.5, "learning_rate": 0.01})
    assert made.update(samples_of(made))["kl"] == pytest.approx(0.0, abs=1e-9)
    samples = samples_of(made)
    made.save(tmp_path)
    other = policy(update={"kl": 0.5, "learning_rate": 0.01})
    other.load(tmp_path)
    found = made.update(samples)["kl"]
    assert found > 1e-4
    assert other.update(samples)["kl"] == found
    without = policy()
    without.load(tmp_path)  # which asks for no reference
    (tmp_path / "without").mkdir()
    without.save(tmp_path / "without")
    with pytest.raises(UserError, match="reference"):
        made.load(tmp_path / "without")


def test_warmup_and_what_is_not_finite() -> None:
    made = policy(update={"warmup_steps": 4, "learning_rate": 0.4})
    rates = [made.update(samples_of(made, seed))["learning_rate"] for seed in range(5)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    sample = samples_of(made)[0]
    with pytest.raises(ValueError, match="advantage nan"):
        made.update([Sample(sample.prompt, sample.completion, math.nan)])
    before = [parameter.clone() for parameter in made.model.parameters()]
    with pytest.raises(Exception, match="not finite"):
        made.update([Sample(sample.prompt, sample.completion, 1e38, 1e-30)] * 9)
    assert all(torch.equal(a, b) for a, b in zip(before, made.model.parameters(), strict=True))


def test_dropout_is_off() -> None:
    model = tiny_models.model("gpt2")
    rates = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    assert any(rates)
    item = Item((1, 2, 3), (4, 5), (-1.0, -1.0), 1.0, 1.0)
    settings = config(update={"learning_rate": 0.0, "checkpoint_activations": True}).update
    made = Learner(model, settings, torch.float32)
    assert made.update([item])["loss"] == made.update([item])["loss"]


# --- folders ------------------------------------------------------------------------------------------------


@EVERY
def test_two_updates_after_a_load_are_bit_for_bit_those_without(name: str, tmp_path: Path) -> None:
    settings = {"update": {"learning_rate": 0.01, "warmup_steps": 3}}
    kept, other = policy(name, **settings), policy(name, **settings)
    kept.update(samples_of(kept))
    kept.save(tmp_path)
    other.load(tmp_path)
    for seed in (1, 2):
        for made in (kept, other):
            made.update(samples_of(made, seed))
    for (key, one), (_, two) in zip(kept.model.state_dict().items(), other.model.state_dict().items(), strict=True):
        assert torch.equal(one, two), key
    assert samples_of(kept, 3) == samples_of(other, 3)


def test_a_folder_is_one_of_transformers_and_holds_the_run_files_only(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made = policy()
    made.save(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "learner.safetensors"} <= names
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(next(model.parameters()), next(made.model.parameters()))
    assert AutoTokenizer.from_pretrained(tmp_path)("a b")["input_ids"] == made.tokens.encode(["a b"])[0]
    with pytest.raises(UserError, match="empty folder"):
        made.save(tmp_path)


def damaged(folder: Path, how: str) -> None:
    if how == "cut weights":
        data = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    elif how == "no optimizer":
        (folder / "learner.safetensors").unlink()
    elif how == "cut optimizer":
        data = (folder / "learner.safetensors").read_bytes()
        (folder / "learner.safetensors").write_bytes(data[:-9])
    elif how == "no config":
        (folder / "config.json").unlink()
    elif how == "broken config":
        (folder / "config.json").write_text("{")
    elif how == "another architecture":
        settings = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": 5}))
    elif how == "another size":
        settings = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**settings, "hidden_size": 48}))
    elif how == "no tokenizer":
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).unlink()


@pytest.mark.parametrize(
    "how",
    [
        "cut weights", "no optimizer", "cut optimizer", "no config", "broken config", "another architecture",
        "another size", "no tokenizer",
    ],
)  # fmt: skip
def test_a_damaged_folder_is_refused_in_one_line(how: str, tmp_path: Path) -> None:
    made = policy()
    made.update(samples_of(made))
    made.save(tmp_path)
    damaged(tmp_path, how)
    with pytest.raises(UserError) as found:
        made.load(tmp_path)
    assert "\n" not in str(found.value)
    assert str(tmp_path) in str(found.value)


def test_open_says_what_is_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", str(tmp_path / "nowhere"), str(tmp_path)):
        with pytest.raises(UserError, match="cannot open the model"):
            LocalPolicy.open(path, config())
    with pytest.raises(UserError, match="no GPU") if not torch.cuda.is_available() else pytest.raises(UserError):
        LocalPolicy(tiny_models.model("llama"), tiny_models.tokenizer(), config(model={"device": "cuda"}))
    made = policy()
    made.save(tmp_path)
    opened = LocalPolicy.open(tmp_path, config())
    assert samples_of(opened) == samples_of(made)
