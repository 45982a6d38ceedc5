"""The policy masters a trivial world in seconds: what it is rewarded for becomes what it answers."""

import statistics
from collections.abc import Callable

import pytest

import tiny_models
from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.policy.local import LocalPolicy
from absolute_zero.types import Prompt, Sample, Sampling

WORLD: dict[str, Callable[[str], bool]] = {"red": str.islower, "blue": str.isupper, "green": str.isdigit}
"""To each prompt its kind of answer. By luck it is one in ten or twenty-five."""
ROLLOUTS = 24


@pytest.mark.parametrize(("name", "dtype"), [("qwen2", "float32"), ("llama", "bfloat16"), ("gpt2", "float32")])
def test_it_learns_what_to_answer(name: str, dtype: str) -> None:
    settings = {
        "model": {"dtype": dtype, "device": "cpu"},
        "update": {"learning_rate": 0.01, "weight_decay": 0.0, "tokens_per_batch": 400, "entropy": 0.0},
    }
    policy = LocalPolicy(tiny_models.model(name), tiny_models.tokenizer(), Config.model_validate(settings))
    checks = {Prompt(text): check for text, check in WORLD.items()}
    prompts = list(checks)
    means: list[float] = []
    for step in range(60):
        keys = [Key(0, (step, prompt.text)) for prompt in prompts]
        answers = policy.sample(prompts, ROLLOUTS, Sampling(max_tokens=1, stop=()), keys)
        samples: list[Sample] = []
        for prompt, row in zip(prompts, answers, strict=True):
            rewards = [float(checks[prompt](completion.text)) for completion in row]
            means.append(statistics.fmean(rewards))
            spread = statistics.pstdev(rewards) + 1e-6
            samples += [Sample(prompt, c, (r - means[-1]) / spread) for c, r in zip(row, rewards, strict=True)]
        policy.update(samples)
        if min(means[-3:]) > 0.9:
            break
    assert statistics.fmean(means[:3]) < 0.4
    assert min(means[-3:]) > 0.9
    greedy = policy.sample(prompts, 1, Sampling(temperature=0.0, max_tokens=1, stop=()), [Key(0)] * 3)
    assert all(checks[prompt](row[0].text) for prompt, row in zip(prompts, greedy, strict=True))
