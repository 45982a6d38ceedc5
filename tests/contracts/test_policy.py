"""The contract of a Policy, run on every implementation in `POLICIES`.

A case makes a policy and says what it can be asked: `prompts` it answers in more than one way, and a `stop` string
that it writes sooner or later, within `max_tokens` or not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import tiny_models
from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.policy.local import LocalPolicy
from absolute_zero.policy.scripted import open_scripted
from absolute_zero.ports import Policy
from absolute_zero.types import Completion, Prompt, Sample, Sampling, UserError

PROMPTS = tuple(map(Prompt, ("What is 1 + 1?", "def f(x):\n    return x", "<think>")))
TOO_LONG = Prompt("much " * 60)


@dataclass(frozen=True)
class Case:
    """How to make a policy, and what to ask it."""

    make: Callable[[], Policy]
    prompts: tuple[Prompt, ...] = PROMPTS
    too_long: Prompt | None = TOO_LONG
    """None: it answers prompts of any length."""
    stop: tuple[str, ...] = ("e", "1", " ")
    max_tokens: int = 12
    exact: bool = True
    """Completions do not depend on what else is asked. With products in bfloat16 they may: rounding does."""


def local(name: str, dtype: str = "float32") -> Callable[[], Policy]:
    settings = {
        "model": {"dtype": dtype, "device": "cpu"},
        "sampling": {"max_prompt_tokens": 100},
        "update": {"learning_rate": 0.01},
    }
    return lambda: LocalPolicy(tiny_models.model(name), tiny_models.tokenizer(), Config.model_validate(settings))


APPRENTICE = (
    Prompt("propose deduction\n<think>\n"),
    Prompt("solve deduction\n```python\ndef f(x):\n    return x * 3 + 4\n```\n```input\n5\n```\n<think>\n"),
    Prompt("solve abduction\n```python\ndef f(x):\n    return x * 2 + 1\n```\n```output\n9\n```\n<think>\n"),
)
"""Its solutions end within 65 bytes, and its proposals do not, though they differ there."""

POLICIES = {
    "local": Case(local("qwen2")),
    "local, another family": Case(local("gpt2")),
    "local in bfloat16": Case(local("llama", "bfloat16"), exact=False),
    "local in bfloat16, another family": Case(local("gpt2", "bfloat16"), exact=False),
    "scripted": Case(
        lambda: open_scripted(Config()), prompts=APPRENTICE, too_long=None, stop=("</answer>",), max_tokens=65
    ),
}


@pytest.fixture(params=POLICIES.values(), ids=list(POLICIES))
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def keys(case: Case, seed: int = 0) -> list[Key]:
    return [Key(seed).at("solve", item) for item in range(len(case.prompts))]


def sampling(case: Case, temperature: float = 1.0) -> Sampling:
    return Sampling(temperature, max_tokens=case.max_tokens, stop=case.stop)


def ask(case: Case, policy: Policy, n: int = 2) -> list[list[Completion]]:
    return policy.sample(case.prompts, n, sampling(case), keys(case))


def lesson(case: Case, answers: list[list[Completion]]) -> list[Sample]:
    """Return samples that make the first answer to each prompt more likely, and the second one less."""
    return [
        Sample(prompt, completion, advantage=1.0 - 2 * attempt, weight=0.5)
        for prompt, row in zip(case.prompts, answers, strict=True)
        for attempt, completion in enumerate(row)
    ]


def test_completions_are_whole(case: Case) -> None:
    answers = ask(case, case.make(), n=8)
    assert [len(row) for row in answers] == [8] * len(case.prompts)
    for completion in (each for row in answers for each in row):
        assert 1 <= len(completion.tokens) <= case.max_tokens
        assert len(completion.logprobs) == len(completion.tokens)
        assert all(logprob <= 1e-6 for logprob in completion.logprobs)
        ends = [completion.text.find(stop) + len(stop) for stop in case.stop if stop in completion.text]
        assert all(end == len(completion.text) for end in ends)
        assert not (ends and completion.truncated)
        if completion.truncated:
            assert len(completion.tokens) == case.max_tokens
    assert any(not completion.truncated for row in answers for completion in row)
    assert len({completion.tokens for row in answers for completion in row}) > 3


def test_the_same_keys_draw_the_same(case: Case) -> None:
    assert ask(case, case.make()) == ask(case, case.make())
    policy = case.make()
    assert ask(case, policy) == ask(case, policy)
    others = policy.sample(case.prompts, 2, sampling(case), keys(case, seed=1))
    assert others != ask(case, policy)


def test_what_else_is_asked_changes_nothing(case: Case) -> None:
    if not case.exact:
        pytest.skip("rounding may choose another token")
    policy = case.make()
    together = policy.sample(case.prompts, 5, sampling(case), keys(case))
    for item, prompt in enumerate(case.prompts):
        [alone] = policy.sample([prompt], 2, sampling(case), [keys(case)[item]])
        assert [c.tokens for c in alone] == [c.tokens for c in together[item][:2]]
    backwards = policy.sample(case.prompts[::-1], 5, sampling(case), keys(case)[::-1])
    assert [[c.tokens for c in row] for row in backwards[::-1]] == [[c.tokens for c in row] for row in together]


def test_greedy_needs_no_key(case: Case) -> None:
    policy = case.make()
    first, second = (policy.sample(case.prompts, 1, sampling(case, 0.0), keys(case, seed)) for seed in (0, 1))
    assert [[c.text for c in row] for row in first] == [[c.text for c in row] for row in second]


def test_a_prompt_that_is_too_long_is_not_answered(case: Case) -> None:
    if case.too_long is None:
        pytest.skip("it answers prompts of any length")
    policy = case.make()
    prompts = [case.too_long, case.prompts[0]]
    long, short = policy.sample(prompts, 2, sampling(case), keys(case)[:2])
    assert long == [Completion("", (), (), truncated=True)] * 2
    assert all(completion.tokens for completion in short)


def test_nothing_asked(case: Case) -> None:
    policy = case.make()
    assert policy.sample([], 2, Sampling(), []) == []
    assert policy.sample(case.prompts, 0, Sampling(), keys(case)) == [[] for _ in case.prompts]


def test_nothing_to_learn_changes_nothing(case: Case) -> None:
    policy = case.make()
    before = ask(case, policy)
    policy.update([])
    weightless = [Sample(p, row[0], advantage=1.0, weight=0.0) for p, row in zip(case.prompts, before, strict=True)]
    unanswered = [Sample(prompt, Completion("", (), (), truncated=True), advantage=1.0) for prompt in case.prompts]
    policy.update(weightless + unanswered)
    assert ask(case, policy) == before


def test_an_update_measures_and_leaves_what_was_sampled_alone(case: Case) -> None:
    policy = case.make()
    answers = ask(case, policy)
    metrics = policy.update(lesson(case, answers))
    assert metrics
    assert all(isinstance(name, str) and isinstance(value, float) for name, value in metrics.items())
    assert answers == ask(case, case.make())


def test_saved_and_loaded_it_goes_on_as_if_nothing_had_happened(case: Case, tmp_path: Path) -> None:
    policy, other = case.make(), case.make()
    policy.update(lesson(case, ask(case, policy)))
    policy.save(tmp_path)
    other.load(tmp_path)
    for each in (policy, other):
        each.update(lesson(case, ask(case, each)))
    assert ask(case, policy) == ask(case, other)


def test_what_cannot_be_loaded_raises_one_line(case: Case, tmp_path: Path) -> None:
    policy = case.make()
    before = ask(case, policy)
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(UserError) as raised:
            policy.load(folder)
        assert "\n" not in str(raised.value)
    assert ask(case, policy) == before
