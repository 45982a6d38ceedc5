"""The contract of a Policy, run on every implementation in `POLICIES`.

A case makes a policy and says what it can be asked: `prompts` it answers in more than one way, and a `stop` string
that it says sooner or later.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import tiny_models
from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.policy.local import LocalPolicy
from absolute_zero.ports import Policy
from absolute_zero.types import Completion, Sample, Sampling, UserError


@dataclass(frozen=True)
class Case:
    """How to make a policy, and what to ask it."""

    make: Callable[[], Policy]
    prompts: tuple[str, ...] = ("What is 1 + 1?", "def f(x):\n    return x", "<think>")
    too_long: str = "much " * 60
    stop: tuple[str, ...] = ("e", "1", " ")
    exact: bool = True
    """Completions do not depend on what else is asked. With products in bfloat16 they may: rounding does."""


def local(name: str, dtype: str = "float32") -> Callable[[], Policy]:
    settings = {
        "model": {"dtype": dtype, "device": "cpu"},
        "sampling": {"max_prompt_tokens": 100},
        "update": {"learning_rate": 0.01},
    }
    return lambda: LocalPolicy(tiny_models.model(name), tiny_models.tokenizer(), Config.model_validate(settings))


POLICIES = {
    "local": Case(local("qwen2")),
    "local, another family": Case(local("gpt2")),
    "local in bfloat16": Case(local("llama", "bfloat16"), exact=False),
    "local in bfloat16, another family": Case(local("gpt2", "bfloat16"), exact=False),
}


@pytest.fixture(params=POLICIES.values(), ids=list(POLICIES))
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def keys(case: Case, seed: int = 0) -> list[Key]:
    return [Key(seed).at("solve", number) for number in range(len(case.prompts))]


def ask(case: Case, policy: Policy, tries: int = 2, **sampling: object) -> list[list[Completion]]:
    settings = Sampling(**{"max_tokens": 12, "stop": case.stop, **sampling})  # type: ignore[arg-type]
    return policy.sample(case.prompts, tries, settings, keys(case))


def lesson(case: Case, answers: list[list[Completion]]) -> list[Sample]:
    """To say the first answer to each prompt more often, and the second one less."""
    return [
        Sample(prompt, completion, advantage=1.0 - 2 * number, weight=0.5)
        for prompt, row in zip(case.prompts, answers, strict=True)
        for number, completion in enumerate(row)
    ]


def test_completions_are_whole(case: Case) -> None:
    answers = ask(case, case.make(), tries=8)
    assert [len(row) for row in answers] == [8] * len(case.prompts)
    for completion in (one for row in answers for one in row):
        assert 1 <= len(completion.tokens) <= 12
        assert len(completion.logprobs) == len(completion.tokens)
        assert all(logprob <= 1e-6 for logprob in completion.logprobs)
        ends = [completion.text.find(stop) + len(stop) for stop in case.stop if stop in completion.text]
        assert all(end == len(completion.text) for end in ends)
        assert not (ends and completion.truncated)
        if completion.truncated:
            assert len(completion.tokens) == 12
    assert any(not completion.truncated for row in answers for completion in row)
    assert len({completion.tokens for row in answers for completion in row}) > 3


def test_the_same_chances_say_the_same(case: Case) -> None:
    assert ask(case, case.make()) == ask(case, case.make())
    policy = case.make()
    assert ask(case, policy) == ask(case, policy)
    others = policy.sample(case.prompts, 2, Sampling(max_tokens=12, stop=case.stop), keys(case, seed=1))
    assert others != ask(case, policy)


def test_what_else_is_asked_changes_nothing(case: Case) -> None:
    if not case.exact:
        pytest.skip("rounding may choose another token")
    policy = case.make()
    settings = Sampling(max_tokens=12, stop=case.stop)
    together = policy.sample(case.prompts, 5, settings, keys(case))
    for number, prompt in enumerate(case.prompts):
        [alone] = policy.sample([prompt], 2, settings, [keys(case)[number]])
        assert [one.tokens for one in alone] == [one.tokens for one in together[number][:2]]
    backwards = policy.sample(case.prompts[::-1], 5, settings, keys(case)[::-1])
    assert [[one.tokens for one in row] for row in backwards[::-1]] == [[one.tokens for one in row] for row in together]


def test_greedy_needs_no_chance(case: Case) -> None:
    policy = case.make()
    settings = Sampling(temperature=0.0, max_tokens=12, stop=case.stop)
    one, two = (policy.sample(case.prompts, 1, settings, keys(case, seed)) for seed in (0, 1))
    assert [[c.text for c in row] for row in one] == [[c.text for c in row] for row in two]


def test_a_prompt_that_is_too_long_is_not_answered(case: Case) -> None:
    policy = case.make()
    prompts = [case.too_long, case.prompts[0]]
    long, short = policy.sample(prompts, 2, Sampling(max_tokens=12, stop=case.stop), keys(case)[:2])
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
    weightless = [Sample(case.prompts[0], before[0][0], advantage=1.0, weight=0.0)]
    unsaid = [Sample(case.prompts[0], Completion("", (), (), truncated=True), advantage=1.0)]
    policy.update(weightless + unsaid)
    assert ask(case, policy) == before


def test_an_update_measures_and_leaves_what_was_sampled_alone(case: Case) -> None:
    policy = case.make()
    answers = ask(case, policy)
    measured = policy.update(lesson(case, answers))
    assert all(isinstance(name, str) and isinstance(value, float) for name, value in measured.items())
    assert answers == ask(case, case.make())


def test_saved_and_loaded_it_goes_on_as_if_nothing_had_happened(case: Case, tmp_path: Path) -> None:
    kept, other = case.make(), case.make()
    kept.update(lesson(case, ask(case, kept)))
    kept.save(tmp_path)
    other.load(tmp_path)
    for policy in (kept, other):
        policy.update(lesson(case, ask(case, policy)))
    assert ask(case, kept) == ask(case, other)


def test_what_cannot_be_loaded_is_said_in_one_line(case: Case, tmp_path: Path) -> None:
    policy = case.make()
    before = ask(case, policy)
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(UserError) as found:
            policy.load(folder)
        assert "\n" not in str(found.value)
    assert ask(case, policy) == before
