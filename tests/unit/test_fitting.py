"""Fitting a form: who asks jointly asks as if alone, halving keeps the better way, and what follows from it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from absolute_zero import selfplay
from absolute_zero.components import open_components
from absolute_zero.config import Config, as_recipe, literal, load
from absolute_zero.evals.advice import Advice, advise, cost_of, time_update
from absolute_zero.evals.fitting import FORMS, Fitting, Settings, easier_of, rounds
from absolute_zero.evals.jointly import ask_jointly
from absolute_zero.evals.responses import Response, failures, mean_tokens, share
from absolute_zero.evals.statistics import proportion
from absolute_zero.executor import Sandbox
from absolute_zero.keys import Key
from absolute_zero.policy.scripted import Apprentice, Scripted
from absolute_zero.ports import Chat, Components
from absolute_zero.types import Completion, Prompt, Role, Sample, Sampling, UserError
from worlds import components, empty_buffer, says, settings, watched

GOOD, BAD = (Response("a", 10, True, good, True, good, "" if good else "wrong") for good in (True, False))
BASE = ["model.path=scripted", 'sandbox.minimum_level="weak"', "sampling.max_tokens=1000"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1, minimum_level="weak") as made:
        yield made


# --- numbers ------------------------------------------------------------------------------------------------


def test_shares_by_hand() -> None:
    mixed = [GOOD, GOOD, BAD, replace(BAD, well_formed=False, reason="no_block", tokens=40, text="b")]
    assert share(mixed, "good").value == 0.5
    assert share(mixed, "well_formed").value == 0.75
    assert mean_tokens(mixed) == 17.5
    assert failures([*mixed, BAD]) == [("wrong", 2, "a"), ("no_block", 1, "b")]
    # Wilson (1927) by hand for 0 of 10: the upper end is z^2 / (n + z^2).
    assert proportion(0, 10)[1:] == pytest.approx((0.0, 3.841459 / 13.841459), abs=1e-6)


@given(st.integers(0, 50), st.integers(0, 50))
def test_an_interval_holds_its_share_and_mirrors(successes: int, failures_: int) -> None:
    n = successes + failures_
    if n:
        value, low, high = proportion(successes, n)
        assert 0 <= low <= value <= high <= 1
        assert proportion(failures_, n)[1:] == pytest.approx((1 - high, 1 - low))


@given(st.integers(1, 40), st.integers(1, 200))
def test_rounds_give_the_last_way_all_and_never_grow(ways: int, responses: int) -> None:
    plan = rounds(ways, responses)
    left = [count for count, _ in plan]
    assert sum(size for _, size in plan) == responses
    assert all(size > 0 for _, size in plan)
    assert left[0] == ways
    assert all(after == (before + 1) // 2 for before, after in pairwise(left))


# --- asking jointly -----------------------------------------------------------------------------------------


def test_who_asks_jointly_is_answered_as_if_alone(sandbox: Sandbox) -> None:
    cfg, seen = settings(), watched(sandbox)
    parts = components(seen, cfg)

    def asker(seed: int) -> Callable[[Any], Any]:
        return lambda policy: selfplay.propose(parts._replace(policy=policy), empty_buffer(cfg), cfg, Key(seed))

    alone = [asker(seed)(Scripted(Apprentice())) for seed in (1, 2, 3)]
    assert ask_jointly(seen, [asker(seed) for seed in (1, 2, 3)]) == alone
    assert seen.calls == ["sample 36x1"]


def test_who_samples_otherwise_has_a_call_of_its_own(sandbox: Sandbox) -> None:
    seen = watched(sandbox, says("4"))

    def asker(sampling: Sampling, n: int) -> Callable[[Any], Any]:
        return lambda policy: policy.sample([Prompt("2 + 2?")], n, sampling, [Key(1)])

    greedy = Sampling(temperature=0.0)
    first, second, third = ask_jointly(seen, [asker(Sampling(), 2), asker(greedy, 2), asker(Sampling(), 2)])
    assert seen.calls == ["sample 2x2", "sample 1x2"]
    assert first == third == seen.policy.sample([Prompt("2 + 2?")], 2, Sampling(), [Key(1)])
    assert len(second[0]) == 2


# --- fitting ------------------------------------------------------------------------------------------------


class Picky:
    """A model with a chat template that can do what the apprentice can, if it is asked in a certain way."""

    def __init__(self, likes: Callable[[Prompt], bool], chat: Chat | None = None) -> None:
        self.chat, self._likes, self._able = chat, likes, Scripted(Apprentice(1.0))

    def sample(
        self, prompts: Sequence[Prompt], n: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        answers = self._able.sample([Prompt(it.shown) for it in prompts], n, sampling, keys)
        good = Completion("<think>It is so.</think><answer>2</answer>", (1,) * 9, (-0.1,) * 9)
        return [row if self._likes(it) else [good] * n for it, row in zip(prompts, answers, strict=True)]

    def update(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        return {}

    def save(self, folder: Path) -> None:
        pass

    def load(self, folder: Path) -> None:
        pass


def fitting(
    policy: Any, sandbox: Sandbox, responses: int = 8, forms: Sequence[Settings] = FORMS,
    kinds: Sequence[str] = (), fixed: Sequence[str] = (),
) -> Fitting:  # fmt: skip
    def with_(more: Settings) -> Config:
        values = {key: value for key, value in more.items() if not key.startswith("python.")}
        others = [f"{key}={literal(value)}" for key, value in values.items()]
        reading = ["form.reading=natural"] if "form.reading" not in values else []
        return load("tiny", [*BASE, f"kinds={literal(kinds)}", *fixed, *reading, *others])

    cfg = with_({})
    with open_components(cfg) as opened:
        parts: Components = opened._replace(policy=policy, executor=sandbox)
    return Fitting(with_, parts, {}, responses, 0, forms)


def test_a_model_without_a_chat_template_is_asked_in_plain_text(sandbox: Sandbox) -> None:
    plain = fitting(Picky(lambda prompt: True), sandbox)
    assert {way.cfg.form.template for way in plain.ways} == {"text"}
    assert len(plain.ways) == len(FORMS) - 1  # two differ in the template only
    assert len(fitting(Picky(lambda prompt: True, Chat()), sandbox).ways) == len(FORMS)


def test_the_way_that_the_model_likes_is_ahead(sandbox: Sandbox) -> None:
    # Compact prompts are plain text: examples stand before them, and only without any the prompt begins as it does.
    forms = [{"form.template": "text", "form.examples": n, "form.opening": "thought"} for n in (2, 1, 0)]
    plain = load("tiny", BASE)
    with open_components(plain) as opened:
        likes = {task_type.propose_prompt(opened.seeds[:1]).text[:12] for task_type in opened.task_types.values()}
    it = fitting(
        Picky(lambda prompt: prompt.shown[:12] in likes and prompt.shown.count("<think>") == 1), sandbox, 8, forms
    )
    asked = list(it.steps())
    assert len(asked) == 2 * len(rounds(3, 8)) + 1 + sum(1 for ways in it.easier.values() if ways)
    assert it.asked == it.total
    best = it.ways[0]
    assert best.cfg.form.examples == 0
    slots = list(best.responses)
    assert best.score(slots) > it.ways[1].score(slots)
    assert {len(own) for own in best.responses.values()} == {8}
    advice = advise(it)
    assert {"deduction", "abduction"} <= set(advice.ways) == set(advice.cfg.kinds)
    cost = cost_of(advice, best, update=0.5)
    assert cost.step == cost.sampling + cost.update
    assert cost.responses >= 2 * len(advice.ways)
    assert time_update(best) > 0


def test_a_cost_by_hand(sandbox: Sandbox) -> None:
    """Batch 2, two rollouts each, all reused: of a kind 2 proposals and 2 tasks x 2 answers, however many are new."""
    it = fitting(Picky(lambda prompt: True), sandbox, fixed=["solve.n_practice=2"])
    way = it.ways[0]
    way.speed = 100.0
    for kind in ("deduction", "abduction"):
        way.responses[kind, Role.PROPOSE] = [replace(GOOD, accepted=True, tokens=50)] * 4
        way.responses[kind, Role.SOLVE] = [replace(GOOD, tokens=20)] * 4
    advice = Advice(way.cfg, dict.fromkeys(("deduction", "abduction"), way), {})
    cost = cost_of(advice, way, update=0.01)
    assert cost.responses == pytest.approx(2 * (2 + 4))
    assert cost.tokens == pytest.approx(2 * (2 * 50 + 4 * 20))
    assert (cost.sampling, cost.update) == pytest.approx((3.6, 3.6))
    # One task of a kind is wanted for each of its batch of 2; 4.5 of 5 become one. Both kinds are asked in a round.
    assert cost.seeding == pytest.approx(1 / 0.9 * 200 / 100)


def test_measuring_that_is_broken_off_has_what_it_has(sandbox: Sandbox) -> None:
    it = fitting(Picky(lambda prompt: True), sandbox)
    steps = it.steps()
    next(steps)
    next(steps)
    it.rank()
    assert it.ways[0].responses
    assert 0 < it.asked < it.total
    assert set(advise(it, whole=False).ways) == {"deduction", "abduction", "induction"}


def test_what_cannot_be_proposed_is_left_out_and_so_is_what_it_feeds(sandbox: Sandbox) -> None:
    it = fitting(Picky(lambda prompt: False), sandbox, 4)
    list(it.steps())
    advice = advise(it)
    assert not advice.ways
    assert advice.left_out["deduction"].startswith("0 of 4 proposals became tasks")
    assert advice.left_out["induction"] == "no kind that it is shown can start"


@pytest.mark.parametrize("easier", ["inputs", 4, [4], {"inputs": 4}])
def test_easier_settings_that_are_none_are_told(easier: object) -> None:
    class Odd:
        kind = "odd"

    Odd.easier = easier  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"task type 'odd': easier is .* give a sequence of settings"):
        easier_of(Odd())


def test_a_kind_whose_sources_are_not_played_is_left_out_with_them(sandbox: Sandbox) -> None:
    it = fitting(Picky(lambda prompt: False), sandbox, 4, kinds=["deduction", "induction"])
    list(it.steps())
    it.ways[0].responses["induction", Role.PROPOSE] = [replace(GOOD, accepted=True)]
    assert set(advise(it).left_out) == {"deduction", "induction"}


def test_what_is_advised_goes_with_what_the_user_set(sandbox: Sandbox) -> None:
    """Everything good is strict, and strict reading is refused beside strict_by: natural then."""
    for fixed, reading in (([], "strict"), (["form.strict_by=5"], "natural")):
        it = fitting(Picky(lambda prompt: True), sandbox, 4, fixed=fixed)
        list(it.steps())
        assert advise(it).cfg.form.reading == reading


def test_no_way_that_opens_is_the_users_mistake(sandbox: Sandbox) -> None:
    with pytest.raises(UserError, match=r"form\.template"):
        fitting(Picky(lambda prompt: True), sandbox, 4, [{"form.template": "verse"}])


def test_without_tasks_only_proposals_are_compared(sandbox: Sandbox) -> None:
    it = fitting(Picky(lambda prompt: True), sandbox, 4)
    slots = [("deduction", Role.PROPOSE), ("deduction", Role.SOLVE)]
    way = it.ways[0]
    way.responses = {slots[0]: [GOOD] * 3 + [BAD]}
    assert way.score(slots[:1]) == pytest.approx(3.5 / 5 + 4.5 / 500)
    assert way.score(slots) == pytest.approx((3.5 / 5 + 4.5 / 500) / 2), "what was never asked is worth nothing"


# --- recipes ------------------------------------------------------------------------------------------------


def test_a_short_recipe_reads_back_equal(tmp_path: Path) -> None:
    base = load("tiny")
    cfg = load("tiny", ["form.examples=2", "form.reading=natural", 'kinds=["deduction"]', 'model.path="a b=c"'])
    (tmp_path / "mine.toml").write_text(as_recipe(cfg, base, "tiny"))
    assert load(tmp_path / "mine.toml") == cfg
    assert (tmp_path / "mine.toml").read_text().splitlines()[0] == 'base = "tiny"'


def test_roles_have_a_word_each() -> None:
    from absolute_zero.cli.fit import _GOOD  # pyright: ignore[reportPrivateUsage]

    assert set(_GOOD) == set(Role)
