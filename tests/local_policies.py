"""Local policies on tiny models, and what they have to learn from: shared by the tests of the local policy."""

import math
from typing import Any

import torch

import tiny_models
from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.policy.local import LocalPolicy
from absolute_zero.types import Prompt, Sample, Sampling

TEXTS = ("hello <think>", "a much longer prompt it is, longer than all of the others", "x", "the middle one")
PROMPTS = tuple(map(Prompt, TEXTS))


def config(**sections: Any) -> Config:
    model = {"dtype": "float32", "device": "cpu", **sections.pop("model", {})}
    return Config.model_validate({"model": model, **sections})


def policy(name: str = "llama", **sections: Any) -> LocalPolicy:
    return LocalPolicy(tiny_models.model(name), tiny_models.tokenizer(), config(**sections))


def samples_of(local: LocalPolicy, seed: int = 0, n: int = 3) -> list[Sample]:
    """Return its own answers, of many lengths, with whatever advantages."""
    keys = [Key(seed).at(number) for number in range(len(PROMPTS))]
    rows = local.sample(PROMPTS, n, Sampling(max_tokens=20, stop=("e", ">", "a")), keys)
    return [
        Sample(prompt, completion, advantage=math.sin(7.0 * index + attempt), weight=1.0 / (1 + attempt))
        for index, (prompt, row) in enumerate(zip(PROMPTS, rows, strict=True))
        for attempt, completion in enumerate(row)
    ]


def by_transformers(model: Any, prompt: list[int], tokens: tuple[int, ...], temperature: float) -> list[float]:
    """Return log-probabilities of a completion by the model's own forward, on the one sequence, without a cache."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *tokens]]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    every = (logits.double() / temperature).log_softmax(-1)
    return every.gather(-1, torch.tensor(tokens)[:, None])[:, 0].tolist()


def plain_loss(local: LocalPolicy, samples: list[Sample]) -> torch.Tensor:
    """Return the loss from its definition, by the model's own forward on each sequence by itself; differentiable."""
    settings = local.cfg.update
    total = sum(sample.weight * len(sample.completion.tokens) for sample in samples)
    loss: Any = 0.0
    for sample in samples:
        [prompt], tokens = local.tokens.encode([sample.prompt]), sample.completion.tokens
        logits = local.model(torch.tensor([[*prompt, *tokens]]), use_cache=False).logits[0, len(prompt) - 1 : -1]
        every = logits.double().log_softmax(-1)
        logprob = every.gather(-1, torch.tensor(tokens)[:, None])[:, 0]
        entropy = -(every.exp() * every).sum(-1)
        old = logprob.detach()
        mismatch = (old - torch.tensor(sample.completion.logprobs)).exp().clamp(max=settings.mismatch_cap)
        term = -mismatch * (logprob - old).exp() * sample.advantage - settings.entropy * entropy
        loss = loss + sample.weight * term.sum() / total
    return loss


def apart(first: torch.Tensor, other: torch.Tensor) -> float:
    """Return the distance of two gradients, relative to their length."""
    return ((first - other).norm() / other.norm()).item()
